// A private certificate authority and an authenticating CONNECT proxy: the emulator under production names, behind both.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { inspect, promisify } from 'node:util'
import { OmnichannelClient } from 'omnichannel-link'
import { startEmulator } from 'omnichannel-link-emulator'
import { rejects, throws } from './support/expect.mjs'
import { connectProxy } from './support/proxy.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const production = 'https://contoso.crm4.dynamics.com'
const conversation = 'b7397aae-ecf8-43a6-aeb0-07d294efb494'
const incident = '6b726d86-d37c-43b8-b3a4-c4056ddd2e07'
const folder = mkdtempSync(join(tmpdir(), 'omnichannel-link-'))
const caFile = join(folder, 'ca.pem')
let emulator

before(async () => {
  const hosts = ['contoso.crm4.dynamics.com', 'login.microsoftonline.com']
  emulator = await startEmulator({ seed: join(root, 'examples/data'), tls: { hosts } })
  writeFileSync(caFile, emulator.caCertificate)
})
after(async () => {
  await emulator.close()
  rmSync(folder, { recursive: true })
})

const port = () => Number(new URL(emulator.url).port)

/** Links once with a client with these options. */
async function link(options) {
  const client = new OmnichannelClient({
    dataverse: { url: emulator.url, credential: emulator.credential, retryOptions: { maxRetries: 0 }, ...options }
  })
  try {
    return await client.linkToConversation('incident', incident, conversation)
  } finally {
    await client.close()
  }
}

/** Runs a process with these variables and returns its output. */
async function run(program, variables) {
  const env = { ...process.env, SystemRoot: process.env.SystemRoot, ...variables }
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', program], { cwd: root, env })
  return stdout.trim()
}

const linking = `
  const { linkToConversation } = require('omnichannel-link')
  linkToConversation('incident', '${incident}', '${conversation}').then(({ status }) => console.log(status), error => console.log(error.code, error.message, error.hint))
`

test('a private authority is trusted if it is given', async () => {
  await emulator.reset()
  const { caCertificate } = emulator
  const other = await startEmulator({ tls: true })
  try {
    assert.equal((await link({ caCertificates: caCertificate })).status, 'linked')
    assert.equal((await link({ caCertificates: [other.caCertificate, caCertificate] })).status, 'alreadyLinked')
    const error = await rejects(
      link({ caCertificates: other.caCertificate }),
      'INVALID_CONFIGURATION',
      /the certificate of localhost was not signed/
    )
    assert.match(error.hint, /caCertificates.*NODE_EXTRA_CA_CERTS/)
    assert.deepEqual([error.isRetryable, error.maybeApplied], [false, false])
    await rejects(link(), 'INVALID_CONFIGURATION', /not trusted/)
  } finally {
    await other.close()
  }
})

test('NODE_EXTRA_CA_CERTS is trusted, and an unreadable file is reported when it matters', async () => {
  await emulator.reset()
  const variables = {
    DATAVERSE_URL: emulator.url,
    AZURE_TENANT_ID: emulator.application.tenantId,
    AZURE_CLIENT_ID: emulator.application.clientId,
    AZURE_CLIENT_SECRET: emulator.application.clientSecret,
    AZURE_AUTHORITY_HOST: emulator.url
  }
  assert.equal(await run(linking, { ...variables, NODE_EXTRA_CA_CERTS: caFile }), 'linked')
  assert.match(await run(linking, { ...variables, NODE_EXTRA_CA_CERTS: join(folder, 'none.pem') }), /^INVALID_CONFIGURATION .*none\.pem/)
})

test('as in production: proxy, authority by cloud, secret and certificates from the environment', async t => {
  await emulator.reset()
  const proxy = await connectProxy(t, port())
  const printed = await run(linking, {
    DATAVERSE_URL: production,
    AZURE_TENANT_ID: emulator.application.tenantId,
    AZURE_CLIENT_ID: emulator.application.clientId,
    AZURE_CLIENT_SECRET: emulator.application.clientSecret,
    HTTPS_PROXY: proxy.url,
    NO_PROXY: 'internal.example',
    NODE_EXTRA_CA_CERTS: caFile
  })
  assert.equal(printed, 'linked')
  assert.deepEqual(proxy.asked.toSorted(), ['contoso.crm4.dynamics.com:443', 'login.microsoftonline.com:443'])
})

