// The functions of the module. Their client exists once per process, so every test starts a process.
import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { folder } from './support/afterwards.mjs'
import { run } from './support/child.mjs'
import { account, conversation, data, incident, missingId, pages } from './support/sample.mjs'
import { emulator, readFile, readServer } from './support/stores.mjs'

const DATABASE = 'omnichannel-link.db'

/** Runs `code`, the body of an async function, and returns its result. `failure(f)` gives an error's fields, or null. */
function program(t, code, { cwd = folder(t), env, ...values } = {}) {
  const helpers = `
    const failure = async call => {
      try { await call() } catch (error) {
        return { ...(error.toJSON?.() ?? { message: String(error) }), isLinkError: error instanceof link.LinkError }
      }
      return null
    }
    const sync = call => {
      try { call() } catch (error) { return error.code ?? String(error) }
      return null
    }`
  const options = { cwd, env, account, conversation, incident, missingId, data, pages, ...values }
  return run(t, `${helpers}\n(async () => { ${code} })().then(value => console.log(JSON.stringify(value)))`, options)
}

test('the default is an embedded store in the working directory, created by an import', { timeout: 60_000 }, async t => {
  const cwd = folder(t)
  const { before, error, summaries, statuses, focused } = await program(
    t,
    `
    const error = await failure(() => link.linkToConversation('incident', incident.recordId, conversation))
    const before = require('node:fs').readdirSync('.')
    const summaries = []
    for (const page of pages) summaries.push(await link.defaultClient().importRecords(data + page + '.json'))
    link.openConversation(missingId)
    link.openConversation(conversation)
    const statuses = [
      (await link.linkToConversation('incident', incident.recordId)).status,
      (await link.unlinkFromConversation('account', account.recordId, conversation)).status
    ]
    link.focusConversation(missingId)
    link.closeConversation(missingId)
    const focused = link.getConversationId()
    await link.defaultClient().close()
    return { before, error, summaries, statuses, focused }`,
    { cwd }
  )
  assert.deepEqual(before, [], 'a link created a file')
  assert.equal(error.code, 'CONVERSATION_NOT_FOUND')
  assert.deepEqual(
    summaries.map(({ inserted }) => inserted),
    [90, 140, 120, 120]
  )
  assert.deepEqual(statuses, ['linked', 'unlinked'])
  assert.equal(focused, conversation)
  assert.deepEqual(readdirSync(cwd), [DATABASE])
  assert.deepEqual(readFile(join(cwd, DATABASE), conversation), { customer: null, case: incident })
})

test('its errors name the file and the store, and state that DATAVERSE_URL is not set', { timeout: 60_000 }, async t => {
  const cwd = folder(t)
  const failures = await program(
    t,
    `
    const id = account.recordId
    return {
      argument: await failure(() => link.linkToConversation('lead', id, conversation)),
      option: await failure(() => link.unlinkFromConversation('account', id, conversation, { unknown: 1 })),
      signal: await failure(() => link.linkToConversation('account', id, conversation, { signal: {} })),
      noFocus: await failure(() => link.linkToConversation('account', id)),
      notFound: await failure(() => link.unlinkFromConversation('account', id, conversation)),
      page: await failure(() => link.defaultClient().importRecords(5)),
      file: await failure(() => link.defaultClient().importRecords('missing.json')),
      progress: await failure(() => link.defaultClient().importRecords('missing.json', { onProgress: 5 })),
      unreadable: await failure(() => link.linkToConversation('account', id, conversation, { get signal() { throw new Error('mine') } })),
      outcome: await failure(() => link.defaultClient().verify({})),
      event: await failure(() => link.defaultClient().on('link', () => {})),
      list: await failure(() => link.defaultClient().linkMany(5).next()),
      open: await failure(() => link.openConversation('')),
      focus: await failure(() => link.focusConversation(conversation)),
      close: await failure(() => link.closeConversation(5)),
      closed: await failure(async () => {
        await link.defaultClient().close()
        await link.linkToConversation('account', id, conversation)
      })
    }`,
    { cwd }
  )
  const silent = Object.keys(failures).filter(name => {
    const hint = failures[name]?.hint ?? ''
    return !(hint.includes(join(cwd, DATABASE)) && hint.includes('DATAVERSE_URL is not set'))
  })
  assert.deepEqual(silent, [])
  assert.deepEqual(
    Object.keys(failures).filter(name => failures[name].store !== 'embedded'),
    []
  )
  assert.ok(Object.values(failures).every(({ isLinkError }) => isLinkError))
  assert.equal(existsSync(join(cwd, DATABASE)), false)
})

test('a configured client has no such hint', { timeout: 60_000 }, async t => {
  const error = await program(
    t,
    `
    link.configure({ embedded: { path: 'mine.db' } })
    return failure(() => link.linkToConversation('account', account.recordId))`
  )
  assert.equal(error.code, 'NO_FOCUSED_CONVERSATION')
  assert.doesNotMatch(error.hint, /DATAVERSE_URL|omnichannel-link\.db/)
})

