// The Electron kit without Electron: the real main.js and preload.js, connected by structured clones.
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { describe, test } from 'node:test'
import { LinkError } from 'omnichannel-link'
import { serveOmnichannel } from 'omnichannel-link/electron'
import { shell } from './support/electron.mjs'
import { refused, throws } from './support/expect.mjs'
import { link, unlink } from './support/page-scripts.mjs'
import { account, contact, conversation, emptyConversation, incident, missingId } from './support/sample.mjs'
import { arrival, row, serve } from './support/server.mjs'
import { client as clientOf, emptyEmbedded, stores } from './support/stores.mjs'

const linkIncident = `Microsoft.Omnichannel.linkToConversation('incident', '${incident.recordId}')`
const getId = 'Microsoft.Omnichannel.getConversationId()'

for (const [name, open] of Object.entries(stores)) {
  describe(name, () => {
    test("the documentation's scripts run unchanged in a window", { timeout: 60_000 }, async t => {
      const { client, read } = await open(t)
      const refreshed = []
      const { one } = shell(t, client, { onRefreshTab: (tab, webContents) => refreshed.push([tab, webContents]) })
      // The script does not return the promise of refreshTab, so another call follows it.
      for (const script of [link, unlink, link]) {
        await one.run(script)
        await refused(one.run(getId))
      }
      assert.deepEqual(
        refreshed,
        [1, 2, 3].map(() => ['tab-id-3', one.webContents])
      )
      assert.deepEqual(await read(conversation), { customer: account, case: incident })
    })

    test('every window has its own focus', { timeout: 60_000 }, async t => {
      const { client, read } = await open(t)
      const opened = []
      const { one, other, ...service } = shell(t, client, { onOpenConversation: (id, webContents) => opened.push([id, webContents]) })
      client.openConversation(conversation)
      assert.equal((await refused(one.run(linkIncident))).error.code, 'NO_FOCUSED_CONVERSATION')
      service.focus(one.webContents, `{${emptyConversation.toUpperCase()}}`)
      assert.equal(service.getConversationId(one.webContents), emptyConversation)
      assert.equal(service.getConversationId(other.webContents), null)
      assert.equal(await one.run(getId), emptyConversation)
      assert.equal((await refused(other.run(getId))).message, "Couldn't fetch LiveWorkItemId from session context")

      const success = await other.run(`Microsoft.Omnichannel.openConversation('${conversation}')`)
      assert.equal(success.liveWorkItemId, conversation)
      assert.deepEqual(opened, [[conversation, other.webContents]])
      assert.equal((await other.run(linkIncident)).liveWorkItemId, conversation)
      assert.equal((await one.run(linkIncident)).liveWorkItemId, emptyConversation)
      assert.deepEqual(await other.run('Microsoft.Omnichannel.getLinkedRecords()'), [
        { entityName: 'account', recordId: account.recordId },
        { entityName: 'incident', recordId: incident.recordId }
      ])
      assert.deepEqual(service.getWindows(conversation.toUpperCase()), [other.webContents])
      service.focus(other.webContents, null)
      assert.deepEqual(service.getWindows(conversation), [])
      await refused(other.run(getId))
      assert.deepEqual(await read(emptyConversation), { customer: null, case: incident })
    })
  })
}

test('a call uses the conversation that is focused when it arrives', { timeout: 60_000 }, async t => {
  const server = await serve(t, (request, response) => row(response, conversation))
  const { one, ...service } = shell(t, clientOf(t, { dataverse: server.dataverse }))
  service.focus(one.webContents, conversation)
  const arrived = arrival(server.server, 'GET')
  const linking = one.run(linkIncident)
  const { request } = await arrived
  assert.match(request.url, new RegExp(conversation))
  service.focus(one.webContents, emptyConversation)
  await refused(linking)
  assert.equal(await one.run(getId), emptyConversation)
})

