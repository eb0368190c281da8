// Cancelling a call, by its signal or its deadline.
import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { existsSync } from 'node:fs'
import { describe, test } from 'node:test'
import { folder } from './support/afterwards.mjs'
import { run } from './support/child.mjs'
import { GUID, rejects } from './support/expect.mjs'
import { account, contact, conversation, conversations, numbered, page } from './support/sample.mjs'
import { arrival, row, serve } from './support/server.mjs'
import { client, emptyEmbedded, emulator, stores } from './support/stores.mjs'

const link = (client, options, id = conversation) => client.linkToConversation('contact', contact.recordId, id, options)
const isSame = reason => error => {
  assert.equal(error, reason)
  return true
}

/** A server that never responds to requests of one method, and a client of it. */
async function hanging(t, method) {
  const server = await serve(t, (request, response) => {
    if (request.method !== method) row(response, conversation)
  })
  return { server, client: client(t, { dataverse: server.dataverse }) }
}

const reasons = {
  'an Error': new Error('changed my mind'),
  'a text': 'changed my mind',
  'a number': 0,
  false: false,
  null: null,
  'an object': { why: 'changed my mind' },
  'a symbol': Symbol('why')
}

for (const [name, reason] of Object.entries(reasons)) {
  test(`the reason may be ${name}, before the call and while it is pending`, { timeout: 60_000 }, async t => {
    const { server, client } = await hanging(t, 'GET')
    await assert.rejects(link(client, { signal: AbortSignal.abort(reason) }), isSame(reason))
    assert.deepEqual(server.requests, [])
    const controller = new AbortController()
    const arrived = arrival(server.server, 'GET')
    const pending = link(client, { signal: controller.signal })
    await arrived
    controller.abort(reason)
    await assert.rejects(pending, isSame(reason))
  })
}

test('without a reason the call rejects with an AbortError', { timeout: 60_000 }, async t => {
  const { client } = await hanging(t, 'GET')
  for (const abort of [controller => controller.abort(), controller => controller.abort(undefined)]) {
    const controller = new AbortController()
    const pending = link(client, { signal: controller.signal })
    abort(controller)
    await assert.rejects(pending, error => error === controller.signal.reason && error.name === 'AbortError')
  }
})

for (const [name, open] of Object.entries({ embedded: emptyEmbedded, dataverse: t => hanging(t, 'GET') })) {
  test(`a signal that is already aborted cancels every method, ${name}`, { timeout: 60_000 }, async t => {
    const { client, path, server } = await open(t)
    const reason = new Error('before')
    const signal = AbortSignal.abort(reason)
    await assert.rejects(link(client, { signal }), isSame(reason))
    await assert.rejects(client.unlinkFromConversation('contact', contact.recordId, conversation, { signal }), isSame(reason))
    if (path) await assert.rejects(client.importRecords(page('accounts'), { signal }), isSame(reason))
    assert.deepEqual(server?.requests ?? [], [])
    assert.equal(path !== undefined && existsSync(path), false)
    assert.deepEqual(getEventListeners(signal, 'abort'), [])
  })
}

for (const method of ['GET', 'PATCH']) {
  test(`aborting a pending ${method} closes its connection`, { timeout: 60_000 }, async t => {
    const { server, client } = await hanging(t, method)
    const controller = new AbortController()
    const arrived = arrival(server.server, method)
    const pending = link(client, { signal: controller.signal })
    const { left } = await arrived
    const reason = new Error('enough')
    controller.abort(reason)
    await assert.rejects(pending, isSame(reason))
    await left
    assert.deepEqual(server.requests, method === 'GET' ? ['GET'] : ['GET', 'PATCH'], 'it was sent again')
  })
}

test('a deadline during the GET is TIMEOUT without maybeApplied', { timeout: 60_000 }, async t => {
  const { client } = await hanging(t, 'GET')
  const error = await rejects(link(client, { timeoutInMs: 20 }), 'TIMEOUT', /20 ms/, {
    isRetryable: true,
    maybeApplied: false,
    store: 'dataverse'
  })
  assert.match(error.requestId, GUID)
  assert.match(error.hint, /Raise the timeout/)
})

test('a deadline during the PATCH is TIMEOUT with maybeApplied, and closes the connection', { timeout: 60_000 }, async t => {
  const { server, client } = await hanging(t, 'PATCH')
  let patched
  arrival(server.server, 'PATCH').then(arrived => (patched = arrived))
  // Even on a slow machine one of the deadlines leaves enough time for the read and the write.
  for (let timeoutInMs = 50; ; timeoutInMs *= 2) {
    const error = await rejects(link(client, { timeoutInMs }), 'TIMEOUT')
    if (!patched) continue
    assert.deepEqual([error.maybeApplied, error.isRetryable], [true, true])
    break
  }
  await patched.left
})

test('a call uses the timeout of the client unless it has its own', { timeout: 60_000 }, async t => {
  const { server } = await hanging(t, 'GET')
  const hasty = client(t, { dataverse: server.dataverse, timeoutInMs: 20 })
  await rejects(link(hasty), 'TIMEOUT', /20 ms/)
  await rejects(link(hasty, { timeoutInMs: 30 }), 'TIMEOUT', /30 ms/)
  await rejects(hasty.unlinkFromConversation('contact', contact.recordId, conversation, { timeoutInMs: 30 }), 'TIMEOUT', /30 ms/)
  const patient = client(t, { dataverse: server.dataverse, timeoutInMs: 2 ** 31 - 1 })
  await rejects(link(patient, { timeoutInMs: 0.5 }), 'TIMEOUT')
})

