// Lists of links and unlinks: their results and order, how far ahead the list is read, and how it ends.
import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { describe, test } from 'node:test'
import { bulk } from '../lib/bulk.js'
import { SHAPES } from '../lib/options.js'
import { rejects } from './support/expect.mjs'
import { account, closedConversation, contact, conversation, emptyConversation, incident, missingId, numbered } from './support/sample.mjs'
import { emptyEmbedded, stores } from './support/stores.mjs'

/** The properties of the addon's client. */
const native = { note: () => null, store: () => 'embedded' }
const WINDOW = 256
const request = (record, conversationId, more) => ({ ...record, conversationId, ...more })
/** The events that belong to the results. */
const failures = results => results.filter(({ error }) => error).map(({ request, error }) => [true, request?.conversationId ?? null, error])
const sorted = rows => rows.toSorted(([, , one], [, , other]) => one.message.localeCompare(other.message))
const requests = count => Array.from({ length: count }, (_, number) => request(contact, numbered(number)))

async function all(results) {
  const taken = []
  for await (const result of results) taken.push(result)
  return taken
}

for (const [store, open] of Object.entries(stores)) {
  describe(store, () => {
    test('results come in order, each with the request itself and an outcome or an error', { timeout: 60_000 }, async t => {
      const { client, read } = await open(t)
      const unreadable = Object.defineProperty({}, 'recordId', { enumerable: true, get: () => assert.fail('mine') })
      const list = [
        request(incident, conversation, { line: 7 }),
        request(incident, closedConversation),
        request(contact, conversation),
        null,
        'text',
        request({ entityLogicalName: 'lead' }, conversation),
        unreadable,
        request(contact, null),
        request(incident, conversation),
        request(contact, missingId)
      ]
      const results = await all(client.linkMany(list))
      assert.deepEqual(
        results.map(({ outcome, error }) => outcome?.status ?? error.code),
        [
          'linked',
          'CONVERSATION_NOT_ACTIVE',
          'replaced',
          'INVALID_ARGUMENT',
          'INVALID_ARGUMENT',
          'INVALID_ARGUMENT',
          'INVALID_ARGUMENT',
          'INVALID_ARGUMENT',
          'alreadyLinked',
          'CONVERSATION_NOT_FOUND'
        ]
      )
      for (const [at, result] of results.entries()) {
        assert.equal(result.request, list[at])
        assert.deepEqual(Object.keys(result), ['request', 'outcome' in result ? 'outcome' : 'error'])
      }
      assert.deepEqual(await read(conversation), { customer: contact, case: incident })
    })

    test('unlinkMany unlinks the named records, and options apply to every request', { timeout: 60_000 }, async t => {
      const { client, read } = await open(t)
      const linked = await all(client.linkMany(new Set([request(incident, closedConversation)]), { linkableStatuses: ['closed'] }))
      assert.equal(linked[0].outcome.status, 'linked')
      const list = [request(account, conversation), request(account, conversation), request(incident, closedConversation)]
      const results = await all(client.unlinkMany(list))
      assert.deepEqual(
        results.map(({ outcome, error }) => outcome?.status ?? error.code),
        ['unlinked', 'NOT_LINKED', 'unlinked']
      )
      assert.deepEqual(await read(conversation), { customer: null, case: null })
    })

    test('each error has exactly one event, also for malformed requests', { timeout: 60_000 }, async t => {
      const { client } = await open(t)
      const events = []
      client.on('failed', event => events.push(event))
      client.openConversation(conversation)
      await rejects(client.linkMany([], { linkableStatuses: ['done'] }).next(), 'INVALID_ARGUMENT')
      await rejects(client.unlinkMany([], { ifLinked: 'keep' }).next(), 'INVALID_ARGUMENT')
      assert.deepEqual(events, [])
      const list = [
        null,
        contact,
        request({ entityLogicalName: 'lead' }, conversation),
        request(contact, missingId),
        request(incident, conversation)
      ]
      const told = method => events.splice(0).map(event => [event.method === method, event.conversationId, event.error])
      const linked = await all(client.linkMany(list))
      assert.equal(linked.at(-1).outcome.status, 'linked')
      assert.deepEqual(sorted(told('linkToConversation')), sorted(failures(linked)))
      const unlinked = await all(client.unlinkMany(list))
      assert.deepEqual(sorted(told('unlinkFromConversation')), sorted(failures(unlinked)))
      await all(client.linkMany(list, { dryRun: true }))
      assert.deepEqual(events, [])
    })

    test('requests for one conversation take effect in their order', { timeout: 60_000 }, async t => {
      const { client, read } = await open(t)
      const list = Array.from({ length: 301 }, (_, number) => request(number % 2 ? account : contact, emptyConversation))
      const results = await all(client.linkMany(list))
      for (const [at, { outcome }] of results.entries()) assert.deepEqual(outcome.previous, at === 0 ? null : at % 2 ? contact : account)
      assert.deepEqual(await read(emptyConversation), { customer: contact, case: null })
    })
  })
}

