// This product on its embedded store: links, or one of its reads.
import { Links, agent } from '../data.mjs'
import { load } from './product.mjs'

/** Conversations of a page. */
const PAGE = 50

async function rows(list) {
  let count = 0
  for await (const _ of list) count++
  return count
}

export function open({ from, database, size, inFlight, firstLink, operation }) {
  const OmnichannelClient = load(from)
  const client = new OmnichannelClient({ embedded: { path: database } })
  const links = new Links(size)
  const { conversations, contacts, emails, numbers } = links
  let next = firstLink
  let found = 0

  const operations = {
    async link(at) {
      const { status } = await client.linkToConversation('contact', contacts[links.contactOf(at)], conversations[links.conversationOf(at)])
      if (status !== 'linked' && status !== 'replaced') throw new Error(`nothing was written: ${status}`)
    },
    async getConversation(at) {
      const { status } = await client.getConversation(conversations[links.conversationOf(at)])
      if (!status) throw new Error('a conversation without a status')
      found++
    },
    async findRecord(at) {
      const contact = links.contactOf(at)
      const { recordId } = await client.findRecord('contact', { emailaddress1: emails[contact] })
      if (recordId !== contacts[contact]) throw new Error(`found ${recordId}`)
      found++
    },
    async listOfRecord(at) {
      found += await rows(client.getConversations({ record: { entityLogicalName: 'contact', recordId: contacts[links.contactOf(at)] } }))
    },
    async listOfAgent(at) {
      found += await rows(client.getConversations({ agentId: agent(numbers[links.conversationOf(at)]), top: PAGE }))
    },
    async firstPage() {
      found += await rows(client.getConversations({ top: PAGE }))
    }
  }
  const run = operations[operation]

  async function lane(meter) {
    for (let goesOn = true; goesOn;) {
      const began = performance.now()
      await run(next++)
      goesOn = meter.record(began)
    }
  }

  async function ensureDone() {
    if (operation !== 'link' && found === 0) throw new Error('no rows were found')
    const last = next - 1
    const { customer } = operation === 'link' ? await client.getConversation(conversations[links.conversationOf(last)]) : {}
    if (customer && customer.recordId !== contacts[links.contactOf(last)]) throw new Error('the last link is not in the file')
    await client.close()
  }

  return { run: meter => Promise.all(Array.from({ length: inFlight }, () => lane(meter))), close: ensureDone }
}
