// A client secret from the options or the environment, on the emulator's token endpoint.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { OmnichannelClient } from 'omnichannel-link'
import { startEmulator } from 'omnichannel-link-emulator'
import { throws } from './support/expect.mjs'
import { json, serve } from './support/server.mjs'

const seed = fileURLToPath(new URL('../examples/data', import.meta.url))
const conversation = 'b7397aae-ecf8-43a6-aeb0-07d294efb494'
const incident = '6b726d86-d37c-43b8-b3a4-c4056ddd2e07'
const link = client => client.linkToConversation('incident', incident, conversation)

/** A new emulator, and a function that makes clients of it. */
async function fresh(t) {
  const emulator = await startEmulator({ seed })
  const clients = []
  t.after(async () => {
    await Promise.all(clients.map(client => client.close()))
    await emulator.close()
  })
  const client = (credential, options) => {
    clients.push(new OmnichannelClient({ dataverse: { url: emulator.url, credential, retryOptions: { retryDelayInMs: 1 }, ...options } }))
    return clients.at(-1)
  }
  const tokens = async () => (await emulator.requests()).filter(({ path }) => path.includes('/oauth2/'))
  return { emulator, client, tokens, credential: { ...emulator.application, authorityHost: emulator.url } }
}

/** Sets variables for one test. */
function variables(t, values) {
  const names = ['DATAVERSE_URL', 'AZURE_TENANT_ID', 'AZURE_CLIENT_ID', 'AZURE_CLIENT_SECRET', 'AZURE_AUTHORITY_HOST']
  const before = names.map(name => [name, process.env[name]])
  t.after(() => before.forEach(([name, value]) => (value === undefined ? delete process.env[name] : (process.env[name] = value))))
  names.forEach(name => delete process.env[name])
  Object.assign(process.env, values)
}

test('a hundred concurrent calls request one token', async t => {
  const { client, tokens, credential } = await fresh(t)
  const made = client(credential)
  await Promise.all(Array.from({ length: 100 }, () => link(made)))
  const [request, ...others] = await tokens()
  assert.equal(others.length, 0)
  assert.equal(request.method, 'POST')
  assert.equal(request.path, `/${credential.tenantId}/oauth2/v2.0/token`)
  assert.match(
    request.body,
    /grant_type=client_credentials&client_id=[^&]+&scope=http%3A%2F%2F127\.0\.0\.1%3A\d+%2F\.default&client_secret=/
  )
})

test('a revoked token is requested once more', async t => {
  const { emulator, client, tokens, credential } = await fresh(t)
  const made = client(credential)
  await link(made)
  await emulator.faults.revokeTokens()
  assert.equal((await link(made)).status, 'alreadyLinked')
  assert.equal((await tokens()).length, 2)
})

test('a token endpoint that fails briefly is retried', async t => {
  const { emulator, client, tokens, credential } = await fresh(t)
  const on = { path: '/oauth2/' }
  await emulator.faults.add({ on, fault: { kind: 'status', status: 503 } }, { on, fault: { kind: 'drop' } })
  assert.equal((await link(client(credential))).status, 'linked')
  assert.equal((await tokens()).length, 3)
})

test('the variables of @azure/identity work as a credential', async t => {
  const { emulator, credential } = await fresh(t)
  variables(t, {
    DATAVERSE_URL: emulator.url,
    AZURE_TENANT_ID: credential.tenantId,
    AZURE_CLIENT_ID: credential.clientId,
    AZURE_CLIENT_SECRET: credential.clientSecret,
    AZURE_AUTHORITY_HOST: emulator.url
  })
  const client = new OmnichannelClient()
  assert.equal((await link(client)).status, 'linked')
  await client.close()
  delete process.env.AZURE_CLIENT_ID
  throws(() => new OmnichannelClient(), 'INVALID_CONFIGURATION', /the variables AZURE_CLIENT_ID as well/, {})
})

test('a lifetime may be a string', { timeout: 60_000 }, async t => {
  const { emulator, client, credential } = await fresh(t)
  const { url, requests } = await serve(t, (_request, response) =>
    json(response, 200, { token_type: 'Bearer', expires_in: '3599', access_token: emulator.credential })
  )
  const made = client({ ...credential, authorityHost: url })
  await link(made)
  await link(made)
  assert.deepEqual(requests, ['POST'])
})