test('errors keep their code in the page and become errors again', { timeout: 60_000 }, async t => {
  const { client } = await stores.dataverse(t)
  const { one } = shell(t, client)
  const failure = await refused(one.run(`Microsoft.Omnichannel.linkToConversation('incident', '${incident.recordId}', '${missingId}')`))
  assert.equal(failure.status, 'failure')
  assert.equal(failure.error.code, 'CONVERSATION_NOT_FOUND')
  assert.equal(failure.message, failure.error.message)
  const error = LinkError.fromJSON(failure.error)
  assert.ok(error instanceof LinkError)
  assert.equal(error.requestId, failure.currentReqId)
  const query = await refused(one.run('Microsoft.Omnichannel.getConversations({})'))
  assert.deepEqual(
    [query.status, query.error.code, query.error.message],
    [false, 'INVALID_ARGUMENT', 'Missing key "agentId" in input object']
  )
})

test('a destroyed window is forgotten, and its calls finish', { timeout: 60_000 }, async t => {
  const server = await serve(t)
  const refreshed = []
  const client = clientOf(t, { dataverse: server.dataverse })
  const { one, other, ...service } = shell(t, client, { onRefreshTab: tab => refreshed.push(tab) })
  service.focus(one.webContents, conversation)
  const arrived = arrival(server.server, 'GET')
  void one.run(linkIncident).catch(() => {})
  const { request } = await arrived
  const answered = once(one.webContents, 'answered')
  one.destroy()
  assert.equal(service.getConversationId(one.webContents), null)
  assert.deepEqual(service.getWindows(conversation), [])
  request.socket.destroy()
  await answered
  service.focus(one.webContents, conversation)
  assert.deepEqual(service.getWindows(conversation), [], 'it does not come back')
  // A message still in flight when the window closed.
  const late = once(one.webContents, 'answered')
  void one.run('Microsoft.Apm.refreshTab("tab")')
  await late
  assert.deepEqual(refreshed, [])
  await other.run('Microsoft.Apm.refreshTab("tab")')
  assert.deepEqual(refreshed, ['tab'])
})

test('links notify the shell and, on request, the pages of that conversation', { timeout: 60_000 }, async t => {
  const client = (await stores.embedded(t)).client
  const { one, other, open, ...service } = shell(t, client, { forwardEvents: true })
  const foreign = open('https://evil.example')
  for (const window of [one, foreign]) service.focus(window.webContents, conversation)
  service.focus(other.webContents, emptyConversation)
  const windows = [one, other, foreign]
  for (const window of windows)
    window.run(`addEventListener('omnichannel-link', event => seen.push([event.detail.type, event.detail.conversationId]))`)
  const concerned = []
  client.on('replaced', ({ conversationId }) => concerned.push(...service.getWindows(conversationId)))
  await client.linkToConversation('contact', contact.recordId, conversation)
  await client.unlinkFromConversation('contact', contact.recordId, conversation)
  service.focus(other.webContents, null)
  await refused(client.linkToConversation('contact', contact.recordId))
  // Messages keep their order, so these replies come after the events.
  for (const window of windows) await window.run(`${getId}.catch(() => {})`)
  assert.deepEqual(
    windows.map(window => structuredClone(window.run('seen'))),
    [
      [
        ['replaced', conversation],
        ['unlinked', conversation]
      ],
      [],
      []
    ]
  )
  assert.deepEqual(concerned, [one.webContents, foreign.webContents])
  service.close()
  await client.linkToConversation('contact', contact.recordId, conversation)
  assert.equal(one.run('seen.length'), 2)
  await assert.rejects(one.run(getId), /No handler registered/)
})

test('a window that closes during a lookup does not open the conversation', { timeout: 60_000 }, async t => {
  const opened = []
  const lookups = new EventEmitter()
  const client = {
    linkToConversation() {},
    getConversation: async conversationId => {
      lookups.emit('begun')
      await once(lookups, 'over')
      return { conversationId }
    }
  }
  const { one, other } = shell(t, client, { onOpenConversation: id => opened.push(id) })
  for (const window of [one, other]) {
    const begun = once(lookups, 'begun')
    const answered = once(window.webContents, 'answered')
    void window.run(`Microsoft.Omnichannel.openConversation('${conversation}')`)
    await begun
    if (window === one) one.destroy()
    lookups.emit('over')
    await answered
  }
  assert.deepEqual(opened, [conversation], 'only the other window opened it')
})

