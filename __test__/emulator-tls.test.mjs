// The emulator over https in the Node package. Rust tests check the rest: emulator/tests/.

import assert from 'node:assert/strict'
import https from 'node:https'
import { test } from 'node:test'

import { startEmulator } from '../emulator/index.js'

const ACCOUNT = '0b7e4c0e-7d35-4a0c-a4e4-0f6d2a3c9e02'
const accounts = {
  '@odata.context': 'https://contoso.crm4.dynamics.com/api/data/v9.2/$metadata#accounts',
  value: [{ accountid: ACCOUNT, name: 'Fabrikam Coffee' }]
}

async function start(t, options) {
  const emulator = await startEmulator(options)
  t.after(() => emulator.close())
  return emulator
}

// Like a proxy that maps a production name to the emulator: SNI, certificate check and Host keep the name.
function get(emulator, host, { ca = emulator.caCertificate } = {}) {
  const { port } = new URL(emulator.url)
  const headers = { host, authorization: `Bearer ${emulator.credential}` }
  const path = `/api/data/v9.2/accounts(${ACCOUNT})`
  return new Promise((resolve, reject) => {
    const options = { hostname: '127.0.0.1', port, path, servername: host, ca, headers, agent: false }
    const request = https.get(options, async response => {
      let text = ''
      for await (const chunk of response.setEncoding('utf8')) text += chunk
      resolve(JSON.parse(text))
    })
    request.on('error', reject)
  })
}

test('serves https under the given names, and its own calls work', { timeout: 60_000 }, async t => {
  const emulator = await start(t, { seed: accounts, tls: { hosts: ['contoso.crm4.dynamics.com'] } })
  assert.match(emulator.url, /^https:\/\/localhost:\d+$/)
  assert.match(emulator.caCertificate, /^-----BEGIN CERTIFICATE-----/)

  const row = await get(emulator, 'contoso.crm4.dynamics.com')
  assert.equal(row['@odata.context'], 'https://contoso.crm4.dynamics.com/api/data/v9.2/$metadata#accounts/$entity')
  await assert.rejects(get(emulator, 'fabrikam.crm4.dynamics.com'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
  await assert.rejects(get(emulator, 'localhost', { ca: null }), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })

  assert.equal(await emulator.clock.advance(5), 5)
  assert.deepEqual(
    (await emulator.requests()).map(({ status }) => status),
    [200]
  )
})

test('tls: true uses the names of this machine; without tls there is no certificate', { timeout: 60_000 }, async t => {
  const secured = await start(t, { seed: accounts, tls: true })
  assert.equal((await get(secured, 'localhost')).name, 'Fabrikam Coffee')
  for (const tls of [false, undefined]) {
    const plain = await start(t, { tls })
    assert.equal(plain.caCertificate, null)
    assert.match(plain.url, /^http:/)
  }
})

test('invalid tls options are rejected by name', { timeout: 60_000 }, async () => {
  for (const [tls, message] of [
    ['localhost', /options\.tls: expected a boolean or a plain object/],
    [null, /options\.tls: expected a boolean or a plain object/],
    [{ host: 'a' }, /options\.tls: unknown option 'host'; expected hosts/],
    [{ hosts: 'a' }, /options\.tls\.hosts: expected an array of host names/],
    [{ hosts: [''] }, /options\.tls\.hosts: expected an array of host names/]
  ]) {
    await assert.rejects(startEmulator({ tls }), { name: 'TypeError', message })
  }
  await assert.rejects(startEmulator({ tls: { hosts: ['https://a'] } }), { name: 'Error', message: /'https:\/\/a' is not a host name/ })
})
