// Confirmed links are in the file: under load, beside another process, and after a kill.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { query } from '../examples/support/sqlite.mjs'
import { folder } from './support/afterwards.mjs'
import { start } from './support/child.mjs'
import { account, contact, conversations, incident, numbered, page } from './support/sample.mjs'
import { client } from './support/stores.mjs'

/** A file with `count` active conversations and contacts of the same numbers, one account and one incident. */
async function prepared(t, count) {
  const path = join(folder(t), 'links.db')
  const store = client(t, { embedded: { path } })
  await store.importRecords(conversations(count))
  await store.importRecords(page('contacts', ...Array.from({ length: count }, (_, number) => ({ contactid: numbered(number) }))))
  await store.importRecords(page('accounts', { accountid: account.recordId }))
  await store.importRecords(page('incidents', { incidentid: incident.recordId }))
  return { path, store }
}

const rows = path => query(path, 'SELECT id, customer_type, customer_id, case_id FROM conversation_text ORDER BY id')

test('ten thousand concurrent links are all in the file', { timeout: 120_000 }, async t => {
  const count = 10_000
  const { path, store } = await prepared(t, count)
  const outcomes = await Promise.all(
    Array.from({ length: count }, (_, number) => store.linkToConversation('contact', numbered((number * 7) % count), numbered(number)))
  )
  const expected = (number, requestId) => ({
    status: 'linked',
    conversationId: numbered(number),
    record: { entityLogicalName: 'contact', recordId: numbered((number * 7) % count) },
    previous: null,
    store: 'embedded',
    requestId
  })
  assert.deepEqual(
    outcomes,
    outcomes.map(({ requestId }, number) => expected(number, requestId))
  )
  assert.equal(new Set(outcomes.map(({ requestId }) => requestId)).size, count)
  await store.close()
  assert.deepEqual(
    rows(path),
    outcomes.map(({ conversationId: id, record }) => ({ id, customer_type: 'contact', customer_id: record.recordId, case_id: null }))
  )
})

test('of concurrent links of one slot the last one stays', { timeout: 60_000 }, async t => {
  const count = 500
  const { path, store } = await prepared(t, count)
  const outcomes = await Promise.all(
    Array.from({ length: count }, (_, number) => store.linkToConversation('contact', numbered(number), numbered(0)))
  )
  assert.deepEqual(
    outcomes.map(({ previous }) => previous?.recordId ?? null),
    [null, ...Array.from({ length: count - 1 }, (_, number) => numbered(number))]
  )
  await store.close()
  assert.equal(rows(path)[0].customer_id, numbered(count - 1))
})

test('two processes that link in one file lose no link', { timeout: 120_000 }, async t => {
  const count = 1000
  const { path, store } = await prepared(t, count)
  const { child, line, ended } = start(
    t,
    `
    const client = new link.OmnichannelClient({ embedded: { path } })
    const work = async () => {
      let linked = 0
      for (const batch of batches) {
        const outcomes = await Promise.all(batch.map(id => client.linkToConversation('incident', incident.recordId, id)))
        linked += outcomes.filter(({ status }) => status === 'linked').length
      }
      await client.close()
      console.log(linked)
    }
    console.log('ready')
    process.stdin.once('data', () => { process.stdin.destroy(); work() })`,
    {
      path,
      incident,
      batches: Array.from({ length: 20 }, (_, batch) =>
        Array.from({ length: count / 20 }, (_, number) => numbered(batch * (count / 20) + number))
      )
    }
  )
  assert.equal(await line(), 'ready')
  child.stdin.write('\n')
  for (let number = 0; number < count; number += 50) {
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, (_, more) => store.linkToConversation('contact', numbered(number + more), numbered(number + more)))
    )
    for (const { status } of outcomes) assert.equal(status, 'linked')
  }
  assert.equal(await line(), String(count))
  assert.equal((await ended).code, 0)
  await store.close()
  const expected = Array.from({ length: count }, (_, number) => ({
    id: numbered(number),
    customer_type: 'contact',
    customer_id: numbered(number),
    case_id: incident.recordId
  }))
  assert.deepEqual(rows(path), expected)
})

// A race, so it runs several times, each with a new file.
for (const round of [1, 2, 3, 4, 5])
  test(`two processes that create a file at once both import (${round})`, { timeout: 60_000 }, async t => {
    const path = join(folder(t), 'links.db')
    const code = `
    const client = new link.OmnichannelClient({ embedded: { path } })
    console.log('ready')
    process.stdin.once('data', () => {
      process.stdin.destroy()
      client.importRecords(page).then(({ inserted }) => console.log(inserted), error => console.log(error.message))
    })`
    const programs = [conversations(200), page('contacts', { contactid: contact.recordId })].map(page => start(t, code, { path, page }))
    for (const { line } of programs) assert.equal(await line(), 'ready')
    for (const { child } of programs) child.stdin.write('\n')
    assert.deepEqual(await Promise.all(programs.map(({ line }) => line())), ['200', '1'])
    await Promise.all(programs.map(({ ended }) => ended))
    const store = client(t, { embedded: { path } })
    assert.equal((await store.linkToConversation('contact', contact.recordId, numbered(0))).status, 'linked')
  })

test('a printed outcome survives SIGKILL', { timeout: 60_000 }, async t => {
  const { path, store } = await prepared(t, 20)
  const [linked, unlinked, busy] = [1, 2, 3].map(numbered)
  await store.linkToConversation('contact', unlinked, unlinked)
  await store.close()
  const { child, line, ended } = start(
    t,
    `
    const client = new link.OmnichannelClient({ embedded: { path } })
    const writing = async () => {
      await client.linkToConversation('account', account.recordId, busy)
      await client.unlinkFromConversation('account', account.recordId, busy)
      return writing()
    }
    Promise.all([client.linkToConversation('contact', linked, linked), client.unlinkFromConversation('contact', unlinked, unlinked)])
      .then(outcomes => {
        console.log(outcomes.map(({ status }) => status).join())
        // Kill it while it writes.
        return writing()
      })`,
    { path, linked, unlinked, busy, account }
  )
  assert.equal(await line(), 'linked,unlinked')
  child.kill('SIGKILL')
  assert.equal((await ended).signal, 'SIGKILL')
  const reopened = client(t, { embedded: { path } })
  assert.equal((await reopened.linkToConversation('contact', linked, linked)).status, 'alreadyLinked')
  assert.equal((await reopened.linkToConversation('contact', unlinked, unlinked)).status, 'linked')
})