test('a focus set by the program during a lookup is kept', { timeout: 60_000 }, async t => {
  const lookups = new EventEmitter()
  const opened = []
  const client = {
    linkToConversation() {},
    getConversation: async conversationId => {
      lookups.emit('begun')
      await once(lookups, 'over')
      return { conversationId }
    }
  }
  const { one, ...service } = shell(t, client, { onOpenConversation: id => opened.push(id) })
  for (const focused of [emptyConversation, emptyConversation, null]) {
    const begun = once(lookups, 'begun')
    const opening = one.run(`Microsoft.Omnichannel.openConversation('${conversation}')`)
    await begun
    service.focus(one.webContents, focused)
    lookups.emit('over')
    assert.equal((await opening).status, 'success')
    assert.equal(service.getConversationId(one.webContents), focused)
  }
  assert.deepEqual(opened, [])
  assert.equal(one.webContents.listenerCount('destroyed'), 1)
})

test('an event carries its error as data, and no listener stays after the end', { timeout: 60_000 }, async t => {
  const client = Object.assign(new EventEmitter(), { linkToConversation() {} })
  const { one, focus, close } = shell(t, client, { forwardEvents: true })
  focus(one.webContents, conversation)
  one.run(`addEventListener('omnichannel-link', ({ detail: { type, error } }) => seen.push([type, error.code]))`)
  client.emit('failed', { conversationId: conversation, error: LinkError.fromJSON({ code: 'CONFLICT', message: 'x' }) })
  await one.run(getId)
  assert.deepEqual(structuredClone(one.run('seen')), [['failed', 'CONFLICT']])
  assert.deepEqual(client.eventNames(), ['linked', 'replaced', 'unlinked', 'failed'])
  close()
  assert.deepEqual(client.eventNames(), [])
})

test('a client can have one kit at a time', { timeout: 60_000 }, t => {
  const { client } = emptyEmbedded(t)
  const { ipcMain, close } = shell(t, client)
  throws(() => serveOmnichannel({ ipcMain, client, allow: [] }), 'INVALID_CONFIGURATION', /already in use/, {
    hint: 'Call serveOmnichannel once, or close the service that it returned before.'
  })
  close()
  serveOmnichannel({ ipcMain, client, allow: [] })
})

test('without a handler refreshTab is rejected', { timeout: 60_000 }, async t => {
  const { one } = shell(t, emptyEmbedded(t).client)
  const { component, error } = await refused(one.run('Microsoft.Apm.refreshTab("tab-id-3")'))
  assert.deepEqual([component, error.code], ['refreshTab', 'INVALID_CONFIGURATION'])
})

test('functions ignore extra arguments, as in Node', { timeout: 60_000 }, async t => {
  const { client } = await stores.embedded(t)
  const refreshed = []
  const { one } = shell(t, client, { onRefreshTab: (...values) => refreshed.push(values) })
  const records = await one.run(`Microsoft.Omnichannel.openConversation('${conversation}').then(Microsoft.Omnichannel.getLinkedRecords)`)
  assert.deepEqual(records, [{ entityName: 'account', recordId: account.recordId }])
  assert.equal(await one.run(`${linkIncident}.then(Microsoft.Omnichannel.getConversationId)`), conversation)
  assert.equal(await one.run('Microsoft.Omnichannel.getConversationId({ isTrusted: true })'), conversation)
  const query = `{ agentId: '${conversation}' }`
  assert.equal((await one.run(`Microsoft.Omnichannel.getConversations(${query}, { correlation: 5 })`)).status, true)
  await one.run('Microsoft.Apm.refreshTab("tab", { animate: true })')
  assert.deepEqual(refreshed, [['tab', one.webContents]])
})
