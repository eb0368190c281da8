// Events: their content, their time, and listeners that throw.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { LinkError } from 'omnichannel-link'
import { Events } from '../lib/events.js'
import { start } from './support/child.mjs'
import { folder } from './support/afterwards.mjs'
import { rejects, throws } from './support/expect.mjs'
import { account, closedConversation, contact, conversation, emptyConversation, incident, missingId, numbered } from './support/sample.mjs'
import { client, emptyEmbedded, stores } from './support/stores.mjs'
import { arrival, serve } from './support/server.mjs'

/** The properties of the addon's client. */
const native = { note: () => null, store: () => 'embedded' }
const NAMES = ['linked', 'replaced', 'unlinked', 'failed', 'focus']

/** All events of a client from now on, as `[name, event]`. */
function heard(client) {
  const events = []
  for (const name of NAMES) client.on(name, event => events.push([name, event]))
  return events
}

for (const [store, open] of Object.entries(stores)) {
  describe(store, () => {
    test('each change has one event with before and after; calls without a change have none', { timeout: 60_000 }, async t => {
      const { client } = await open(t)
      const events = heard(client)
      const linked = await client.linkToConversation('incident', incident.recordId, conversation)
      assert.equal((await client.linkToConversation('incident', incident.recordId, conversation)).status, 'alreadyLinked')
      const replaced = await client.linkToConversation('contact', contact.recordId, conversation.toUpperCase())
      const unlinked = await client.unlinkFromConversation('incident', incident.recordId, conversation)
      assert.deepEqual(events, [
        ['linked', { conversationId: conversation, before: null, after: incident, outcome: linked }],
        ['replaced', { conversationId: conversation, before: account, after: contact, outcome: replaced }],
        ['unlinked', { conversationId: conversation, before: incident, after: null, outcome: unlinked }]
      ])
    })

    test('each failure has one event with the error that the call rejects with', { timeout: 60_000 }, async t => {
      const { client } = await open(t)
      const events = heard(client)
      const errors = [
        [
          'linkToConversation',
          await rejects(client.linkToConversation('incident', incident.recordId, closedConversation), 'CONVERSATION_NOT_ACTIVE')
        ],
        ['linkToConversation', await rejects(client.linkToConversation('lead', incident.recordId, conversation), 'INVALID_ARGUMENT')],
        [
          'linkToConversation',
          await rejects(client.linkToConversation('contact', missingId, conversation, { signal: 5 }), 'INVALID_ARGUMENT')
        ],
        [
          'linkToConversation',
          await rejects(client.linkToConversation('contact', missingId, conversation, { dryRun: 'yes' }), 'INVALID_ARGUMENT')
        ],
        ['unlinkFromConversation', await rejects(client.unlinkFromConversation('contact', contact.recordId, conversation), 'NOT_LINKED')]
      ]
      assert.deepEqual(
        events.map(([name]) => name),
        Array(errors.length).fill('failed')
      )
      for (const [at, [method, error]] of errors.entries()) {
        assert.equal(events[at][1].method, method)
        assert.equal(events[at][1].error, error)
        assert.equal(events[at][1].conversationId, at === 0 ? closedConversation : conversation)
      }
    })
  })
}

test('a dry run has no event, however it ends', { timeout: 60_000 }, async t => {
  const { client } = await stores.embedded(t)
  const events = heard(client)
  const dry = { dryRun: true }
  assert.equal((await client.linkToConversation('contact', contact.recordId, conversation, dry)).status, 'replaced')
  await rejects(client.linkToConversation('contact', contact.recordId, closedConversation, dry), 'CONVERSATION_NOT_ACTIVE')
  await rejects(client.linkToConversation('lead', contact.recordId, conversation, dry), 'INVALID_ARGUMENT')
  await rejects(client.unlinkFromConversation('contact', contact.recordId, conversation, dry), 'NOT_LINKED')
  assert.deepEqual(events, [])
})

test('a listener that changes its event does not change the outcome of the call', { timeout: 60_000 }, async t => {
  const { client } = await stores.embedded(t)
  client.on('replaced', event => {
    event.outcome.status = 'kept'
    event.before.recordId = event.after.recordId = event.outcome.record.recordId = event.outcome.previous.recordId = missingId
  })
  const { status, record, previous } = await client.linkToConversation('contact', contact.recordId, conversation)
  assert.deepEqual({ status, record, previous }, { status: 'replaced', record: contact, previous: account })
})

test('outcomes without a change have no event', () => {
  const events = new Events(native)
  const told = []
  for (const name of NAMES) events.change('on', name, () => told.push(name))
  const outcome = { conversationId: conversation, record: contact, previous: null }
  for (const status of ['linked', 'replaced', 'unlinked']) events.outcome({ ...outcome, status, dryRun: true })
  for (const status of ['alreadyLinked', 'kept']) events.outcome({ ...outcome, status })
  assert.deepEqual(told, [])
  events.outcome({ ...outcome, status: 'linked' })
  assert.deepEqual(told, ['linked'])
})

