// Faults on a real socket, one at a time: the outcome and the row afterwards. Nothing is applied twice,
// no change of another writer is cleared, nothing is misreported.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { OmnichannelClient } from 'omnichannel-link'
import { startEmulator } from 'omnichannel-link-emulator'

const conversation = 'b7397aae-ecf8-43a6-aeb0-07d294efb494'
const incident = '6b726d86-d37c-43b8-b3a4-c4056ddd2e07'
let emulator

before(async () => {
  emulator = await startEmulator({ seed: fileURLToPath(new URL('../examples/data', import.meta.url)) })
})
after(() => emulator.close())

const patch = fault => ({ on: { method: 'PATCH' }, fault })
const get = fault => ({ on: { method: 'GET' }, fault })

/** The record in the case slot, read without the client and without faults. */
async function held() {
  await emulator.faults.clear()
  const answer = await fetch(`${emulator.url}/api/data/v9.2/msdyn_ocliveworkitems(${conversation})?$select=_msdyn_issueid_value`, {
    headers: { authorization: `Bearer ${emulator.credential}` }
  })
  return (await answer.json())._msdyn_issueid_value
}

/**
 * The methods of a link or an unlink by a client without a cached row, and of an unlink by the client that has just linked: its
 * row is cached, so there is no GET. If the response of that one is lost after the commit, another writer may have emptied the slot
 * before the call, so it cannot report `unlinked`.
 */
const cases = {
  nothing: [[], 'GET PATCH', 'PATCH'],
  'a connection dropped before the commit': [[patch({ kind: 'drop' })], 'GET PATCH GET PATCH', 'PATCH GET PATCH'],
  'a connection dropped after the commit': [[patch({ kind: 'drop', commit: true })], 'GET PATCH GET', 'PATCH GET', 'in doubt'],
  'an answer cut short after the commit': [[patch({ kind: 'truncate', afterBytes: 20 })], 'GET PATCH GET', 'PATCH GET', 'in doubt'],
  'a gateway that gave up before the commit': [
    [patch({ kind: 'status', status: 502, body: 'html' })],
    'GET PATCH GET PATCH',
    'PATCH GET PATCH'
  ],
  'a gateway that gave up after the commit': [
    [patch({ kind: 'status', status: 504, body: 'empty', commit: true })],
    'GET PATCH GET',
    'PATCH GET',
    'in doubt'
  ],
  'a 503 to the read after a lost write': [
    [patch({ kind: 'drop', commit: true }), { on: { method: 'GET', nth: 2 }, fault: { kind: 'status', status: 503 } }],
    'GET PATCH GET GET',
    'PATCH GET',
    'in doubt'
  ],
  'a 429 to the write': [[patch({ kind: 'throttle', limit: 'requests', retryAfterInSeconds: 0 })], 'GET PATCH PATCH', 'PATCH PATCH'],
  'a 429 to the read': [[get({ kind: 'throttle', limit: 'concurrency', retryAfterInSeconds: 0 })], 'GET GET PATCH', 'PATCH'],
  'a 200 in a body that trickles': [[patch({ kind: 'trickle' })], 'GET PATCH', 'PATCH'],
  'another writer who changes something else': [
    [patch({ kind: 'writer', when: 'before', changes: { subject: 'Touched' } })],
    'GET PATCH GET PATCH',
    'PATCH GET PATCH'
  ]
}

for (const [what, [faults, fresh, remembered, doubt]] of Object.entries(cases)) {
  test(`link and unlink survive ${what}`, { timeout: 60_000 }, async () => {
    await emulator.reset()
    const { url, credential } = emulator
    const options = { dataverse: { url, credential, retryOptions: { retryDelayInMs: 1 } } }
    const [client, other] = [new OmnichannelClient(options), new OmnichannelClient(options)]
    const verbs = async () => (await emulator.requests()).map(({ method }) => method).join(' ')
    const unlink = async by => {
      const before = await verbs()
      await emulator.faults.add(...faults)
      const unlinked = await by.unlinkFromConversation('incident', incident, conversation).catch(error => error)
      return [unlinked, (await verbs()).slice(before.length + 1)]
    }
    await emulator.faults.add(...faults)
    const { status, previous } = await client.linkToConversation('incident', incident, conversation)
    assert.deepEqual({ status, previous }, { status: 'linked', previous: null }, 'the outcome is the original one')
    assert.equal(await verbs(), fresh)
    assert.equal(await held(), incident)
    const [unlinked, sent] = await unlink(client)
    if (doubt) assert.deepEqual([unlinked.code, unlinked.maybeApplied, unlinked.current], ['NOT_LINKED', true, null])
    else assert.equal(unlinked.status, 'unlinked')
    assert.equal(sent, remembered)
    assert.equal(await held(), null)
    await client.linkToConversation('incident', incident, conversation)
    const [again, sentAgain] = await unlink(other)
    assert.equal(again.status, 'unlinked')
    assert.equal(sentAgain, fresh)
    assert.equal(await held(), null)
    await Promise.all([client.close(), other.close()])
  })
}

test('a table without versions is an error unless the caller accepts the race', { timeout: 60_000 }, async () => {
  await emulator.reset()
  await emulator.faults.conditions({ concurrencyOff: ['msdyn_ocliveworkitem'] })
  const { url, credential } = emulator
  const careful = new OmnichannelClient({ dataverse: { url, credential } })
  const bold = new OmnichannelClient({ dataverse: { url, credential, optimisticConcurrency: false } })
  await assert.rejects(careful.linkToConversation('incident', incident, conversation), error => {
    assert.deepEqual([error.code, error.maybeApplied], ['INVALID_CONFIGURATION', false])
    return /optimisticConcurrency/.test(error.hint)
  })
  assert.equal((await bold.linkToConversation('incident', incident, conversation)).status, 'linked')
  assert.equal(await held(), incident)
  assert.equal((await bold.unlinkFromConversation('incident', incident, conversation)).status, 'unlinked')
  assert.throws(() => new OmnichannelClient({ dataverse: { url, credential, optimisticConcurrency: 'none' } }), {
    code: 'INVALID_CONFIGURATION'
  })
  await Promise.all([careful.close(), bold.close()])
})
