// Access to the Electron kit, without Electron: which pages may call it, with which values, and the options that decide this.
import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { serveOmnichannel } from 'omnichannel-link/electron'
import { ORIGIN, electron, shell } from './support/electron.mjs'
import { refused, throws } from './support/expect.mjs'
import { conversation, incident } from './support/sample.mjs'
import { client as clientOf, emptyEmbedded, stores } from './support/stores.mjs'

const linkIncident = `Microsoft.Omnichannel.linkToConversation('incident', '${incident.recordId}')`
const getId = 'Microsoft.Omnichannel.getConversationId()'

test('pages that are not allowed get nothing, not even the focus', { timeout: 60_000 }, async t => {
  const { client } = await stores.embedded(t)
  const { open, one, ...service } = shell(t, client)
  for (const origin of ['https://evil.example', 'app://desktop.evil', 'app://', 'null', '', undefined]) {
    const window = open(origin)
    service.focus(window.webContents, conversation)
    for (const script of [linkIncident, getId, 'Microsoft.Apm.refreshTab("tab")']) {
      const { error } = await refused(window.run(script))
      assert.deepEqual([error.code, error.hint], ['FORBIDDEN', undefined])
    }
  }
  // The page navigated while its message was in flight.
  one.frame = null
  assert.equal((await refused(one.run(getId))).error.code, 'FORBIDDEN')
})

test('the origins of the calling frame and of the receiving page are checked', { timeout: 60_000 }, async t => {
  const client = Object.assign(new EventEmitter(), { linkToConversation() {} })
  const { one: within, other: around, focus } = shell(t, client, { forwardEvents: true })
  within.frame = { origin: 'https://advertisement.example' }
  around.mainFrame = { origin: 'https://portal.example' }
  for (const window of [within, around]) {
    focus(window.webContents, conversation)
    window.run(`addEventListener('omnichannel-link', event => seen.push(event.detail.type))`)
  }
  client.emit('linked', { conversationId: conversation })
  assert.equal((await refused(within.run(getId))).error.code, 'FORBIDDEN')
  assert.equal(await around.run(getId), conversation)
  assert.deepEqual(
    [within, around].map(window => structuredClone(window.run('seen'))),
    [['linked'], []]
  )
})

test('a function can decide which pages are allowed', { timeout: 60_000 }, async t => {
  const frames = []
  const allow = frame => {
    frames.push(frame)
    return frame.origin === 'https://yes.example' || 'true'
  }
  const { one, open, focus } = shell(t, emptyEmbedded(t).client, { allow })
  const yes = open('https://yes.example')
  focus(yes.webContents, conversation)
  assert.equal(await yes.run(getId), conversation)
  assert.equal((await refused(one.run(getId))).error.code, 'FORBIDDEN', 'only true allows')
  assert.equal(frames.length, 2)
  assert.equal(frames[0], yes.frame)
  assert.equal(frames[1], one.frame)
})

test('pages can pass ids and nothing else', { timeout: 60_000 }, async t => {
  const calls = []
  const client = {
    linkToConversation: async (...values) => {
      calls.push(values)
      return { conversationId: conversation, requestId: '' }
    }
  }
  const { one, ipcMain } = shell(t, client)
  await one.run(`Microsoft.Omnichannel.linkToConversation('incident', 'r', 'c', { linkableStatuses: ['closed'] })`)
  assert.deepEqual(calls, [['incident', 'r', 'c']])
  for (const values of ['5', '{}', '["x"]', `'${'x'.repeat(257)}'`]) {
    const { error } = await refused(one.run(`Microsoft.Omnichannel.linkToConversation('incident', ${values}, 'c')`))
    assert.equal(error.code, 'INVALID_ARGUMENT')
  }
  const uncloneable = await refused(one.run(`Microsoft.Omnichannel.linkToConversation('incident', 'r', () => 'c')`))
  assert.deepEqual([uncloneable.functionName, uncloneable.error.code], ['linkToConversation API', 'INVALID_ARGUMENT'])
  assert.equal((await refused(one.run(`Microsoft.Omnichannel.getConversations({ agentId: () => 'a' })`))).status, false)
  assert.equal(calls.length, 1)

  // A compromised renderer sends any message on the channel.
  let handler
  ipcMain.handle = (_channel, given) => (handler = given)
  serveOmnichannel({ ipcMain, client, allow: [ORIGIN] })
  const event = { sender: one.webContents, senderFrame: one.frame }
  for (const [name, values] of [
    ['constructor', []],
    ['__proto__', []],
    ['importRecords', ['/etc/passwd']],
    ['close', []],
    ['toString', []],
    [undefined, []],
    [{ toString: 5 }, []],
    [['linkToConversation'], ['incident', 'r', 'c']],
    [NaN, []],
    ['linkToConversation', undefined],
    ['linkToConversation', { length: 3 }],
    ['linkToConversation', ['incident', 'r', 'c', {}]]
  ]) {
    const { failure } = await handler(event, name, values)
    assert.deepEqual(
      [failure.status, typeof failure.component, failure.error.code],
      ['failure', 'string', 'INVALID_ARGUMENT'],
      inspect(name)
    )
  }
  assert.equal(calls.length, 1)
})

