// Lists of links and unlinks: how their calls cross into the addon.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { LinkError, OmnichannelClient } from 'omnichannel-link'
import { bulk } from '../lib/bulk.js'
import { SHAPES } from '../lib/options.js'
import { folder } from './support/afterwards.mjs'
import { contact, conversation, numbered } from './support/sample.mjs'
import { stores } from './support/stores.mjs'

/** The properties of the addon's client. */
const native = { implicitStoreHint: () => null, store: () => 'embedded' }
const WINDOW = 256
const request = (record, conversationId) => ({ ...record, conversationId })
const requests = count => Array.from({ length: count }, (_, number) => request(contact, numbered(number)))

async function all(results) {
  const taken = []
  for await (const result of results) taken.push(result)
  return taken
}

/** Runs all pending tasks. */
const settle = () => new Promise(resolve => setImmediate(resolve))

/** A bulk whose calls cross in chunks. `crossed` lists the chunks, `ends` resolves with the ends of these requests. */
function crossing(list) {
  const crossed = []
  const singles = []
  let tell
  const events = []
  const chunks = {
    add: (first, targets) => crossed.push([first, targets.match(/.{73}/g)]),
    ends: () => new Promise(resolve => (tell = resolve)),
    cancel() {}
  }
  const ends = numbers => tell(numbers.map(linked).join(''))
  const fail = (number, error) => tell([end(number, '!'), error])
  const results = bulk(native, list, undefined, {
    shape: SHAPES.linkMany,
    start: () => chunks,
    call: async (...[, , conversationId]) => {
      singles.push([conversationId, crossed.length])
      return { status: 'linked', conversationId }
    },
    succeeded: outcome => (events.push(outcome), outcome),
    failed: (error, conversationId) => events.push([error, conversationId])
  })
  return { crossed, singles, events, ends, fail, results }
}
/** One end, in the form of src/node/bulk.rs. */
const end = (number, text) => (String.fromCharCode(number % WINDOW) + text).padEnd(150, '\0')

const linked = number => end(number, `lenc${numbered(number)}${contact.recordId}${numbered(7)}`)

const range = (from, to) => Array.from({ length: to - from }, (_, at) => from + at)

test('requests cross in chunks, and their ends come back in any order', { timeout: 60_000 }, async () => {
  const { crossed, events, ends, results } = crossing(requests(600))
  const taken = all(results)
  await settle()
  assert.deepEqual(
    crossed.map(([first, targets]) => [first, targets.length]),
    [0, 64, 128, 192].map(first => [first, 64])
  )
  assert.equal(crossed[1][1][0], `c${contact.recordId}${numbered(64)}`)
  ends(range(1, WINDOW).toReversed())
  await settle()
  assert.equal(events.length, WINDOW - 1)
  assert.equal(crossed.length, 4, 'it was read further although the first call is pending')
  for (const numbers of [[0], range(WINDOW, 2 * WINDOW), range(2 * WINDOW, 600)]) {
    ends(numbers)
    await settle()
  }
  const outcomes = (await taken).map(({ outcome }) => outcome.conversationId)
  assert.deepEqual(outcomes, range(0, 600).map(numbered))
  assert.deepEqual(crossed[4][0], 0, 'the places were not used again')
})

test('a request that cannot cross in a chunk is called on its own, after those before it', { timeout: 60_000 }, async () => {
  const braces = request({ ...contact, recordId: `{${contact.recordId}}` }, numbered(2))
  const list = [...requests(2), braces, null, request(contact, numbered(4))]
  const { crossed, singles, events, ends, fail, results } = crossing(list)
  const taken = all(results)
  await settle()
  assert.deepEqual(singles, [[numbered(2), 1]])
  assert.deepEqual(
    crossed.map(([first, targets]) => [first, targets.length]),
    [
      [0, 2],
      [4, 1]
    ]
  )
  ends([4, 0])
  await settle()
  const raw = Object.assign(new Error('held'), { code: 'CONFLICT', maybeApplied: true, conversationId: numbered(1) })
  fail(1, raw)
  const [first, second, third, fourth, fifth] = await taken
  assert.deepEqual(
    [first, third, fifth].map(({ outcome }) => outcome.status),
    Array(3).fill('linked')
  )
  assert.ok(second.error instanceof LinkError)
  assert.deepEqual([second.error.code, second.error.maybeApplied, fourth.error.code], ['CONFLICT', true, 'INVALID_ARGUMENT'])
  assert.deepEqual(events.filter(Array.isArray), [
    [fourth.error, null],
    [second.error, numbered(1)]
  ])
})

test('a class that overrides linkToConversation makes the calls of a list', { timeout: 60_000 }, async t => {
  const made = []
  class Client extends OmnichannelClient {
    linkToConversation(...target) {
      made.push(target[2])
      return super.linkToConversation(...target)
    }
  }
  const client = new Client({ embedded: { path: join(folder(t), 'links.db') } })
  const results = await all(client.linkMany(requests(3)))
  assert.deepEqual(made, range(0, 3).map(numbered))
  assert.deepEqual(
    results.map(({ error }) => error.code),
    Array(3).fill('CONVERSATION_NOT_FOUND')
  )
  await client.close()
})

for (const [store, open] of Object.entries(stores)) {
  test(`a malformed id of the right length fails its own request only: ${store}`, { timeout: 60_000 }, async t => {
    const { client, read } = await open(t)
    const hex = contact.recordId.slice(1)
    // Cut to a byte, the first character is the digit 0.
    const wrong = ['İ', 'g'].map(digit => digit + hex)
    const list = [request(contact, conversation), ...wrong.map(recordId => request({ ...contact, recordId }, conversation))]
    const results = await all(client.linkMany([...list, request(contact, conversation)]))
    const seen = results.map(({ outcome, error }) => outcome?.status ?? `${error.code} ${error.argument}`)
    assert.deepEqual(seen, ['replaced', ...wrong.map(() => 'INVALID_ARGUMENT recordId'), 'alreadyLinked'])
    for (const [at, id] of wrong.entries()) assert.ok(results[at + 1].error.message.includes(id), results[at + 1].error.message)
    assert.deepEqual((await read(conversation)).customer, contact)
  })
}