test('the proxy variables work in both cases, except for hosts in NO_PROXY', async t => {
  await emulator.reset()
  const proxy = await connectProxy(t, port())
  const variables = { DATAVERSE_URL: production, NODE_EXTRA_CA_CERTS: caFile, HTTPS_PROXY: undefined, https_proxy: proxy.url }
  const program = `
    const { OmnichannelClient } = require('omnichannel-link')
    const client = new OmnichannelClient({ dataverse: { credential: '${emulator.credential}', retryOptions: { maxRetries: 0 } } })
    client.linkToConversation('incident', '${incident}', '${conversation}').then(({ status }) => console.log(status), error => console.log(error.code))
  `
  assert.equal(await run(program, variables), 'linked')
  assert.deepEqual(proxy.asked, ['contoso.crm4.dynamics.com:443'])
  // The host exists only behind the proxy.
  assert.equal(await run(program, { ...variables, no_proxy: '.dynamics.com' }), 'UNAVAILABLE')
  assert.equal(proxy.asked.length, 1)
})

test('a proxy in the options is used, also for this machine', async t => {
  await emulator.reset()
  const proxy = await connectProxy(t, port())
  const { caCertificate: caCertificates } = emulator
  assert.equal((await link({ caCertificates, proxy: proxy.url })).status, 'linked')
  assert.equal((await link({ caCertificates, proxy: 'DIRECT' })).status, 'alreadyLinked')
  assert.deepEqual(proxy.asked, [`localhost:${port()}`])
})

test('a proxy with another authentication scheme is explained, without the password', async t => {
  const proxy = await connectProxy(t, port(), { wants: 'NTLM' })
  const error = await rejects(
    link({ proxy: `http://me:hunter2@${proxy.host}` }),
    'INVALID_CONFIGURATION',
    new RegExp(`the proxy ${proxy.host} did not accept the user and password`)
  )
  assert.match(error.hint, /NTLM or Kerberos/)
  assert.doesNotMatch(inspect(error), /hunter2|aHVudGVyM/)
  assert.equal(proxy.refused, 1)
})

test('a function may choose the proxy, like session.resolveProxy of Electron', async t => {
  await emulator.reset()
  const proxy = await connectProxy(t, port())
  const { caCertificate: caCertificates } = emulator
  const asked = []
  const session = { resolveProxy: async url => (asked.push(url), `SOCKS5 127.0.0.1:9; PROXY ${proxy.host}; DIRECT`) }
  // PAC rules cannot have a password.
  await rejects(link({ caCertificates, proxy: url => session.resolveProxy(url) }), 'INVALID_CONFIGURATION', /requires a user and password/)
  assert.deepEqual(asked, [`${emulator.url}/`])
  assert.equal((await link({ caCertificates, proxy: () => proxy.url })).status, 'linked')
  for (const none of ['DIRECT', '', null, undefined])
    assert.equal((await link({ caCertificates, proxy: async () => none })).status, 'alreadyLinked')
  assert.equal(proxy.asked.length, 1)
})

test('the entries of a PAC script are tried in order, and a sent request is not sent again', { timeout: 60_000 }, async t => {
  await emulator.reset()
  const { caCertificate: caCertificates, url, credential } = emulator
  const proxy = await connectProxy(t, port())
  // Accepts connections and never sends anything.
  const silent = createTcpServer(() => {}).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const sockets = []
  silent.on('connection', socket => sockets.push(socket))
  t.after(() => (sockets.forEach(socket => socket.destroy()), silent.close()))
  const free = createTcpServer().listen(0, '127.0.0.1')
  await once(free, 'listening')
  const dead = `127.0.0.1:${free.address().port}`
  free.close()
  await once(free, 'close')
  const answer = `PROXY ${dead}; PROXY 127.0.0.1:${silent.address().port}; ${proxy.url}; DIRECT`
  const client = new OmnichannelClient({
    dataverse: { url, credential, caCertificates, proxy: () => answer, retryOptions: { maxRetries: 0 } }
  })
  t.after(() => client.close())
  assert.equal((await client.linkToConversation('incident', incident, conversation, { timeoutInMs: 2_000 })).status, 'linked')
  assert.equal((await client.linkToConversation('incident', incident, conversation, { timeoutInMs: 2_000 })).status, 'alreadyLinked')
  assert.equal(sockets.length, 1)
  assert.equal(proxy.asked.length, 1)
  const { checks } = await client.diagnose()
  assert.match(
    checks[0].found,
    new RegExp(`^The proxy ${proxy.host}\\. Earlier entries of the list failed: the proxy ${dead} refused the connection`)
  )
})