test('configure() works once, before the first use', { timeout: 60_000 }, async t => {
  const cwd = folder(t)
  const { first, wrong, second, late } = await program(
    t,
    `
    const wrong = sync(() => link.configure({ embedded: { path: 'a.db' }, unknown: 1 }))
    link.configure({ embedded: { path: 'mine.db' }, timeoutInMs: 20000 })
    const first = await link.defaultClient().importRecords(data + 'accounts.json')
    const second = sync(() => link.configure({ embedded: { path: 'other.db' } }))
    const late = await failure(() => link.configure({}))
    await link.defaultClient().close()
    return { first, wrong, second, late }`,
    { cwd }
  )
  assert.equal(wrong, 'INVALID_CONFIGURATION', 'rejected options must not count')
  assert.equal(first.inserted, 90)
  assert.equal(second, 'INVALID_CONFIGURATION')
  assert.match(late.message, /configure\(\) was called too late/)
  assert.deepEqual(readdirSync(cwd), ['mine.db'])
})

test('configure() after any use is an error', { timeout: 60_000 }, async t => {
  for (const use of [
    'link.getConversationId()',
    'link.openConversation(missingId)',
    'link.defaultClient()',
    "await link.linkToConversation('lead').catch(() => {})"
  ]) {
    const late = await program(t, `${use}; return sync(() => link.configure({ embedded: { path: 'late.db' } }))`)
    assert.equal(late, 'INVALID_CONFIGURATION', use)
  }
})

test('there is one default client, and all functions use it', { timeout: 60_000 }, async t => {
  const { same, focused } = await program(
    t,
    `
    link.defaultClient().openConversation(conversation)
    return { same: link.defaultClient() === link.defaultClient(), focused: link.getConversationId() }`
  )
  assert.deepEqual({ same, focused }, { same: true, focused: conversation })
})

test('DATAVERSE_URL without a credential is an error, never the embedded store', { timeout: 60_000 }, async t => {
  const cwd = folder(t)
  const failures = await program(
    t,
    `
    return [
      await failure(() => link.linkToConversation('account', account.recordId, conversation)),
      await failure(() => link.openConversation(conversation)),
      await failure(() => link.getConversationId()),
      await failure(() => link.configure({})),
      await failure(() => link.configure({ timeoutInMs: 5 })),
      await failure(() => link.defaultClient())
    ]`,
    { cwd, env: { DATAVERSE_URL: 'https://contoso.crm4.dynamics.com' } }
  )
  for (const error of failures) {
    assert.equal(error?.code, 'INVALID_CONFIGURATION')
    assert.match(error.message, /credential/)
  }
  assert.deepEqual(readdirSync(cwd), [])
})

test('an invalid DATAVERSE_URL is named', { timeout: 60_000 }, async t => {
  const code = 'return failure(() => link.defaultClient())'
  const { code: refused, message } = await program(t, code, { env: { DATAVERSE_URL: 'http://contoso.crm4.dynamics.com' } })
  assert.equal(refused, 'INVALID_CONFIGURATION')
  assert.match(message, /DATAVERSE_URL.*https/)
  assert.equal(await program(t, 'return sync(() => link.getConversationId())', { env: { DATAVERSE_URL: '' } }), null, 'empty is not set')
})

test('dataverse.url defaults to DATAVERSE_URL, and embedded overrides it', { timeout: 60_000 }, async t => {
  const server = await emulator(t)
  const { stores, file } = await program(
    t,
    `
    link.configure({ dataverse: { credential: async () => credential } })
    const { store } = await link.linkToConversation('incident', incident.recordId, conversation)
    const local = new link.OmnichannelClient({ embedded: { path: 'links.db' } })
    const { code, store: other } = await failure(() => local.linkToConversation('incident', incident.recordId, conversation))
    return { stores: [store, other], file: code }`,
    { env: { DATAVERSE_URL: server.url }, credential: server.credential }
  )
  assert.deepEqual({ stores, file }, { stores: ['dataverse', 'embedded'], file: 'CONVERSATION_NOT_FOUND' })
  assert.deepEqual((await readServer(server, conversation)).case, incident)
})

test('in Electron a path is required', { timeout: 60_000 }, async t => {
  const failures = await program(
    t,
    `
    Object.defineProperty(process.versions, 'electron', { value: '30.0.0' })
    return [
      await failure(() => link.openConversation(conversation)),
      await failure(() => link.configure({})),
      await failure(() => link.configure({ embedded: { path: 'given.db' } })),
      await failure(() => link.openConversation(conversation))
    ]`
  )
  assert.deepEqual(
    failures.map(error => error?.code),
    ['INVALID_CONFIGURATION', 'INVALID_CONFIGURATION', undefined, undefined]
  )
  assert.match(failures[0].message, /^`options\.embedded\.path`: .*Electron/)
  assert.equal(failures[0].argument, 'options.embedded.path')
})

test('each worker has its own default client', { timeout: 60_000 }, async t => {
  const focused = await program(
    t,
    `
    const { Worker } = require('node:worker_threads')
    link.openConversation(conversation)
    const code = 'const link = require(' + JSON.stringify(COMMONJS) + '); require("node:worker_threads").parentPort.postMessage(link.getConversationId())'
    const [inside] = await require('node:events').once(new Worker(code, { eval: true }), 'message')
    return [inside, link.getConversationId()]`
  )
  assert.deepEqual(focused, [null, conversation])
})
