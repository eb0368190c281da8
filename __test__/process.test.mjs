// The addon and its process: threads, workers, staying alive, and exit.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import * as namespace from 'omnichannel-link'
import { folder } from './support/afterwards.mjs'
import { run, start } from './support/child.mjs'
import { account, contact, conversation, conversations, data, incident, numbered, page } from './support/sample.mjs'
import { arrival, row, serve } from './support/server.mjs'
import { emulator } from './support/stores.mjs'

const require = createRequire(import.meta.url)
const contacts = page('contacts', { contactid: contact.recordId })

test('ESM and CommonJS share the same exports', async () => {
  const required = require('omnichannel-link')
  assert.equal(require('omnichannel-link'), required)
  assert.equal(namespace.default, required)
  const { default: _, 'module.exports': __, ...named } = namespace
  assert.deepEqual(named, { ...required })
  assert.deepEqual(Object.keys(required), [
    'LinkError',
    'OmnichannelClient',
    'closeConversation',
    'configure',
    'createOmnichannel',
    'defaultClient',
    'focusConversation',
    'getConversationId',
    'linkToConversation',
    'openConversation',
    'unlinkFromConversation'
  ])
  assert.equal((await import('omnichannel-link')).OmnichannelClient, required.OmnichannelClient)
})

test('only the public files can be imported', () => {
  assert.throws(() => require('omnichannel-link/lib/binding.js'), { code: 'ERR_PACKAGE_PATH_NOT_EXPORTED' })
  assert.equal(require('omnichannel-link/package.json').name, 'omnichannel-link')
})

test('require starts no thread; the first call does', { skip: process.platform !== 'linux', timeout: 60_000 }, async t => {
  const code = `
    const { readdirSync, readFileSync } = require('node:fs')
    const threads = () => readdirSync('/proc/self/task').map(id => readFileSync('/proc/self/task/' + id + '/comm', 'utf8').trim())
    const ours = () => threads().filter(name => name.startsWith('omnichannel')).sort()
    const before = threads().length
    const { OmnichannelClient } = require(PACKAGE)
    const required = threads().length
    const client = new OmnichannelClient({ embedded: { path: 'links.db' } })
    client.openConversation('${conversation}')
    const made = threads().length
    client.linkToConversation('account', '${account.recordId}').catch(function finish({ code }) {
      const called = ours()
      // A thread names itself, which may come after the answer.
      if (called.length < 2) return setImmediate(finish, { code })
      client.close().then(() => console.log(JSON.stringify({ code, before, required, made, called })))
    })`
  // Not through the require of the helper.
  const {
    before,
    required,
    made,
    called,
    code: refused
  } = await run(t, code, { cwd: folder(t), COMMONJS: 'node:fs', PACKAGE: require.resolve('omnichannel-link') })
  assert.equal(refused, 'CONVERSATION_NOT_FOUND')
  assert.equal(required, before)
  assert.equal(made, before)
  assert.deepEqual(called, ['omnichannel-db', 'omnichannel-io'])
})

test('require loads only the class of clients, and a first link only what it needs', { timeout: 60_000 }, async t => {
  const code = `
    const loaded = () => Object.keys(require.cache).filter(name => name.startsWith(ROOT) && name.endsWith('.js')).map(name => name.slice(ROOT.length)).sort()
    const { OmnichannelClient } = require(PACKAGE)
    const required = loaded()
    const client = new OmnichannelClient({ embedded: { path: 'links.db' } })
    client.linkToConversation('account', '${account.recordId}', '${conversation}').catch(({ code }) => {
      client.close().then(() => console.log(JSON.stringify({ code, required, linked: loaded() })))
    })`
  const PACKAGE = require.resolve('omnichannel-link')
  // Not through the require of the helper.
  const {
    required,
    linked,
    code: refused
  } = await run(t, code, { cwd: folder(t), COMMONJS: 'node:fs', PACKAGE, ROOT: join(PACKAGE, '..', '/') })
  assert.equal(refused, 'CONVERSATION_NOT_FOUND')
  assert.deepEqual(required, ['index.js', 'lib/binding.js', 'lib/client.js', 'lib/link-error.js'])
  assert.deepEqual(
    linked.filter(name => !required.includes(name)),
    ['call', 'callbacks', 'channels', 'client-options', 'events', 'options', 'outcome', 'validate'].map(name => `lib/${name}.js`)
  )
})