for (const [what, answers, message] of [
  [
    'throws',
    () => {
      throw new RangeError('hunter2')
    },
    /the proxy function failed: it threw RangeError/
  ],
  [
    'rejects',
    async () => {
      throw new Error('hunter2')
    },
    /it threw Error/
  ],
  ['gives no text', () => 7, /it returned number instead of a string/],
  ['knows SOCKS only', () => 'SOCKS5 127.0.0.1:9', /SOCKS proxies are not supported/]
]) {
  test(`a proxy function that ${what} is explained`, async () => {
    const error = await rejects(link({ proxy: answers }), 'INVALID_CONFIGURATION', message)
    assert.doesNotMatch(inspect(error), /hunter2/)
  })
}

test('a program identifies itself in the user agent', async () => {
  await emulator.reset()
  await link({ caCertificates: emulator.caCertificate, application: 'contoso-desk/2.1' })
  const agents = (await emulator.requests()).map(({ headers }) => headers['user-agent'])
  for (const agent of agents) assert.match(agent, /^omnichannel-link\/\d+\.\d+\.\d+ contoso-desk\/2\.1$/)
})

for (const [option, value, message] of [
  ['proxy', 'socks5://me:hunter2@proxy', /`options\.dataverse\.proxy`: SOCKS/],
  ['proxy', 'http://me:hunter2@proxy/wpad.dat', /PAC script/],
  ['proxy', '', /`options\.dataverse\.proxy`/],
  ['proxy', 7, /`options\.dataverse\.proxy`: expected a string/],
  ['caCertificates', 'hunter2', /`options\.dataverse\.caCertificates`: it holds no certificate/],
  ['caCertificates', '-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n-----END PRIVATE KEY-----', /private key/],
  ['caCertificates', [7], /`options\.dataverse\.caCertificates/],
  ['application', 'a\r\nb: c', /`options\.dataverse\.application`: expected 1 to 256/]
]) {
  test(`${option} ${inspect(value)} is rejected`, () => {
    const dataverse = { url: production, credential: 'token', [option]: value }
    const error = throws(() => new OmnichannelClient({ dataverse }), 'INVALID_CONFIGURATION', message)
    assert.doesNotMatch(inspect(error), /hunter2|aHVudGVyMg/)
  })
}

test('a token never goes through a proxy unencrypted', () => {
  const dataverse = { url: 'http://127.0.0.1:8080', credential: 'token', proxy: 'http://proxy.example:8080' }
  throws(() => new OmnichannelClient({ dataverse }), 'INVALID_CONFIGURATION', /`options\.dataverse\.proxy`: plain HTTP through a proxy/)
})

test('a machine without trusted certificates is explained', { timeout: 60_000, skip: process.platform !== 'linux' }, async () => {
  const program = `
    const { OmnichannelClient } = require('omnichannel-link')
    const client = new OmnichannelClient({ dataverse: { url: '${emulator.url}', credential: 'x', retryOptions: { maxRetries: 0 } } })
    client.diagnose().then(({ checks }) => console.log(checks.find(({ name }) => name === 'tls').found))
  `
  const found = await run(program, { NODE_EXTRA_CA_CERTS: '', SSL_CERT_FILE: '/dev/null', SSL_CERT_DIR: join(folder, 'nowhere') })
  assert.equal(
    found,
    'The server cannot be trusted: the trusted certificates cannot be read (No CA certificates were loaded from the system).'
  )
})

test('a closed client keeps no socket open', { timeout: 60_000 }, async t => {
  const server = createServer((_, response) => response.writeHead(404).end()).listen(0, '127.0.0.1')
  t.after(() => server.close())
  server.keepAliveTimeout = 0
  await once(server, 'listening')
  const connection = once(server, 'connection')
  const client = new OmnichannelClient({ dataverse: { url: `http://127.0.0.1:${server.address().port}`, credential: 'secret' } })
  await assert.rejects(client.getConversation(conversation))
  const [socket] = await connection
  const closed = once(socket, 'close')
  await client.close()
  await closed
})
