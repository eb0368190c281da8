// better-sqlite3 with the statements and the durability of the embedded store. Batched: all waiting links share a transaction.
import { setImmediate } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { Links } from '../data.mjs'

const CONTACT = 2
const ACTIVE = 2
const blob = id => Buffer.from(id.replaceAll('-', ''), 'hex')

export function open({ database, size, inFlight, firstLink, operation, isBatched, isTuned }) {
  const file = new Database(database)
  file.pragma('journal_mode = wal')
  file.pragma('synchronous = full')
  if (isTuned) {
    file.pragma('cache_size = -65536')
    file.pragma('wal_autocheckpoint = 16384')
  }
  const links = new Links(size)
  const [conversations, contacts] = [links.conversations.map(blob), links.contacts.map(blob)]
  const select = file.prepare('SELECT statuscode, customer_entity, customer_id, case_id FROM conversation WHERE id = ?')
  const exists = file.prepare('SELECT 1 FROM record WHERE entity = ? AND id = ?')
  const update = file.prepare('UPDATE conversation SET customer_entity = ?, customer_id = ? WHERE id = ?')
  const details =
    file.prepare(`SELECT c.statuscode, c.subject, c.created_on, c.agent_id, c.customer_entity, c.customer_id, r.name, c.case_id
    FROM conversation c LEFT JOIN record r ON r.entity = c.customer_entity AND r.id = c.customer_id WHERE c.id = ?`)

  function link(at) {
    const [conversation, contact] = [conversations[links.conversationOf(at)], contacts[links.contactOf(at)]]
    if (select.get(conversation)?.statuscode !== ACTIVE) throw new Error('not an active conversation')
    if (!exists.get(CONTACT, contact)) throw new Error('no such contact')
    if (update.run(CONTACT, contact, conversation).changes !== 1) throw new Error('nothing was written')
  }
  const transaction = file.transaction((from, to) => {
    for (let at = from; at < to; at++) link(at)
  })

  function get(at) {
    if (!details.get(conversations[links.conversationOf(at)])) throw new Error('no such conversation')
  }

  async function run(meter) {
    let at = firstLink
    for (let goesOn = true; goesOn;) {
      const began = performance.now()
      const end = at + inFlight
      while (goesOn && at < end) {
        const count = isBatched ? inFlight : 1
        if (operation === 'getConversation') get(at)
        else transaction.immediate(at, at + count)
        at += count
        goesOn = meter.record(began, count)
        await setImmediate()
      }
    }
    const last = select.get(conversations[links.conversationOf(at - 1)])
    if (operation === 'link' && !last.customer_id.equals(contacts[links.contactOf(at - 1)]))
      throw new Error('the last link is not in the file')
  }

  return { run, close: () => file.close() }
}