/** Makes single calls only. */
const calls = call => ({
  shape: SHAPES.linkMany,
  start: () => ({ add: () => false, cancel() {} }),
  call,
  failed: () => assert.fail('no request is malformed')
})

test('the fields of a request may be getters of its class', { timeout: 60_000 }, async () => {
  class Row {
    get entityLogicalName() {
      return 'contact'
    }
    get recordId() {
      return contact.recordId
    }
    get conversationId() {
      return conversation
    }
  }
  const { begun, results } = staged([new Row()])
  const first = results.next()
  await settle()
  begun[0].resolve()
  assert.equal((await first).value.outcome?.conversationId, conversation)
})

/** A bulk whose calls settle when the test decides. `begun` lists them. */
function staged(list, options, now) {
  const begun = []
  const call = async (entityLogicalName, recordId, conversationId, { signal }) => {
    const { promise, resolve, reject } = withResolvers()
    signal.addEventListener('abort', () => reject(signal.reason))
    begun.push({ conversationId, signal, resolve: () => resolve({ status: 'linked', conversationId }) })
    return await promise
  }
  return { begun, results: bulk(native, list, options, calls(call), now) }
}

function withResolvers() {
  const resolvers = {}
  resolvers.promise = new Promise((resolve, reject) => Object.assign(resolvers, { resolve, reject }))
  return resolvers
}

/** Runs all pending tasks. */
const settle = () => new Promise(resolve => setImmediate(resolve))

/** An endless list that records how far it was read and whether it was closed. */
function endless() {
  const list = { read: 0, isClosed: false }
  list.requests = (function* () {
    try {
      for (;;) yield request(contact, numbered(list.read++))
    } finally {
      list.isClosed = true
    }
  })()
  return list
}

test('the list is read one window ahead of the results', { timeout: 60_000 }, async () => {
  const list = endless()
  const { begun, results } = staged(list.requests)
  await settle()
  assert.equal(list.read, 0)
  const first = results.next()
  await settle()
  assert.deepEqual([list.read, begun.length], [WINDOW, WINDOW])
  for (const { resolve } of begun) resolve()
  await settle()
  assert.equal(list.read, WINDOW + 1, 'it is read further although no result was taken')
  assert.equal((await first).value.outcome.conversationId, numbered(0))
  for (let number = 1; number <= 10; number++) await results.next()
  await settle()
  assert.equal(list.read, WINDOW + 11)
  await results.return()
})

test('leaving early stops reading, closes the list, and aborts pending calls', { timeout: 60_000 }, async () => {
  const list = endless()
  const { begun, results } = staged(list.requests)
  setImmediate(() => begun[0].resolve())
  for await (const { outcome } of results) {
    assert.equal(outcome.status, 'linked')
    break
  }
  assert.equal(list.isClosed, true)
  const { read } = list
  assert.ok(read <= WINDOW + 1)
  assert.ok(begun.slice(1).every(({ signal }) => signal.aborted))
  await settle()
  assert.equal(list.read, read)
  assert.equal((await results.next()).done, true)
})