for (const [what, wrong, number, hint] of [
  ['a wrong secret', { clientSecret: 'wr0ng-secret' }, 'AADSTS7000215', /value, not its id/],
  ['an unknown application', { clientId: '11111111-2222-4333-8444-555555555555' }, 'AADSTS700016', /clientId/],
  ['an unknown tenant', { tenantId: 'missing.example' }, 'AADSTS90002', /tenantId/]
]) {
  test(`${what} is explained`, async t => {
    const { client, tokens, credential } = await fresh(t)
    await assert.rejects(link(client({ ...credential, ...wrong })), error => {
      assert.equal(error.code, 'AUTHENTICATION_FAILED')
      assert.equal(error.serviceCode, number)
      assert.match(error.message, new RegExp(`${number}, trace id ${error.serviceRequestId}`))
      assert.match(error.hint, hint)
      assert.deepEqual([error.isRetryable, error.maybeApplied], [false, false])
      assert.doesNotMatch(inspect(error), /wr0ng-secret/)
      return !inspect(error).includes(credential.clientSecret)
    })
    assert.equal((await tokens()).length, 1)
  })
}

test('an expired secret is explained', async t => {
  const { emulator, client, credential } = await fresh(t)
  await emulator.faults.conditions({ secretExpired: true })
  await assert.rejects(link(client(credential)), { code: 'AUTHENTICATION_FAILED', serviceCode: 'AADSTS7000222', httpStatus: 401 })
})

test('other servers are not taken for a token endpoint', async t => {
  const { emulator, client, credential } = await fresh(t)
  const answers = async (fault, code) => {
    await emulator.faults.add({ on: { path: '/oauth2/' }, times: 'always', fault })
    await assert.rejects(
      link(client(credential, { retryOptions: { maxRetries: 0 } })),
      error => error.code === code && !inspect(error).includes(credential.clientSecret)
    )
    await emulator.faults.clear()
  }
  await answers({ kind: 'status', status: 200, body: 'html' }, 'AUTHENTICATION_FAILED')
  await answers({ kind: 'status', status: 404, body: 'html' }, 'AUTHENTICATION_FAILED')
  await answers({ kind: 'redirect', location: 'https://login.example/' }, 'AUTHENTICATION_FAILED')
  await answers({ kind: 'status', status: 502, body: 'html' }, 'UNAVAILABLE')
  await answers({ kind: 'status', status: 429, headers: { 'retry-after': '3600' } }, 'THROTTLED')
  await answers({ kind: 'drop' }, 'UNAVAILABLE')
  // A server that repeats the request.
  const message = `You sent ${credential.clientSecret}, ${encodeURIComponent(credential.clientSecret)} and ${btoa(`x:${credential.clientSecret}`)}`
  await answers({ kind: 'status', status: 400, message }, 'AUTHENTICATION_FAILED')
})

const whole = { tenantId: 'contoso.com', clientId: 'app', clientSecret: 'hunter2' }
for (const [what, credential, message, url = 'https://contoso.crm4.dynamics.com'] of [
  ['no tenant', { ...whole, tenantId: undefined }, /tenantId/],
  ['a tenant that leads elsewhere', { ...whole, tenantId: '../../evil' }, /tenantId/],
  ['an empty secret', { ...whole, clientSecret: ' ' }, /clientSecret/],
  ['a secret that is not a string', { ...whole, clientSecret: 73577357 }, /clientSecret`: expected a string\.$/],
  ['an unknown field', { ...whole, secret: 'hunter2' }, /unknown field `secret`/],
  ['an authority in plain text', { ...whole, authorityHost: 'http://login.example' }, /authorityHost`: expected https/],
  ['an authority with a password', { ...whole, authorityHost: 'https://me:hunter2@login.example' }, /authorityHost/],
  ['an environment of no known cloud', whole, /authorityHost`: expected a URL/, 'https://dataverse.contoso.example']
]) {
  test(`the constructor rejects ${what}`, () => {
    const error = throws(() => new OmnichannelClient({ dataverse: { url, credential } }), 'INVALID_CONFIGURATION', message, {})
    assert.doesNotMatch(inspect(error), /hunter2|73577357/)
  })
}
