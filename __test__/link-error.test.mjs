// The error class, and the list of its codes.
import assert from 'node:assert/strict'
import { copyFileSync, cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { LinkError } from 'omnichannel-link'
import { folder } from './support/afterwards.mjs'
import { rejects } from './support/expect.mjs'
import { account, closedConversation, contact, conversation, missingId } from './support/sample.mjs'
import { fault, serve } from './support/server.mjs'
import { client, emptyEmbedded, stores } from './support/stores.mjs'

const require = createRequire(import.meta.url)
const root = new URL('../', import.meta.url)

const find = (text, pattern) => [...text.matchAll(pattern)].map(([, code]) => code)

async function failure(t) {
  const { client } = await stores.embedded(t)
  return rejects(client.unlinkFromConversation('contact', contact.recordId, conversation), 'NOT_LINKED')
}

test('it is an Error with its own class', { timeout: 60_000 }, async t => {
  const error = await failure(t)
  assert.ok(error instanceof Error)
  assert.ok(error instanceof LinkError)
  assert.equal(error.constructor, LinkError)
  assert.equal(String(error), `LinkError: ${error.message}`)
  assert.equal(Object.prototype.toString.call(error), '[object Error]')
  for (const other of [new Error('other'), new TypeError('other'), { code: 'CLOSED', name: 'LinkError' }, null, undefined, 5]) {
    assert.equal(other instanceof LinkError, false)
  }
})

test('instanceof of a subclass accepts only its own instances', async t => {
  class Mine extends LinkError {}
  assert.equal(Mine.name, 'Mine')
  assert.equal((await failure(t)) instanceof Mine, false)
})

test('the console shows the code and the known fields', { timeout: 60_000 }, async t => {
  const shown = inspect(await failure(t))
  for (const part of [
    /^LinkError: The contact/,
    /code: 'NOT_LINKED'/,
    /current: \{/,
    new RegExp(account.recordId),
    /isRetryable: false/,
    /store: 'embedded'/
  ]) {
    assert.match(shown, part)
  }
})

test('the stack names the calling function', { timeout: 60_000 }, async t => {
  const { client } = emptyEmbedded(t)
  async function theCallersOwnFunction() {
    await client.linkToConversation('account', account.recordId, conversation)
  }
  function theSynchronousOne() {
    client.openConversation('not a GUID')
  }
  const { stack } = await theCallersOwnFunction().catch(error => error)
  assert.match(stack, /^LinkError: Conversation .* does not exist/)
  assert.match(stack, /theCallersOwnFunction/)
  assert.match(stack, /link-error\.test\.mjs/)
  assert.throws(theSynchronousOne, ({ stack }) => stack.startsWith('LinkError: ') && stack.includes('theSynchronousOne'))
})

test("toJSON and fromJSON survive a channel that drops an error's properties", { timeout: 60_000 }, async t => {
  const { client: local } = await stores.embedded(t)
  const server = await serve(t, (_, response) =>
    fault(response, 429, '0x80072322', 'Slow down', { 'retry-after': '7', 'x-ms-service-request-id': missingId })
  )
  const remote = client(t, { dataverse: server.dataverse })
  const errors = [
    await failure(t),
    await rejects(local.unlinkFromConversation('contact', contact.recordId, closedConversation), 'NOT_LINKED', undefined, {
      current: null
    }),
    await rejects(local.linkToConversation('contact', contact.recordId, closedConversation), 'CONVERSATION_NOT_ACTIVE'),
    await rejects(local.linkToConversation('contact', contact.recordId), 'NO_FOCUSED_CONVERSATION'),
    await rejects(remote.linkToConversation('contact', contact.recordId, conversation), 'THROTTLED'),
    // With its cause.
    await rejects(
      client(t, { dataverse: { url: 'http://127.0.0.1:0', credential: 'x' } }).linkToConversation(
        'contact',
        contact.recordId,
        conversation
      ),
      'UNAVAILABLE'
    )
  ]
  for (const error of errors) {
    const json = error.toJSON()
    assert.equal(json.name, 'LinkError')
    assert.equal('stack' in json, false)
    assert.deepEqual(JSON.parse(JSON.stringify(error)), JSON.parse(JSON.stringify(json)))
    for (const copy of [LinkError.fromJSON(structuredClone(json)), LinkError.fromJSON(JSON.parse(JSON.stringify(error)))]) {
      assert.ok(copy instanceof LinkError)
      assert.deepEqual(copy.toJSON(), json)
      assert.deepEqual({ ...copy }, { ...error })
      assert.deepEqual([copy.name, copy.message, copy.cause], ['LinkError', error.message, error.cause])
      assert.match(copy.stack, /^LinkError: /)
    }
  }
  assert.ok(errors.at(-1).cause)
  assert.deepEqual([errors[4].retryAfterInMs, errors[4].serviceRequestId], [7000, missingId])
})

test('unknown fields are absent', { timeout: 60_000 }, async t => {
  const { client: local } = emptyEmbedded(t)
  const errors = [
    await failure(t),
    await rejects(local.linkToConversation('lead', account.recordId, conversation), 'INVALID_ARGUMENT'),
    await rejects(local.linkToConversation('account', account.recordId, conversation, { signal: {} }), 'INVALID_ARGUMENT'),
    await rejects(local.importRecords(5), 'INVALID_ARGUMENT')
  ]
  for (const error of errors) {
    const json = error.toJSON()
    assert.deepEqual(
      Object.keys(json).filter(name => json[name] === undefined),
      [],
      error.message
    )
  }
})

test('fromJSON rejects values that toJSON did not make', () => {
  for (const junk of [
    undefined,
    null,
    5,
    'text',
    true,
    Symbol('x'),
    [],
    {},
    { code: 'CLOSED' },
    { message: 'x' },
    { code: 5, message: 'x' },
    { code: 'CLOSED', message: 5 },
    new Error('x')
  ]) {
    assert.throws(() => LinkError.fromJSON(junk), { name: 'TypeError', message: /LinkError\.fromJSON/ })
  }
})

test('the errors of two copies of the package recognise each other', { timeout: 60_000 }, async t => {
  const elsewhere = folder(t)
  cpSync(new URL('lib', root), join(elsewhere, 'lib'), { recursive: true })
  copyFileSync(new URL('index.js', root), join(elsewhere, 'index.js'))
  writeFileSync(join(elsewhere, 'lib', 'binding.js'), `module.exports = require(${JSON.stringify(require.resolve('../lib/binding.js'))})`)
  const copy = require(join(elsewhere, 'index.js'))
  assert.notEqual(copy.LinkError, LinkError)
  const mine = await failure(t)
  const theirs = await new copy.OmnichannelClient({ embedded: { path: join(elsewhere, 'links.db') } })
    .linkToConversation('lead', account.recordId, conversation)
    .catch(error => error)
  assert.equal(theirs.constructor, copy.LinkError)
  for (const error of [mine, theirs]) {
    assert.ok(error instanceof LinkError)
    assert.ok(error instanceof copy.LinkError)
  }
})

test('the codes are the same in the typings, the table, Rust and the guide', () => {
  const read = name => readFileSync(new URL(name, root), 'utf8')
  const typings = read('types/errors.d.ts')
  const union = /export type LinkErrorCode =([^/]*?)\n\n/.exec(typings)[1]
  const lists = {
    union: find(union, /'([A-Z_]+)'/g),
    table: find(typings, /^ \* \| `([A-Z_]+)` \|/gm),
    rust: find(read('src/error.rs'), /^ +[A-Z]\w+ = "([A-Z_]+)", retryable/gm),
    'docs of Rust': find(read('src/error.rs'), /^ +\/\/\/ `([A-Z_]+)`: /gm)
  }
  if (existsSync(new URL('docs/guide.md', root))) lists.guide = find(read('docs/guide.md'), /^\| `([A-Z_]+)` \|/gm)
  assert.equal(lists.rust.length, 21)
  for (const [name, codes] of Object.entries(lists)) assert.deepEqual(codes, lists.rust, name)
})