const done = value => ({ value, done: true })

test('no result comes after an end that was asked for', { timeout: 60_000 }, async t => {
  const { client } = emptyEmbedded(t)
  for (const before of [0, 1, 2]) {
    const results = client.linkMany(requests(10))
    await results.next()
    const taken = Array.from({ length: before }, () => results.next())
    const [ended, after] = [results.return('left'), results.next()]
    assert.deepEqual(
      (await Promise.all(taken)).map(({ value }) => value.request.conversationId),
      Array.from({ length: before }, (_, at) => numbered(at + 1))
    )
    assert.deepEqual([await ended, await after, await results.next()], [done('left'), done(undefined), done(undefined)])
  }
  const results = client.linkMany(requests(10))
  await results.next()
  const [failed, after] = [results.throw(new Error('mine')), results.next()]
  await assert.rejects(failed, /mine/)
  assert.deepEqual(await after, done(undefined))
})

test('leaving early waits for pending calls', { timeout: 60_000 }, async () => {
  let [begun, stopped] = [0, 0]
  const call = async (_entity, _record, conversationId, { signal }) => {
    if (conversationId === numbered(0)) return await settle()
    begun++
    await new Promise(resolve => signal.addEventListener('abort', resolve))
    for (let turn = 0; turn < 3; turn++) await settle()
    stopped++
    throw signal.reason
  }
  for await (const _ of bulk(native, requests(10), undefined, calls(call))) break
  assert.deepEqual([begun, stopped], [9, 9])
})

test('leaving early waits until the list is closed', { timeout: 60_000 }, async () => {
  let isClosed = false
  const { begun, results } = staged(
    (async function* () {
      try {
        yield* requests(WINDOW + 1)
      } finally {
        for (let step = 0; step < 100; step++) await Promise.resolve()
        isClosed = true
      }
    })()
  )
  const first = results.next()
  await settle()
  begun[0].resolve()
  await first
  await results.return()
  assert.equal(isClosed, true)
})

test('a call has ten minutes by default', { timeout: 60_000 }, async () => {
  for (const [options, expected] of [
    [undefined, 600_000],
    [{ timeoutInMs: undefined }, 600_000],
    [{ timeoutInMs: 5 }, 5]
  ]) {
    const given = []
    const call = async (...[, , , { timeoutInMs }]) => given.push(timeoutInMs)
    await all(bulk(native, requests(1), options, calls(call)))
    assert.deepEqual(given, [expected])
  }
})

test('a slow list delays no result and is not awaited at the end', { timeout: 60_000 }, async () => {
  const answers = []
  let closed
  const isClosed = new Promise(resolve => (closed = resolve))
  const slow = (async function* () {
    try {
      for (;;) yield await new Promise(resolve => answers.push(resolve))
    } finally {
      closed()
    }
  })()
  const { begun, results } = staged(slow)
  const first = results.next()
  await settle()
  answers[0](request(contact, numbered(1)))
  await settle()
  begun[0].resolve()
  assert.equal((await first).value.outcome.conversationId, numbered(1))
  await results.return()
  answers[1](request(contact, numbered(2)))
  await isClosed
  assert.equal(begun.length, 1)
})

test('an error of the list comes after the results of all earlier requests', { timeout: 60_000 }, async () => {
  const broken = new Error('line 4 is torn')
  const { begun, results } = staged(
    (function* () {
      yield* requests(3)
      throw broken
    })()
  )
  const first = results.next()
  await settle()
  for (const { resolve } of begun) resolve()
  assert.deepEqual(
    [(await first).value, (await results.next()).value, (await results.next()).value].map(({ outcome }) => outcome.status),
    Array(3).fill('linked')
  )
  await assert.rejects(results.next(), error => error === broken)
})

