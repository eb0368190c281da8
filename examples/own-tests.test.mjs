// Tests of a program that uses the emulator: the code under test gets a client, and each test defines the fault.
// Run it with `node --test examples/own-tests.test.mjs`.
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { OmnichannelClient } from 'omnichannel-link'
import { startEmulator } from 'omnichannel-link-emulator'

const conversation = 'b7397aae-ecf8-43a6-aeb0-07d294efb494'

/** The code under test: links a case by its ticket number, and returns the text for the agent. */
async function attach(client, ticketnumber) {
  try {
    const { recordId } = await client.findRecord('incident', { ticketnumber })
    const { status } = await client.linkToConversation('incident', recordId, conversation, { ifLinked: 'reject' })
    return status
  } catch ({ code, isRetryable }) {
    return isRetryable ? 'try again' : code === 'RECORD_NOT_FOUND' ? 'no such case' : code
  }
}

let emulator, client
before(async () => {
  emulator = await startEmulator({ seed: fileURLToPath(new URL('data', import.meta.url)) })
})
// Every test starts with the same rows, no faults, an empty log, and a client without cached rows or tokens.
beforeEach(async () => {
  await emulator.reset()
  const { url, credential } = emulator
  client = new OmnichannelClient({ dataverse: { url, credential, retryOptions: { retryDelayInMs: 1, maxRetryDelayInMs: 5 } } })
})
afterEach(() => client.close())
after(() => emulator.close())

const patches = async () => (await emulator.requests()).filter(({ method }) => method === 'PATCH')

test('a case is linked, once', async () => {
  assert.equal(await attach(client, 'CAS-01001-D8X4'), 'linked')
  assert.equal(await attach(client, 'CAS-01001-D8X4'), 'alreadyLinked')
  assert.equal((await client.getConversation(conversation)).case.name, 'Coffee machine leaks after descaling')
  assert.equal((await patches()).length, 1)
})

test('another case is not overwritten', async () => {
  await attach(client, 'CAS-01002-J9D6E4')
  assert.equal(await attach(client, 'CAS-01001-D8X4'), 'OCCUPIED')
})

test('an unknown ticket number is reported', async () => {
  assert.equal(await attach(client, 'CAS-00000'), 'no such case')
})

test('a lost response does no harm', async () => {
  await emulator.faults.add({ on: { method: 'PATCH' }, fault: { kind: 'drop', commit: true } })
  assert.equal(await attach(client, 'CAS-01001-D8X4'), 'linked')
  assert.equal((await patches()).length, 1)
})

test('an outage is reported as temporary', async () => {
  await emulator.faults.add({ times: 'always', fault: { kind: 'status', status: 503 } })
  assert.equal(await attach(client, 'CAS-01001-D8X4'), 'try again')
})

test('a missing privilege is named', async () => {
  await emulator.faults.conditions({ missingPrivileges: ['prvAppendActivity'] })
  assert.equal(await attach(client, 'CAS-01001-D8X4'), 'FORBIDDEN')
})
