// Impersonation, trace context, and the request ids of both sides.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { OmnichannelClient } from 'omnichannel-link'
import { startEmulator } from 'omnichannel-link-emulator'
import { GUID, rejects, throws } from './support/expect.mjs'

const conversation = 'b7397aae-ecf8-43a6-aeb0-07d294efb494'
const incident = '6b726d86-d37c-43b8-b3a4-c4056ddd2e07'
const agent = 'ca11e400-0000-4000-8000-00000000000a'
const other = 'ca11e400-0000-4000-8000-00000000000b'
const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
let emulator

before(async () => {
  emulator = await startEmulator({ seed: fileURLToPath(new URL('../examples/data', import.meta.url)) })
})
after(() => emulator.close())

async function made(t, options) {
  await emulator.reset()
  const { url, credential } = emulator
  const client = new OmnichannelClient({ dataverse: { url, credential, ...options } })
  t.after(() => client.close())
  return client
}
const sent = async name => (await emulator.requests()).map(({ headers }) => headers[name])

test('a call acts for the user of the client, or for its own', async t => {
  const client = await made(t, { callerObjectId: `{${agent.toUpperCase()}}` })
  await client.linkToConversation('incident', incident, conversation)
  await client.unlinkFromConversation('incident', incident, conversation, { callerObjectId: other })
  assert.deepEqual(await sent('callerobjectid'), [agent, agent, other, other])
})

test('missing permission to act for others is explained', async t => {
  const client = await made(t)
  await emulator.faults.conditions({ unprivilegedCallers: [agent] })
  const call = client.linkToConversation('incident', incident, conversation, { callerObjectId: agent })
  await rejects(call, 'FORBIDDEN', /403/, { serviceCode: '0x80040220', httpStatus: 403 })
})

test('the trace context is passed on', async t => {
  const client = await made(t)
  await client.linkToConversation('incident', incident, conversation, { traceparent })
  await client.unlinkFromConversation('incident', incident, conversation, { traceparent })
  assert.deepEqual(await sent('traceparent'), [traceparent, traceparent, traceparent])
})

test('every request has the id of the call, and every error the ids of both sides', async t => {
  const client = await made(t)
  for (const [call, code] of [
    [() => client.unlinkFromConversation('incident', incident, conversation), 'NOT_LINKED'],
    [() => client.linkToConversation('incident', incident, incident), 'CONVERSATION_NOT_FOUND'],
    [() => client.linkToConversation('incident', conversation, conversation), 'RECORD_NOT_FOUND']
  ]) {
    const { requestId, serviceRequestId } = await rejects(call(), code)
    assert.ok((await sent('x-ms-client-request-id')).includes(requestId))
    assert.match(serviceRequestId, GUID)
    assert.notEqual(serviceRequestId, requestId)
  }
})

for (const [name, value, message] of [
  ['callerObjectId', 'me', /`options\.callerObjectId`: expected a GUID/],
  ['callerObjectId', 5, /`options\.callerObjectId`/],
  ['traceparent', '00-1-2-3', /`options\.traceparent`: expected a W3C traceparent/]
]) {
  test(`${name} ${value} is rejected`, async t => {
    const client = await made(t)
    await rejects(client.linkToConversation('incident', incident, conversation, { [name]: value }), 'INVALID_ARGUMENT', message)
    await rejects(client.unlinkFromConversation('incident', incident, conversation, { [name]: value }), 'INVALID_ARGUMENT', message)
    assert.deepEqual(await emulator.requests(), [])
  })
}

test('a client rejects an invalid user', () => {
  const { url, credential } = emulator
  throws(
    () => new OmnichannelClient({ dataverse: { url, credential, callerObjectId: 'me' } }),
    'INVALID_CONFIGURATION',
    /callerObjectId`: expected a GUID/
  )
})

test('the embedded store rejects impersonation', async t => {
  const client = new OmnichannelClient({ embedded: { path: 'never-made.db' } })
  t.after(() => client.close())
  const call = client.linkToConversation('incident', incident, conversation, { callerObjectId: agent })
  await rejects(call, 'INVALID_ARGUMENT', /`options\.callerObjectId`: impersonation needs a Dataverse client/)
})