const silent = { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) }
for (const [what, list] of Object.entries({ 'a pending call': requests(3), 'a list that gives nothing': silent })) {
  test(`a signal ends the wait for ${what}`, { timeout: 60_000 }, async () => {
    const controller = new AbortController()
    const { begun, results } = staged(list, { signal: controller.signal })
    const next = results.next()
    await settle()
    const reason = new Error('enough')
    controller.abort(reason)
    await assert.rejects(next, error => error === reason)
    assert.ok(begun.every(({ signal }) => signal.aborted))
    assert.deepEqual(getEventListeners(controller.signal, 'abort'), [])
  })
}

test('an aborted signal reads nothing', { timeout: 60_000 }, async () => {
  const list = endless()
  const { results } = staged(list.requests, { signal: AbortSignal.abort(new Error('before')) })
  await assert.rejects(results.next(), /before/)
  assert.equal(list.read, 0)
})

test('progress is reported at most five times a second, and at the end', { timeout: 60_000 }, async () => {
  let time = 1000
  const told = []
  const { begun, results } = staged(requests(5), { onProgress: progress => told.push(progress) }, () => time)
  const first = results.next()
  await settle()
  for (const [at, { resolve }] of begun.entries()) {
    time += [0, 199, 1, 100, 99][at]
    resolve()
    await settle()
  }
  assert.deepEqual(told, [{ done: 3, succeeded: 3, failed: 0 }])
  await first
  await all(results)
  assert.deepEqual(told.slice(1), [{ done: 5, succeeded: 5, failed: 0 }])
})

test('progress counts failures and ends when the loop is left', { timeout: 60_000 }, async t => {
  const { client } = emptyEmbedded(t)
  const told = []
  await all(client.linkMany(requests(3), { onProgress: progress => told.push(progress) }))
  assert.deepEqual(told.at(-1), { done: 3, succeeded: 0, failed: 3 })
  let time = 0
  told.length = 0
  const { begun, results } = staged(requests(3), { onProgress: progress => told.push(progress) }, () => (time += 1000))
  const first = results.next()
  await settle()
  begun[0].resolve()
  await first
  await results.return()
  assert.deepEqual(told, [{ done: 1, succeeded: 1, failed: 0 }])
})

test('wrong options are rejected before the list is read', { timeout: 60_000 }, async t => {
  const { client } = emptyEmbedded(t)
  const list = endless()
  const wrong = [
    [{ onProgress: 5 }, /`options.onProgress`/],
    [{ signal: {} }, /`options.signal`/],
    [{ timeoutInMs: 0 }, /timeoutInMs/],
    [{ unknown: 1 }, /unknown/],
    [5, /options/],
    [[], /options/],
    [{ linkableStatuses: ['done'] }, /linkableStatuses/],
    [{ concurrency: 5 }, /concurrency/]
  ]
  for (const [options, message] of wrong) await rejects(client.linkMany(list.requests, options).next(), 'INVALID_ARGUMENT', message)
  await rejects(client.unlinkMany(list.requests, { linkableStatuses: ['closed'] }).next(), 'INVALID_ARGUMENT', /linkableStatuses/)
  assert.equal(list.read, 0)
  for (const junk of [undefined, null, 5, 'text', {}]) await rejects(client.linkMany(junk).next(), 'INVALID_ARGUMENT', /`requests`/)
  for (const options of [undefined, null, {}]) assert.deepEqual(await all(client.linkMany([], options)), [])
})

test('a closed client rejects every request', { timeout: 60_000 }, async t => {
  const { client } = emptyEmbedded(t)
  await client.close()
  assert.deepEqual(
    (await all(client.linkMany(requests(2)))).map(({ error }) => error.code),
    ['CLOSED', 'CLOSED']
  )
})