test('no token reaches a page', { timeout: 60_000 }, async t => {
  const { url, credential } = (await stores.dataverse(t)).emulator
  const client = clientOf(t, {
    dataverse: {
      url,
      credential: async () => {
        throw new Error(`the vault says ${credential}`)
      }
    }
  })
  const { one } = shell(t, client)
  const seen = await refused(one.run(`Microsoft.Omnichannel.linkToConversation('incident', '${incident.recordId}', '${conversation}')`))
  assert.equal(seen.error.code, 'AUTHENTICATION_FAILED')
  assert.ok(!JSON.stringify(seen).includes(credential))
})

test('invalid options are rejected by name', { timeout: 60_000 }, t => {
  const { ipcMain } = electron(t)
  const { client } = emptyEmbedded(t)
  const rejected = [
    [undefined, /`options\.ipcMain`/],
    [{ ipcMain: {}, client, allow: [] }, /`options\.ipcMain`/],
    [{ ipcMain, allow: [] }, /`options\.client`/],
    [{ ipcMain, client }, /`options\.allow`/],
    [{ ipcMain, client, allow: ORIGIN }, /`options\.allow`/],
    [{ ipcMain, client, allow: [], onRefreshTab: 'reload' }, /`options\.onRefreshTab`/],
    [{ ipcMain, client, allow: [], forwardEvents: 'no' }, /`options\.forwardEvents`/],
    [{ ipcMain, client: { linkToConversation() {} }, allow: [], forwardEvents: true }, /`options\.client`/],
    [{ ipcMain, client, allow: [], origins: [] }, /`options\.origins`: unknown option/]
  ]
  for (const origin of [
    '*',
    'null',
    '',
    'https://agent.example/',
    'https://Agent.example',
    'https://agent.example:443',
    'https://*.example',
    'https://bücher.example',
    'https://me@agent.example',
    'app://',
    'app://*',
    'app://Desktop',
    'app://desktop ',
    'app://desktop/index.html',
    'app://desktop:80',
    'app://user@desktop',
    'app://bücher',
    'file://x',
    'blob:https://agent.example',
    'agent.example',
    ['app://desktop'],
    5,
    undefined
  ]) {
    rejected.push([{ ipcMain, client, allow: ['file://', origin] }, /`options\.allow`: expected origins as Chromium writes them/])
  }
  for (const [options, message] of rejected) throws(() => serveOmnichannel(options), 'INVALID_CONFIGURATION', message)
  serveOmnichannel({
    ipcMain,
    client,
    allow: [
      'file://',
      'app://desktop',
      'app://.',
      'app://xn--bcher-kva.example',
      'https://agent.example.',
      'https://agent.example:8443',
      'http://localhost:3000',
      'http://[::1]:8080'
    ]
  })
  const { focus, getWindows, one } = shell(t, client)
  for (const id of ['', 'x', undefined, 5, `{${conversation}`, {}]) {
    throws(() => focus(one.webContents, id), 'INVALID_ARGUMENT', /`conversationId`/)
    throws(() => getWindows(id), 'INVALID_ARGUMENT', /`conversationId`/)
  }
})

test('a window is identified by its webContents only', { timeout: 60_000 }, t => {
  const { focus, getConversationId, one } = shell(t, emptyEmbedded(t).client)
  const browserWindow = Object.assign(new EventEmitter(), { isDestroyed: () => false, webContents: one.webContents })
  for (const value of [browserWindow, undefined, null, 5, 'window', {}]) {
    throws(() => focus(value, conversation), 'INVALID_ARGUMENT', /`webContents`/)
    throws(() => getConversationId(value), 'INVALID_ARGUMENT', /`webContents`/)
  }
  assert.equal(getConversationId(one.webContents), null)
})

test('main and preload use the same channels, and the preload needs only Electron', () => {
  const require = createRequire(import.meta.url)
  const [main, preload] = ['omnichannel-link/electron', 'omnichannel-link/preload'].map(name => readFileSync(require.resolve(name), 'utf8'))
  const [sends, listens] = [preload, main].map(text => text.match(/'omnichannel-link:\w+'/g))
  assert.deepEqual(sends, listens)
  assert.deepEqual(preload.match(/require\([^)]*\)/g), ["require('electron')"])
})
