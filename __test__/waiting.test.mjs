// Waiting for a conversation: when it reads, which conversation it takes, and what ends it. The test controls the time.
import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { describe, test } from 'node:test'
import { LinkError } from 'omnichannel-link'
import { waitForConversation } from '../lib/waiting.js'
import { rejects } from './support/expect.mjs'
import { account, contact, conversation, emptyConversation, numbered } from './support/sample.mjs'
import { arrival, json, serve } from './support/server.mjs'
import { client, emptyEmbedded, stores } from './support/stores.mjs'

/** The properties of the addon's client. */
const native = { implicitStoreHint: () => null, store: () => 'embedded' }
const agentId = numbered(0xa)
const one = { conversationId: conversation, agentId }
const two = { conversationId: emptyConversation, agentId: numbered(0xb) }
const failure = (code, isRetryable) => LinkError.fromJSON({ code, message: 'a look failed', isRetryable, maybeApplied: false })

/** No read takes too long. */
const never = () => () => {}

/** Waits with prepared results: for each read the conversations, or an error. The last one repeats. `looks` lists times and queries. */
function wait(answers, options, random = () => 0.5, addon = native) {
  const looks = []
  let time = 0
  const next = question => {
    looks.push([time, question])
    const answer = answers[Math.min(looks.length, answers.length) - 1]
    if (answer instanceof Error) throw answer
    return typeof answer === 'function' ? answer() : answer
  }
  const client = {
    async *getConversations(query) {
      yield* next(query)
    }
  }
  const sleep = async (ms, signal) => {
    signal?.throwIfAborted()
    time += ms
  }
  const found = waitForConversation(addon, client, options, { now: () => time, random, sleep, after: never })
  return { found, looks, times: () => looks.map(([at]) => Math.round(at)) }
}

test('it reads at once, then with growing pauses of up to five seconds', async () => {
  const { found, times } = wait([[], [], [], [], [], [], [], [one]])
  assert.equal(await found, one)
  assert.deepEqual(times(), [0, 1000, 2500, 4750, 8125, 13_125, 18_125, 23_125])
})

test('clients that begin together drift apart', async () => {
  for (const [random, first] of [
    [0, 800],
    [1, 1200]
  ]) {
    const { found, times } = wait([[], [one]], {}, () => random)
    await found
    assert.deepEqual(times(), [0, first])
  }
})

const asked = async options => {
  const { found, looks } = wait([[one]], options)
  assert.equal(await found, one)
  const { signal: _, ...question } = looks[0][1]
  return { ...question, ...(question.record && { record: { ...question.record } }) }
}