test('an aborted call has no event', { timeout: 60_000 }, async t => {
  const server = await serve(t)
  const store = client(t, { dataverse: server.dataverse })
  const events = heard(store)
  const call = signal => store.linkToConversation('contact', contact.recordId, conversation, { signal })
  // With any reason.
  const reasons = [
    new Error('before'),
    LinkError.fromJSON({ code: 'TIMEOUT', message: 'before', isRetryable: true, maybeApplied: false }),
    'before',
    undefined
  ]
  for (const reason of reasons) await assert.rejects(call(AbortSignal.abort(reason)))
  const controller = new AbortController()
  const arrived = arrival(server.server, 'GET')
  const pending = call(controller.signal)
  await arrived
  controller.abort(new Error('meanwhile'))
  await assert.rejects(pending, /meanwhile/)
  assert.deepEqual(events, [])
  // A call that failed for another reason was not cancelled.
  const { signal } = new AbortController()
  const refused = store.linkToConversation('lead', contact.recordId, conversation, { signal: AbortSignal.abort('before') })
  await rejects(refused, 'INVALID_ARGUMENT')
  await rejects(store.linkToConversation('lead', contact.recordId, conversation, { signal }), 'INVALID_ARGUMENT')
  assert.deepEqual(
    events.map(([name]) => name),
    ['failed', 'failed']
  )
})

test('listeners run before the awaiting code continues', { timeout: 60_000 }, async t => {
  const { client } = await stores.embedded(t)
  const order = []
  client.on('linked', () => order.push('linked'))
  client.on('failed', () => order.push('failed'))
  const link = id =>
    client.linkToConversation('incident', incident.recordId, id).then(
      () => order.push('resolved'),
      () => order.push('rejected')
    )
  await link(conversation)
  await link(missingId)
  assert.deepEqual(order, ['linked', 'resolved', 'failed', 'rejected'])
})

test('a listener added during a call gets the conversation of the call', { timeout: 60_000 }, async t => {
  const { client } = await stores.embedded(t)
  const heard = []
  client.openConversation(closedConversation)
  const calls = [
    client.linkToConversation('contact', contact.recordId, `{${missingId.toUpperCase()}}`),
    client.linkToConversation('contact', contact.recordId)
  ]
  client.closeConversation(closedConversation)
  client.on('failed', ({ conversationId, error }) => heard.push([conversationId, error.code]))
  await Promise.allSettled(calls)
  // Calls on different conversations are not ordered.
  assert.deepEqual(heard.toSorted(), [
    [missingId, 'CONVERSATION_NOT_FOUND'],
    [closedConversation, 'CONVERSATION_NOT_ACTIVE']
  ])
})

test('focus events report every change of focus, before the method returns', t => {
  const { client } = emptyEmbedded(t)
  const [one, two] = [numbered(1), numbered(2)]
  const moves = []
  client.on('focus', ({ conversationId, previous }) => moves.push([previous, conversationId]))
  client.openConversation(`{${one.toUpperCase()}}`)
  assert.deepEqual(moves, [[null, one]])
  client.openConversation(one)
  client.openConversation(two)
  client.focusConversation(one)
  client.focusConversation(one)
  client.closeConversation(two)
  throws(() => client.focusConversation(two), 'INVALID_ARGUMENT')
  throws(() => client.openConversation('x'), 'INVALID_ARGUMENT')
  client.closeConversation(one)
  client.closeConversation(one)
  assert.deepEqual(moves, [
    [null, one],
    [one, two],
    [two, one],
    [one, null]
  ])
})

test('a listener may move the focus, and every listener gets the changes in order', t => {
  const { client } = emptyEmbedded(t)
  const [one, two, three] = [numbered(1), numbered(2), numbered(3)]
  const moves = []
  const heard = name => client.on('focus', ({ conversationId, previous }) => moves.push([name, previous, conversationId]))
  heard('first')
  client.once('focus', () => {
    client.openConversation(two)
    client.openConversation(three)
    assert.equal(client.getConversationId(), three)
  })
  heard('last')
  client.openConversation(one)
  const expected = [
    [null, one],
    [one, two],
    [two, three]
  ]
  assert.deepEqual(
    moves,
    expected.flatMap(move => [
      ['first', ...move],
      ['last', ...move]
    ])
  )
  moves.length = 0
  client.closeConversation(three)
  assert.deepEqual(moves, [
    ['first', three, two],
    ['last', three, two]
  ])
})

