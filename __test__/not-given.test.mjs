// An undefined option is the same as an absent one.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createOmnichannel } from 'omnichannel-link'
import { serveOmnichannel } from 'omnichannel-link/electron'
import { client, emulator, stores } from './support/stores.mjs'
import { account, contact, conversation, emptyConversation, page } from './support/sample.mjs'

const nothing = (...names) => Object.fromEntries(names.map(name => [name, undefined]))
const everywhere = ['signal', 'timeoutInMs']
const asWhom = [...everywhere, 'callerObjectId', 'traceparent']

for (const [name, prepare] of Object.entries(stores)) {
  test(`${name}: every call accepts undefined options`, { timeout: 60_000 }, async t => {
    const { client, make } = await prepare(t)
    const { entityLogicalName, recordId } = contact
    const target = [entityLogicalName, recordId, emptyConversation]
    const linking = nothing(...asWhom, 'linkableStatuses', 'ifLinked', 'dryRun')
    const linked = await client.linkToConversation(...target, linking)
    assert.equal(linked.status, 'linked')
    assert.equal((await client.unlinkFromConversation(...target, nothing(...asWhom, 'dryRun'))).status, 'unlinked')
    for (const method of ['linkMany', 'unlinkMany']) {
      const requests = [{ ...contact, conversationId: emptyConversation }]
      for await (const { error } of client[method](requests, nothing(...asWhom, 'onProgress', 'dryRun'))) assert.equal(error, undefined)
    }
    const reading = nothing(...asWhom)
    assert.equal((await client.verify(linked, reading)).stands, false)
    await client.getConversation(conversation, reading)
    await client.findRecord('contact', { emailaddress1: 'ana.testa@example.com' }, reading)
    const all = nothing(...asWhom, 'agentId', 'record', 'statuses', 'createdBeforeDays', 'orderBy', 'top')
    assert.ok((await client.getConversations({ ...all, orderBy: [{ property: 'subject', descending: undefined }] }).next()).value)
    const waiting = { ...nothing('agentId', 'statuses', ...everywhere), record: account }
    await client.waitForConversation(waiting).catch(({ code }) => assert.equal(code, 'AMBIGUOUS'))
    assert.equal((await client.diagnose(nothing(...everywhere))).healthy, true)
    if (name === 'embedded') await client.importRecords(page('accounts'), nothing(...everywhere, 'onProgress'))
    assert.equal((await make(nothing('timeoutInMs')).getConversation(conversation)).conversationId, conversation)
    const query = { agentId: recordId, ...nothing('attributes', 'status', 'orderBy', 'createdBeforeDays') }
    assert.equal((await createOmnichannel(client, undefined).getConversations(query, undefined)).status, true)
  })
}

test('a Dataverse client accepts undefined options', { timeout: 60_000 }, async t => {
  const { url, application } = await emulator(t)
  const others = nothing(
    'callerObjectId',
    'retryOptions',
    'maxConcurrency',
    'proxy',
    'caCertificates',
    'application',
    'optimisticConcurrency'
  )
  const credential = { ...application, authorityHost: url }
  await client(t, {
    dataverse: { ...others, retryOptions: nothing('maxRetries', 'retryDelayInMs', 'maxRetryDelayInMs'), url, credential }
  }).getConversation(conversation)
  const made = client(t, {
    dataverse: { url: 'https://contoso.crm4.dynamics.com', credential: { ...application, authorityHost: undefined } }
  })
  const ipcMain = { handle() {}, removeHandler() {} }
  serveOmnichannel({ ipcMain, client: made, allow: [], ...nothing('onRefreshTab', 'onOpenConversation', 'forwardEvents') }).close()
})