test('an idle open client does not keep the process alive', { timeout: 60_000 }, async t => {
  const { url, credential } = await emulator(t)
  const { code, stdout, stderr } = await start(
    t,
    `
    (async () => {
      const local = new link.OmnichannelClient({ embedded: { path: 'links.db' } })
      const remote = new link.OmnichannelClient({ dataverse: { url, credential: async () => credential } })
      await local.importRecords(data + 'accounts.json', { onProgress() {} })
      remote.openConversation(conversation)
      console.log((await remote.linkToConversation('incident', incident.recordId)).status)
    })()`,
    { cwd: folder(t), url, credential, conversation, incident, data }
  ).ended
  assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: 'linked\n', stderr: '' })
})

test('a pending call keeps the process alive', { timeout: 60_000 }, async t => {
  for (const credential of ["'token'", "async () => 'token'"]) {
    const server = await serve(t)
    const arrived = arrival(server.server, 'GET')
    const { ended } = start(
      t,
      `
      process.on('beforeExit', () => console.log('idle'))
      new link.OmnichannelClient({ dataverse: { url, credential: ${credential} } })
        .linkToConversation('contact', contact.recordId, conversation)
        .then(({ status }) => console.log(status))`,
      { url: server.url, contact, conversation }
    )
    const answered = new Promise(resolve => server.server.once('request', (_, response) => resolve(response)))
    await arrived
    // As long as an idle process takes.
    spawnSync(process.execPath, ['--eval', ''])
    row(await answered, conversation, { customer: contact })
    const { code, stdout } = await ended
    assert.deepEqual({ code, stdout }, { code: 0, stdout: 'alreadyLinked\nidle\n' })
  }
})

test('process.exit works at once with fifty pending calls', { timeout: 60_000 }, async t => {
  const server = await serve(t)
  const arrived = arrival(server.server, 'GET')
  const { child, ended } = start(
    t,
    `
    const remote = new link.OmnichannelClient({ dataverse: { url, credential: async () => 'token' } })
    const local = new link.OmnichannelClient({ embedded: { path: 'links.db' } })
    local.importRecords(page).then(() => {
      for (const { activityid } of page.value) remote.linkToConversation('contact', contact.recordId, activityid)
      process.stdin.once('data', () => {
        for (const { activityid } of page.value) local.linkToConversation('contact', contact.recordId, activityid)
        process.exit(7)
      })
    })`,
    { cwd: folder(t), url: server.url, page: conversations(50), contact }
  )
  await arrived
  child.stdin.write('\n')
  const { code, signal, stderr } = await ended
  assert.deepEqual({ code, signal, stderr }, { code: 7, signal: null, stderr: '' })
})

test('five workers and the main thread link at once, each in its own file', { timeout: 60_000 }, async t => {
  const { outcomes, codes } = await run(
    t,
    `
    const { Worker } = require('node:worker_threads')
    const { once } = require('node:events')
    const work = async (link, name) => {
      const client = new link.OmnichannelClient({ embedded: { path: name + '.db' } })
      await client.importRecords(page)
      await client.importRecords(contacts)
      const linked = await Promise.all(page.value.map(row => client.linkToConversation('contact', contact.recordId, row.activityid)))
      await client.close()
      return linked.filter(({ status }) => status === 'linked').length
    }
    const code = 'const { parentPort, workerData } = require("node:worker_threads"); const { page, contacts, contact, COMMONJS } = workerData; (' + work +
      ')(require(COMMONJS), workerData.name).then(count => parentPort.postMessage(count))'
    const inWorker = async name => {
      const worker = new Worker(code, { eval: true, workerData: { name, page, contacts, contact, COMMONJS } })
      const exited = once(worker, 'exit')
      const [count] = await once(worker, 'message')
      return [count, (await exited)[0]]
    }
    Promise.all([work(link, 'main').then(count => [count, 0]), ...[1, 2, 3, 4, 5].map(number => inWorker('worker-' + number))])
      .then(all => console.log(JSON.stringify({ outcomes: all.map(([count]) => count), codes: all.map(([, code]) => code) })))`,
    { cwd: folder(t), page: conversations(200), contacts, contact }
  )
  assert.deepEqual(outcomes, Array(6).fill(200))
  assert.deepEqual(codes, Array(6).fill(0))
})

