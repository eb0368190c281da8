// The real @azure/identity, in a separate process, because its authority must be https and trusted from the start.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startEmulator } from 'omnichannel-link-emulator'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'omnichannel-link-'))
let emulator

before(async () => {
  emulator = await startEmulator({ seed: join(root, 'examples/data'), tls: true })
  writeFileSync(join(folder, 'ca.pem'), emulator.caCertificate)
})
after(async () => {
  await emulator.close()
  rmSync(folder, { recursive: true })
})

const program = `
  const { ClientSecretCredential } = require('@azure/identity')
  const { OmnichannelClient } = require('omnichannel-link')
  const { url, tenantId, clientId, clientSecret } = JSON.parse(process.env.GIVEN)
  const credential = new ClientSecretCredential(tenantId, clientId, clientSecret, { authorityHost: url, disableInstanceDiscovery: true })
  const client = new OmnichannelClient({ dataverse: { url, credential } })
  const link = () => client.linkToConversation('incident', '6b726d86-d37c-43b8-b3a4-c4056ddd2e07', 'b7397aae-ecf8-43a6-aeb0-07d294efb494')
  Promise.all(Array.from({ length: 100 }, link)).then(
    outcomes => console.log(outcomes.map(({ status }) => status).sort().slice(-2).join(' ')),
    error => console.log(error.code, error.message)
  )
`

async function run(application) {
  await emulator.reset()
  const given = JSON.stringify({ url: emulator.url, ...application })
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem'), GIVEN: given }
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', program], { cwd: root, env })
  const tokens = (await emulator.requests()).filter(({ path, method }) => method === 'POST' && path.includes('/oauth2/'))
  return { printed: stdout.trim(), tokens: tokens.length }
}

test('a ClientSecretCredential is a credential: a hundred calls, one token', { timeout: 60_000 }, async () => {
  assert.deepEqual(await run(emulator.application), { printed: 'alreadyLinked linked', tokens: 1 })
})

test('an error of Entra is reported with its number and without the secret', { timeout: 60_000 }, async () => {
  const { printed, tokens } = await run({ ...emulator.application, clientSecret: 'hunter2' })
  assert.match(printed, /^AUTHENTICATION_FAILED .*AADSTS7000215/)
  assert.doesNotMatch(printed, /hunter2/)
  assert.equal(tokens, 1)
})