test('the deadline includes the time of the credential', { timeout: 60_000 }, async t => {
  const { server } = await hanging(t, 'GET')
  const waiting = client(t, { dataverse: { url: server.url, credential: () => new Promise(() => {}) } })
  await rejects(link(waiting, { timeoutInMs: 20 }), 'TIMEOUT', undefined, { maybeApplied: false })
  assert.deepEqual(server.requests, [])
})

test('AbortSignal.timeout rejects with a TimeoutError', { timeout: 60_000 }, async t => {
  const { client } = await hanging(t, 'GET')
  const signal = AbortSignal.timeout(20)
  await assert.rejects(link(client, { signal }), error => error === signal.reason && error.name === 'TimeoutError')
})

test('AbortSignal.any aborts with the first reason', { timeout: 60_000 }, async t => {
  const { client } = await hanging(t, 'GET')
  const [one, two] = [new AbortController(), new AbortController()]
  const pending = link(client, { signal: AbortSignal.any([one.signal, two.signal]) })
  two.abort('two')
  one.abort('one')
  await assert.rejects(pending, isSame('two'))
})

test('one signal cancels several calls and no others', { timeout: 60_000 }, async t => {
  const { server, client } = await hanging(t, 'GET')
  const controller = new AbortController()
  const stopped = Array.from({ length: 20 }, (_, number) => link(client, { signal: controller.signal }, numbered(number)))
  const other = new AbortController()
  const kept = link(client, { signal: other.signal })
  await arrival(server.server, 'GET')
  controller.abort('all')
  for (const { reason } of await Promise.allSettled(stopped)) assert.equal(reason, 'all')
  other.abort('kept')
  await assert.rejects(kept, isSame('kept'))
})

test('a cancelled call lets the next one on its conversation proceed', { timeout: 60_000 }, async t => {
  let first = true
  const server = await serve(t, (_, response) => {
    if (!first) row(response, conversation, { customer: contact })
    first = false
  })
  const store = client(t, { dataverse: server.dataverse })
  const controller = new AbortController()
  const arrived = arrival(server.server, 'GET')
  const stopped = link(store, { signal: controller.signal })
  const next = link(store)
  await arrived
  controller.abort('stop')
  await assert.rejects(stopped, isSame('stop'))
  assert.equal((await next).status, 'alreadyLinked')
})

test('aborting after the outcome changes nothing', { timeout: 60_000 }, async t => {
  const { client, read } = await stores.embedded(t)
  const controller = new AbortController()
  const outcome = await link(client, { signal: controller.signal })
  controller.abort()
  assert.equal(outcome.status, 'replaced')
  assert.deepEqual((await read(conversation)).customer, contact)
})

test('a cancelled import changes nothing', { timeout: 60_000 }, async t => {
  const { client } = emptyEmbedded(t)
  const controller = new AbortController()
  const stopped = client.importRecords(conversations(20_000), { signal: controller.signal })
  controller.abort('stop')
  await assert.rejects(stopped, isSame('stop'))
  await rejects(link(client, undefined, numbered(0)), 'CONVERSATION_NOT_FOUND')
  await rejects(client.importRecords(conversations(20_000), { timeoutInMs: 1 }), 'TIMEOUT')
  await rejects(link(client, undefined, numbered(0)), 'CONVERSATION_NOT_FOUND')
})

describe('a long-lived signal', () => {
  test('keeps no reference to the calls', { timeout: 60_000 }, async t => {
    const { client } = emptyEmbedded(t)
    await client.importRecords(conversations(500))
    await client.importRecords(page('contacts', { contactid: contact.recordId }))
    const { signal } = new AbortController()
    const warnings = []
    const warned = warning => warnings.push(warning.message)
    process.on('warning', warned)
    t.after(() => process.off('warning', warned))
    const methods = ['linkToConversation', 'unlinkFromConversation', 'unlinkFromConversation', 'linkToConversation']
    for (const method of methods) {
      const calls = Array.from({ length: 500 }, (_, number) => client[method]('contact', contact.recordId, numbered(number), { signal }))
      assert.ok(getEventListeners(signal, 'abort').length > 0)
      await Promise.allSettled(calls)
      assert.deepEqual(getEventListeners(signal, 'abort'), [])
    }
    assert.deepEqual(warnings, [])
  })

  test('gets no listener from invalid calls', { timeout: 60_000 }, async t => {
    const server = await emulator(t)
    const remote = client(t, { dataverse: { url: server.url, credential: server.credential } })
    const { signal } = new AbortController()
    const focusless = remote.linkToConversation('account', account.recordId, null, { signal })
    await rejects(focusless, 'NO_FOCUSED_CONVERSATION')
    await rejects(remote.linkToConversation('lead', account.recordId, conversation, { signal }), 'INVALID_ARGUMENT')
    await rejects(remote.importRecords(page('accounts'), { signal }), 'INVALID_CONFIGURATION')
    await remote.close()
    await rejects(link(remote, { signal }), 'CLOSED')
    assert.deepEqual(getEventListeners(signal, 'abort'), [])
  })
})

test('a runtime without a class of its own for signals, such as Bun, has the global one', { timeout: 60_000 }, async t => {
  const code = `
    delete require('node:util').transferableAbortController
    const client = new link.OmnichannelClient({ embedded: { path: 'links.db' } })
    const listed = client.getConversations({ signal: AbortSignal.abort('enough') }).next()
    listed.catch(reason => console.log(JSON.stringify(reason)))`
  assert.equal(await run(t, code, { cwd: folder(t) }), 'enough')
})