test('workers are terminated with calls pending, and the main thread goes on', { timeout: 60_000 }, async t => {
  const server = await serve(t)
  const { code, signal, stdout, stderr } = await start(
    t,
    `
    const { Worker } = require('node:worker_threads')
    const { once } = require('node:events')
    const code = \`
      const { parentPort, workerData } = require('node:worker_threads')
      const link = require(workerData.COMMONJS)
      const local = new link.OmnichannelClient({ embedded: { path: workerData.name } })
      const remote = new link.OmnichannelClient({ dataverse: { url: workerData.url, credential: async () => 'token' } })
      const silent = new link.OmnichannelClient({ dataverse: { url: workerData.url, credential: () => new Promise(() => {}) } })
      local.importRecords(workerData.page, { onProgress() {} }).then(() => {
        for (const { activityid } of workerData.page.value) {
          for (const client of [remote, silent, local]) client.linkToConversation('contact', workerData.contact.recordId, activityid).catch(() => {})
        }
        local.importRecords(workerData.page, { onProgress() {}, signal: new AbortController().signal })
        parentPort.postMessage('pending')
      })\`
    const one = async number => {
      const worker = new Worker(code, { eval: true, workerData: { name: number + '.db', url, page, contact, COMMONJS } })
      await once(worker, 'message')
      return worker.terminate()
    }
    (async () => {
      for (let round = 0; round < 4; round++) await Promise.all([0, 1, 2, 3, 4].map(number => one(number)))
      const client = new link.OmnichannelClient({ embedded: { path: 'main.db' } })
      console.log((await client.importRecords(page)).inserted)
    })()`,
    { cwd: folder(t), url: server.url, page: conversations(100), contact }
  ).ended
  assert.deepEqual({ code, signal, stdout, stderr }, { code: 0, signal: null, stdout: '100\n', stderr: '' })
})

test('workers are terminated while outcomes arrive', { timeout: 60_000 }, async t => {
  const { code, signal, stdout, stderr } = await start(
    t,
    `
    const { Worker } = require('node:worker_threads')
    const { once } = require('node:events')
    const code = \`
      const { parentPort, workerData } = require('node:worker_threads')
      const { page, contacts, contact } = workerData
      const { OmnichannelClient } = require(workerData.COMMONJS)
      const client = new OmnichannelClient({ embedded: { path: workerData.name } })
      function* list() {
        for (;;) for (const { activityid } of page.value) yield { ...contact, conversationId: activityid }
      }
      const link = async conversationId => {
        for (;;) await client.linkToConversation('contact', contact.recordId, conversationId)
      }
      Promise.all([client.importRecords(page), client.importRecords(contacts)]).then(async () => {
        for (const { activityid } of page.value) link(activityid)
        let count = 0
        for await (const _ of client.linkMany(list())) if (++count === 300) parentPort.postMessage('busy')
      })\`
    const one = async number => {
      const worker = new Worker(code, { eval: true, workerData: { name: number + '.db', page, contacts, contact, COMMONJS } })
      await once(worker, 'message')
      return worker.terminate()
    }
    (async () => {
      for (let round = 0; round < 5; round++) await Promise.all([0, 1, 2].map(number => one(number)))
      const client = new link.OmnichannelClient({ embedded: { path: 'main.db' } })
      console.log((await client.importRecords(page)).inserted)
    })()`,
    { cwd: folder(t), page: conversations(50), contacts, contact }
  ).ended
  assert.deepEqual({ code, signal, stdout, stderr }, { code: 0, signal: null, stdout: '50\n', stderr: '' })
})

test('promises that are not awaited settle before close() does', { timeout: 60_000 }, async t => {
  const settled = await run(
    t,
    `
    const client = new link.OmnichannelClient({ embedded: { path: 'links.db' } })
    const settled = []
    client.importRecords(page).then(({ inserted }) => settled.push(inserted))
    for (const { activityid } of page.value) client.linkToConversation('contact', contact.recordId, activityid).catch(({ code }) => settled.push(code))
    client.close().then(() => console.log(JSON.stringify(settled)))`,
    { cwd: folder(t), page: conversations(100), contact }
  )
  // In any order: one with more work on its way back may settle later.
  assert.deepEqual(settled.toSorted(), [100, ...Array(100).fill('RECORD_NOT_FOUND')])
})

test('an unhandled rejection ends the process as usual', { timeout: 60_000 }, async t => {
  const { code, stderr } = await start(t, "link.linkToConversation('lead', id, id)", { cwd: folder(t), id: numbered(1) }).ended
  assert.equal(code, 1)
  assert.match(stderr, /LinkError: `entityLogicalName`/)
})

test('the default file is in the working directory, wherever the package is', { timeout: 60_000 }, async t => {
  const cwd = folder(t)
  const hint = await run(t, "link.linkToConversation('account', id, id).catch(({ hint }) => console.log(JSON.stringify(hint)))", {
    cwd,
    id: numbered(1)
  })
  assert.ok(hint.includes(join(cwd, 'omnichannel-link.db')))
})
