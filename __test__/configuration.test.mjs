// Options that the constructor rejects.
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { OmnichannelClient } from 'omnichannel-link'
import { folder, workIn } from './support/afterwards.mjs'
import { run } from './support/child.mjs'
import { throws } from './support/expect.mjs'
import { conversation } from './support/sample.mjs'

const url = 'https://contoso.crm4.dynamics.com'
const credential = 'secret-token'
const dataverse = { url, credential }

/** A fault, options with it, and a part of the message. */
const faults = [
  ['both stores', { embedded: { path: 'a.db' }, dataverse }, /got both/],
  ['both stores, with a function', { embedded: { path: 'a.db' }, dataverse: { url, credential: () => credential } }, /got both/],
  ['an unknown option', { unknown: 1 }, /`options\.unknown`/],
  ['an option of a call', { signal: new AbortController().signal }, /`options\.signal`/],
  ['an unknown option of embedded', { embedded: { path: 'a.db', mode: 'memory' } }, /`options\.embedded\.mode`/],
  ['an unknown option of dataverse', { dataverse: { ...dataverse, retries: 5 } }, /`options\.dataverse\.retries`/],
  [
    'an unknown option beside a function',
    { dataverse: { url, credential: () => credential, retries: 5 } },
    /`options\.dataverse\.retries`/
  ],
  ['no path', { embedded: {} }, /path/],
  ['an empty path', { embedded: { path: '' } }, /`options\.embedded\.path`/],
  ['a path that is not a string', { embedded: { path: 5 } }, /`options\.embedded\.path`/],
  ...[':memory:', 'file:links.db', '~/links.db', '$HOME/links.db', 'data/', '.', ' ', 'links.db-wal', url].map(path => [
    `the path ${path}`,
    { embedded: { path } },
    /`options\.embedded\.path`: expected a path to a file \(.*\)/
  ]),
  ['a path with a zero byte', { embedded: { path: 'a\0b' } }, /`options\.embedded\.path`/],
  ['embedded that is not an object', { embedded: 'a.db' }, /`options\.embedded`/],
  ['dataverse that is not an object', { dataverse: url }, /`options\.dataverse`/],
  ['no credential', { dataverse: { url } }, /`options\.dataverse\.credential`/],
  ['a credential that is undefined', { dataverse: { url, credential: undefined } }, /`options\.dataverse\.credential`/],
  ['a credential that is null', { dataverse: { url, credential: null } }, /`options\.dataverse\.credential`/],
  ['a credential that is a number', { dataverse: { url, credential: 5 } }, /`options\.dataverse\.credential`/],
  ['a credential that is an object', { dataverse: { url, credential: {} } }, /`options\.dataverse\.credential`/],
  ['an empty credential', { dataverse: { url, credential: '' } }, /empty/],
  ['a credential with its scheme', { dataverse: { url, credential: `Bearer ${credential}` } }, /spaces/],
  ['a credential with a line break', { dataverse: { url, credential: `${credential}\r\nX: y` } }, /control characters/],
  ['no URL', { dataverse: { credential } }, /`options\.dataverse\.url`: expected .*, because DATAVERSE_URL is not set/],
  ['an empty URL', { dataverse: { url: '', credential } }, /`options\.dataverse\.url`/],
  ['a URL without its scheme', { dataverse: { url: 'contoso.crm4.dynamics.com', credential } }, /`options\.dataverse\.url`/],
  ['a URL that is not a string', { dataverse: { url: new URL(url), credential } }, /`options\.dataverse\.url`/],
  ['plain http to another machine', { dataverse: { url: 'http://contoso.crm4.dynamics.com', credential } }, /https/],
  ['plain http to a private address', { dataverse: { url: 'http://192.168.0.1', credential } }, /https/],
  ['plain http to a name that begins like this machine', { dataverse: { url: 'http://localhost.example.com', credential } }, /https/],
  ['another scheme', { dataverse: { url: 'ftp://127.0.0.1', credential } }, /https/],
  ['a URL with a password', { dataverse: { url: 'https://me:hunter2@contoso.crm4.dynamics.com', credential } }, /no user, password/],
  ['a URL with a user', { dataverse: { url: 'https://me@contoso.crm4.dynamics.com', credential } }, /no user, password/],
  ['a URL with a query', { dataverse: { url: `${url}?code=hunter2`, credential } }, /query/],
  ['a URL with a fragment', { dataverse: { url: `${url}#hunter2`, credential } }, /fragment/],
  ...[0, -1, NaN, Infinity, 2 ** 31, '20', true, 5n].map(timeoutInMs => [
    `timeoutInMs ${inspect(timeoutInMs)}`,
    { timeoutInMs },
    /`options\.timeoutInMs`/
  ]),
  ...[0, 49, 2.5, -1, '8'].map(maxConcurrency => [
    `maxConcurrency ${inspect(maxConcurrency)}`,
    { dataverse: { url, credential, maxConcurrency } },
    /`options\.dataverse\.maxConcurrency`/
  ]),
  ...[5, 'options', true, Symbol('options'), () => {}, []].map(options => [`options ${inspect(options)}`, options, /`options`/])
]

for (const [fault, options, message] of faults) {
  test(`the constructor rejects ${fault}`, t => {
    workIn(t, folder(t))
    const error = throws(() => new OmnichannelClient(options), 'INVALID_CONFIGURATION', message, {
      isRetryable: false,
      maybeApplied: false
    })
    assert.doesNotMatch(inspect(error) + JSON.stringify(error), /secret-token|hunter2/)
    assert.deepEqual(readdirSync('.'), [])
  })
}

test('an undefined setting does not select the default store', () => {
  for (const empty of [undefined, null]) {
    for (const name of ['dataverse', 'embedded'])
      throws(() => new OmnichannelClient({ [name]: empty }), 'INVALID_CONFIGURATION', new RegExp(`\`options\\.${name}\``))
  }
})

test('without options the default store is used', async () => {
  for (const options of [undefined, {}, { timeoutInMs: undefined }]) {
    const client = new OmnichannelClient(options)
    client.openConversation(conversation)
    await client.close()
  }
})

test('http is allowed for this machine only', async () => {
  for (const url of [
    'http://127.0.0.1:1',
    'http://[::1]:1',
    'http://localhost:1',
    'https://contoso.crm4.dynamics.com/',
    'HTTPS://CONTOSO.CRM4.DYNAMICS.COM'
  ]) {
    await new OmnichannelClient({ dataverse: { url, credential } }).close()
  }
})

test('the class needs new', () => {
  assert.throws(() => OmnichannelClient(), TypeError)
})

test('variables may be inherited, but never come from Object.prototype', { timeout: 60_000 }, async t => {
  const code = `
    const argumentFor = env => {
      process.env = env
      try {
        new link.OmnichannelClient()
        return 'none'
      } catch (error) {
        return error.argument
      }
    }
    const all = { DATAVERSE_URL: 'no URL' }
    const seen = [all, Object.create(all), new Proxy({}, { get: (_, name) => all[name] })].map(argumentFor)
    Object.prototype.DATAVERSE_URL = 'no URL'
    seen.push(argumentFor({}))
    delete Object.prototype.DATAVERSE_URL
    seen.push(argumentFor({ get DATAVERSE_URL() { throw undefined } }))
    console.log(JSON.stringify(seen))`
  const seen = await run(t, code, { cwd: folder(t) })
  assert.deepEqual(seen, ['DATAVERSE_URL', 'DATAVERSE_URL', 'DATAVERSE_URL', 'none', 'process.env'])
})