test('once listens once, off removes a listener, and clients do not share events', t => {
  const [{ client }, { client: other }] = [emptyEmbedded(t), emptyEmbedded(t)]
  const calls = []
  const [first, second] = ['first', 'second'].map(name => () => calls.push(name))
  assert.equal(
    client
      .once('focus', first)
      .on('focus', second)
      .on('focus', second)
      .off('focus', () => {}),
    client
  )
  client.openConversation(numbered(1))
  client.off('focus', second)
  client.openConversation(numbered(2))
  other.openConversation(numbered(3))
  client.off('focus', second).once('focus', first).off('focus', first)
  client.openConversation(numbered(4))
  assert.deepEqual(calls, ['first', 'second', 'second', 'second'])
})

test('any number of listeners causes no warning of Node', { timeout: 60_000 }, async t => {
  const { ended } = start(
    t,
    `
    const client = new link.OmnichannelClient({ embedded: { path: 'links.db' } })
    for (let number = 0; number < 50; number++) client.on('linked', () => {})`,
    { cwd: folder(t) }
  )
  assert.deepEqual(await ended, { code: 0, signal: null, stdout: '', stderr: '' })
})

test('invalid names and listeners are rejected', t => {
  const { client } = emptyEmbedded(t)
  for (const method of ['on', 'once', 'off']) {
    for (const name of ['link', 'error', '', undefined, Symbol('linked'), '__proto__']) {
      throws(() => client[method](name, () => {}), 'INVALID_ARGUMENT', /`event`.*linked, replaced, unlinked, failed, focus/)
    }
    for (const listener of [undefined, null, 'f', {}]) throws(() => client[method]('linked', listener), 'INVALID_ARGUMENT', /`listener`/)
  }
})

test('an error of a listener is an uncaught exception; other listeners and the call continue', { timeout: 60_000 }, async t => {
  const { ended } = start(
    t,
    `
    const client = new link.OmnichannelClient({ embedded: { path: 'links.db' } })
    process.on('uncaughtException', error => console.log('uncaught', error.message))
    client.on('focus', () => { throw new Error('one') })
    client.once('focus', () => { throw new Error('two') })
    client.on('focus', () => console.log('three'))
    client.on('failed', () => { throw new Error('four') })
    client.openConversation(id)
    client.closeConversation(id)
    client.linkToConversation('contact', id, id).catch(({ code }) => console.log(code))`,
    { cwd: folder(t), id: numbered(1) }
  )
  const { code, stdout } = await ended
  assert.deepEqual(stdout.trim().split('\n'), [
    'three',
    'three',
    'uncaught one',
    'uncaught two',
    'uncaught one',
    'CONVERSATION_NOT_FOUND',
    'uncaught four'
  ])
  assert.equal(code, 0)
})

test('without a handler it ends the program like any other exception', { timeout: 60_000 }, async t => {
  const { child, ended } = start(
    t,
    `
    const client = new link.OmnichannelClient({ embedded: { path: 'links.db' } })
    client.on('focus', () => { throw new Error('mine') }).openConversation(id)`,
    { cwd: folder(t), id: numbered(1) }
  )
  await once(child, 'exit')
  const { code, stderr } = await ended
  assert.equal(code, 1)
  assert.match(stderr, /Error: mine/)
})

test('a listener that is added while a call without options is in flight gets its conversation', { timeout: 60_000 }, async t => {
  const { client } = emptyEmbedded(t)
  const seen = []
  const calls = [
    () => client.linkToConversation('account', 'x', `{${conversation.toUpperCase()}}`),
    () => client.unlinkFromConversation('account', account.recordId, 'y'),
    () => client.linkToConversation('account', account.recordId, conversation)
  ]
  for (const call of calls) {
    const pending = call()
    client.once('failed', ({ conversationId, error }) => seen.push([conversationId, error.code]))
    await pending.catch(() => {})
  }
  await client.close()
  const closed = client.linkToConversation('account', account.recordId, conversation)
  client.once('failed', ({ conversationId, error }) => seen.push([conversationId, error.code]))
  await closed.catch(() => {})
  assert.deepEqual(seen, [
    [conversation, 'INVALID_ARGUMENT'],
    ['y', 'INVALID_ARGUMENT'],
    [conversation, 'CONVERSATION_NOT_FOUND'],
    [conversation, 'CLOSED']
  ])
})

test('calls with and without options settle in the order of the calls', { timeout: 60_000 }, async t => {
  const { client } = await stores.embedded(t)
  const settled = []
  const records = [account, contact]
  const calls = Array.from({ length: 20 }, (_, at) => {
    const { entityLogicalName, recordId } = records[at % 2]
    const options = at % 3 === 0 ? [{}] : []
    return client.linkToConversation(entityLogicalName, recordId, emptyConversation, ...options).then(() => settled.push(at))
  })
  await Promise.all(calls)
  assert.deepEqual(
    settled,
    settled.toSorted((a, b) => a - b)
  )
})