test('the query for each criterion', async () => {
  const basics = { statuses: ['active'], timeoutInMs: 60_000, top: 10 }
  assert.deepEqual(await asked(undefined), basics)
  assert.deepEqual(await asked({ agentId, statuses: ['open'], timeoutInMs: 5000 }), {
    ...basics,
    agentId,
    statuses: ['open'],
    timeoutInMs: 5000
  })
  assert.deepEqual(await asked({ record: contact, agentId: undefined }), { ...basics, record: contact })
  assert.deepEqual(await asked({ record: contact, agentId }), { ...basics, record: contact, agentId })
  const reading = { callerObjectId: numbered(1), traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' }
  assert.deepEqual(await asked(reading), { ...basics, ...reading })
})

test('conversations without a date or created earlier are ignored', async () => {
  const old = { ...one, createdOn: '2026-03-01T07:59:59Z' }
  const fresh = { ...one, createdOn: '2026-03-01T08:00:00Z' }
  const undated = { ...one, createdOn: null }
  // The store rounds dates to seconds.
  const createdAfter = new Date('2026-03-01T08:00:00.999Z')
  const { found, looks } = wait(
    [
      [old, undated],
      [fresh, old, old]
    ],
    { createdAfter }
  )
  assert.equal(await found, fresh)
  assert.deepEqual(
    looks.map(([, question]) => [question.top, 'createdAfter' in question]),
    [
      [10, false],
      [10, false]
    ]
  )
  await rejects(wait([[fresh, fresh, old]], { createdAfter }).found, 'AMBIGUOUS', undefined, { candidates: [fresh, fresh] })
  assert.equal(await wait([[undated]]).found, undated)
  // It keeps its original value.
  const movable = new Date(createdAfter)
  const moved = wait([[old], [old], [fresh]], { createdAfter: movable })
  movable.setTime(0)
  assert.equal(await moved.found, fresh)
})

test('several are AMBIGUOUS at once, and the candidates survive JSON', async () => {
  const { found, looks } = wait([[], [one, two]])
  const error = await rejects(found, 'AMBIGUOUS', new RegExp(`${conversation}, ${emptyConversation}\\.`), {
    candidates: [one, two],
    isRetryable: false
  })
  assert.equal(looks.length, 2)
  assert.deepEqual(LinkError.fromJSON(structuredClone(error.toJSON())).candidates, [one, two])
})

test('none until the deadline is TIMEOUT, after a last read', async () => {
  const { found, looks, times } = wait([[]], { timeoutInMs: 3000 })
  await rejects(found, 'TIMEOUT', /within 3000 ms\./, { isRetryable: true, cause: undefined })
  assert.deepEqual(times(), [0, 1000, 2500, 3000])
  assert.deepEqual(
    looks.map(([, { timeoutInMs }]) => timeoutInMs),
    [3000, 2000, 1000, 1000]
  )
})

test('no pause is negative, although time goes on between two reads of it', async () => {
  for (let timeoutInMs = 1; timeoutInMs < 10; timeoutInMs++) {
    const pauses = []
    let time = 0
    const sleep = async ms => pauses.push(ms)
    const client = {
      async *getConversations() {
        // Empty.
      }
    }
    const system = { now: () => time++, random: () => 0.5, sleep, after: never }
    await rejects(waitForConversation(native, client, { timeoutInMs }, system), 'TIMEOUT')
    assert.ok(
      pauses.every(ms => ms > 0),
      pauses.join()
    )
  }
})

test('its errors name the store, and the default client explains its choice', async () => {
  const unconfigured = { implicitStoreHint: () => 'Nobody configured it.', store: () => 'embedded' }
  for (const [store, hint] of [
    [native, undefined],
    [unconfigured, /Nobody configured it\.$/]
  ]) {
    for (const [answers, options, code] of [
      [[[one, two]], {}, 'AMBIGUOUS'],
      [[[]], { timeoutInMs: 5 }, 'TIMEOUT'],
      [[], { pollInMs: 5 }, 'INVALID_ARGUMENT']
    ]) {
      const error = await rejects(wait(answers, options, undefined, store).found, code, undefined, { store: 'embedded' })
      if (hint) assert.match(error.hint, hint)
    }
  }
})

test('a failed read is retried if it is retryable, and becomes the cause of a timeout', async () => {
  const unavailable = failure('UNAVAILABLE', true)
  assert.equal(await wait([unavailable, [one]]).found, one)
  const { found } = wait([[], unavailable], { timeoutInMs: 3000 })
  await rejects(found, 'TIMEOUT', /the last poll failed/, { cause: unavailable })
  await rejects(wait([unavailable, []], { timeoutInMs: 3000 }).found, 'TIMEOUT', undefined, { cause: undefined })
  const { found: refused, looks } = wait([failure('FORBIDDEN', false)])
  await rejects(refused, 'FORBIDDEN')
  assert.equal(looks.length, 1)
})

test('a signal ends it, before and while it sleeps', async t => {
  const reason = new Error('enough')
  const before = wait([[one]], { signal: AbortSignal.abort(reason) })
  await assert.rejects(before.found, error => error === reason)
  assert.equal(before.looks.length, 0)
  const { client } = emptyEmbedded(t)
  const controller = new AbortController()
  const pending = client.waitForConversation({ signal: controller.signal })
  setImmediate(() => controller.abort(reason))
  await assert.rejects(pending, error => error === reason)
})

test('a read ends at the deadline, however many pages it has', { timeout: 60_000 }, async t => {
  const reason = new Error('enough')
  for (const options of [{}, { record: contact }]) {
    const asked = []
    // Each page is empty and has a next page.
    const pages = await serve(t, (request, response) => {
      asked.push(request)
      if (asked.length === 5) timeIsUp()
      const next = `http://${request.headers.host}/api/data/v9.2/msdyn_ocliveworkitems?$skiptoken=${asked.length}`
      setImmediate(() => json(response, 200, { value: [], '@odata.nextLink': next }))
    })
    let [timeIsUp, time, isOff] = [undefined, 0, false]
    const system = {
      now: () => time,
      after: (ms, call) => {
        timeIsUp = () => {
          time += ms
          call()
        }
        return () => (isOff = true)
      }
    }
    const remote = client(t, { dataverse: pages.dataverse })
    const error = await rejects(
      waitForConversation(native, remote, { ...options, timeoutInMs: 4000 }, system),
      'TIMEOUT',
      /within 4000 ms, and the last poll failed/
    )
    assert.match(error.cause.message, /4000 ms/)
    assert.ok(isOff)
    const controller = new AbortController()
    timeIsUp = undefined
    const pending = waitForConversation(native, remote, { ...options, signal: controller.signal }, { ...system, after: never })
    await arrival(pages.server, 'GET')
    controller.abort(reason)
    await assert.rejects(pending, error => error === reason)
  }
})

test('the reason of a signal may be a retryable error', async () => {
  const reason = failure('TIMEOUT', true)
  const controller = new AbortController()
  const answers = [
    [],
    () => {
      controller.abort(reason)
      throw reason
    }
  ]
  await assert.rejects(wait(answers, { signal: controller.signal, timeoutInMs: 500 }).found, error => error === reason)
})

test('many waits may share one signal, which keeps no reference to them', { timeout: 60_000 }, async t => {
  const { client } = emptyEmbedded(t)
  const warnings = []
  const warned = warning => warnings.push(warning.message)
  process.on('warning', warned)
  t.after(() => process.off('warning', warned))
  const controller = new AbortController()
  const pending = Array.from({ length: 20 }, () => client.waitForConversation({ signal: controller.signal }))
  await client.getConversations().next()
  setImmediate(() => controller.abort('enough'))
  for (const { reason } of await Promise.allSettled(pending)) assert.equal(reason, 'enough')
  assert.deepEqual(getEventListeners(controller.signal, 'abort'), [])
  assert.deepEqual(warnings, [])
})

test('invalid options are rejected', async t => {
  const { client } = emptyEmbedded(t)
  const wrong = [
    [5, /`options`/],
    [[], /`options`/],
    [{ agent: agentId }, /`options.agent`/],
    [{ agentId: 'x' }, /`options.agentId`/],
    [{ agentId: `{${agentId}` }, /agentId/],
    [{ agentId: null }, /agentId/],
    [{ statuses: null }, /statuses/],
    [{ agentId: [agentId] }, /agentId/],
    [{ agentId: [agentId], record: contact }, /agentId/],
    [{ agentId: 'x', record: contact }, /agentId/],
    [{ timeoutInMs: 0 }, /timeoutInMs/],
    [{ timeoutInMs: NaN }, /timeoutInMs/],
    [{ timeoutInMs: '5' }, /timeoutInMs/],
    [{ timeoutInMs: 2 ** 31 }, /timeoutInMs/],
    [{ signal: {} }, /signal/],
    [{ statuses: ['done'] }, /statuses/],
    [{ record: { recordId: 'x' } }, /record/],
    [{ record: { ...contact, nmae: 'Ana' } }, /nmae/],
    [{ callerObjectId: 'x' }, /callerObjectId/],
    [{ traceparent: 'x' }, /traceparent/],
    [{ createdAfter: '2026-03-01' }, /createdAfter/],
    [{ createdAfter: Date.now() }, /createdAfter/],
    [{ createdAfter: new Date(NaN) }, /createdAfter/],
    [{ createdAfter: null }, /createdAfter/]
  ]
  for (const [options, message] of wrong) await rejects(client.waitForConversation(options), 'INVALID_ARGUMENT', message)
})

for (const [store, open] of Object.entries(stores)) {
  describe(store, () => {
    test('it finds the conversation of a record, and reports several', { timeout: 60_000 }, async t => {
      const { client } = await open(t)
      await client.linkToConversation('contact', contact.recordId, emptyConversation)
      // A record as reading calls return it.
      const { customer } = await client.getConversation(emptyConversation)
      assert.equal(typeof customer.name, 'string')
      const found = await client.waitForConversation({ record: customer })
      assert.deepEqual([found.conversationId, found.customer.recordId], [emptyConversation, contact.recordId])
      const error = await rejects(client.waitForConversation(), 'AMBIGUOUS', /and maybe more/)
      assert.equal(error.candidates.length, 10)
      await client.linkToConversation('account', account.recordId, emptyConversation)
      await rejects(client.waitForConversation({ record: account }), 'AMBIGUOUS')
    })

    test('older conversations of an agent are ignored', { timeout: 60_000 }, async t => {
      const { client } = await open(t)
      // The newest of the sample data.
      const { value } = await client.getConversations({ statuses: ['active'], top: 1 }).next()
      await rejects(client.waitForConversation({ agentId: value.agentId }), 'AMBIGUOUS')
      const found = await client.waitForConversation({ agentId: value.agentId, createdAfter: new Date(value.createdOn) })
      assert.equal(found.conversationId, value.conversationId)
      await rejects(client.waitForConversation({ createdAfter: new Date(Date.parse(value.createdOn) + 1000), timeoutInMs: 1 }), 'TIMEOUT')
    })

    test('with a record and an agent both must match', { timeout: 60_000 }, async t => {
      const { client } = await open(t)
      const { agentId } = await client.getConversation(conversation)
      await client.linkToConversation('contact', contact.recordId, conversation)
      await client.linkToConversation('contact', contact.recordId, emptyConversation)
      await rejects(client.waitForConversation({ record: contact }), 'AMBIGUOUS')
      const found = await client.waitForConversation({ record: contact, agentId: `{${agentId.toUpperCase()}}` })
      assert.equal(found.conversationId, conversation)
      const other = client.waitForConversation({ record: contact, agentId: numbered(0xc), timeoutInMs: 1 })
      await rejects(other, 'TIMEOUT')
    })
  })
}
