// A program with a polluted `Object.prototype`: no property of it reaches a client or an outcome.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SHAPES } from '../lib/options.js'
import { folder } from './support/afterwards.mjs'
import { run } from './support/child.mjs'
import { account, closedConversation, contact, conversation, data, emptyConversation, incident } from './support/sample.mjs'
import { emulator } from './support/stores.mjs'
import { serve } from './support/server.mjs'

/** The names of all options in a shape, nested ones included. */
function namesOf(shape) {
  if (Array.isArray(shape)) return namesOf(shape[0])
  return typeof shape === 'object' ? Object.keys(shape).concat(Object.values(shape).flatMap(namesOf)) : []
}

const options = Object.values(SHAPES).flatMap(namesOf)
const variables = [
  'DATAVERSE_URL',
  'AZURE_TENANT_ID',
  'AZURE_CLIENT_ID',
  'AZURE_CLIENT_SECRET',
  'AZURE_AUTHORITY_HOST',
  'OMNICHANNEL_LINK_LOG',
  'NODE_EXTRA_CA_CERTS',
  'HTTPS_PROXY',
  'https_proxy',
  'HTTP_PROXY',
  'http_proxy',
  'NO_PROXY',
  'no_proxy'
]
const results = [
  'status',
  'conversationId',
  'record',
  'previous',
  'current',
  'store',
  'requestId',
  'before',
  'after',
  'outcome',
  'error',
  'request',
  'customer',
  'case',
  'subject',
  'createdOn',
  'stands',
  'conversationStatus',
  'inserted',
  'updated',
  'moreRowsExist',
  'code',
  'message',
  'cause',
  'hint',
  'isRetryable',
  'maybeApplied',
  'httpStatus',
  'serviceCode',
  'serviceMessage',
  'retryAfterInMs',
  'candidates',
  'conversations',
  'rest',
  'token',
  'expiresOnTimestamp',
  'goodForInMs',
  'failure',
  'answer',
  'scope',
  'claims',
  'variables',
  'inElectron',
  'kind',
  'method',
  'durationInMs',
  'getToken',
  'agentId',
  'attributes',
  'status',
  'attributeName',
  'columns',
  '0',
  '1',
  '8',
  'aborted',
  'reason',
  'enumerable',
  'configurable',
  'writable',
  'value',
  'done',
  'isAborted',
  'shape',
  'call',
  'path',
  'message',
  'stack',
  'name'
]

/** Everything that a program sees of several calls. Runs in a separate process. */
async function scenario({ OmnichannelClient, createOmnichannel }, { url, credential, application, silent, path, data, ids }) {
  const { account, contact, incident, conversation, emptyConversation, closedConversation } = ids
  const seen = []
  const note = async (name, call) =>
    seen.push([
      name,
      await Promise.resolve()
        .then(call)
        .catch(error => (error.toJSON ? error.toJSON() : error))
    ])
  const all = async (name, list) => {
    for await (const each of list) seen.push([name, each])
  }
  const local = new OmnichannelClient({ embedded: { path } })
  for (const page of ['accounts', 'contacts', 'incidents', 'msdyn_ocliveworkitems'])
    await note('import', () => local.importRecords(`${data}${page}.json`, {}))
  const remote = new OmnichannelClient({ dataverse: { url, credential: async () => ({ token: credential }), proxy: async () => 'DIRECT' } })
  for (const client of [local, remote]) {
    for (const name of ['linked', 'replaced', 'unlinked', 'failed', 'focus']) client.on(name, event => seen.push([name, { ...event }]))
    const target = [contact.entityLogicalName, contact.recordId, emptyConversation]
    await note('dry', () => client.linkToConversation(...target, { dryRun: true }))
    await note('link', () => client.linkToConversation(...target, {}))
    await note('again', () => client.linkToConversation(...target))
    await note('verify', async () => client.verify(await client.linkToConversation(...target)))
    await note('keep', () =>
      client.linkToConversation(account.entityLogicalName, account.recordId, emptyConversation, { ifLinked: 'keep' })
    )
    await note('reject', () =>
      client.linkToConversation(account.entityLogicalName, account.recordId, emptyConversation, { ifLinked: 'reject' })
    )
    await note('unlink', () => client.unlinkFromConversation(...target, Object.create({})))
    await note('not linked', () => client.unlinkFromConversation(...target))
    await note('closed', () => client.linkToConversation(incident.entityLogicalName, incident.recordId, closedConversation))
    await note('no options', () =>
      client.linkToConversation(incident.entityLogicalName, incident.recordId, emptyConversation, new Proxy({ dryRun: true }, {}))
    )
    await note('throws', () =>
      client.linkToConversation(...target, {
        get dryRun() {
          throw new Error('mine')
        }
      })
    )
    await note('many', () => client.waitForConversation({ statuses: ['active'] }))
    await note('focus', () => client.openConversation(conversation))
    await note('records', () => client.getConversation())
    await note('conversation', () => client.getConversation(conversation))
    await note('of a record', () => client.getConversations({ record: account }).next())
    await note('record', () => client.findRecord('contact', { emailaddress1: 'ana.testa@example.com' }))
    await note('wait', () => client.waitForConversation({ record: account, timeoutInMs: 1 }))
    await all('conversations', client.getConversations({}))
    await all('bulk', client.linkMany([{ ...incident, conversationId: emptyConversation }, { ...incident }, incident], { dryRun: true }))
    const page = createOmnichannel(client)
    await note('page', () => page.getConversations({ agentId: contact.recordId }).then(answer => ({ ...answer, error: undefined })))
    await note('page link', () =>
      page.linkToConversation('account', 'x', conversation).catch(({ currentReqId, ...refused }) => ({ id: currentReqId, ...refused }))
    )
    await note('close', () => client.close())
  }
  process.env.DATAVERSE_URL = url
  await note('a URL alone', () => new OmnichannelClient({}).getConversation(conversation))
  delete process.env.DATAVERSE_URL
  // Without this the authority of this machine would be unknown.
  await note('no authority', () => new OmnichannelClient({ dataverse: { url, credential: application } }))
  await note('no credential', () => new OmnichannelClient({ dataverse: { url } }))
  await note('no token', () => new OmnichannelClient({ dataverse: { url, credential: async () => ({}) } }).getConversation(conversation))
  await note('an empty credential', () => new OmnichannelClient({ dataverse: { url, credential: {} } }))
  await note('no proxy', () =>
    new OmnichannelClient({ dataverse: { url: silent, credential: 'token', retryOptions: { maxRetries: 0 } } }).getConversation(
      conversation
    )
  )
  await note('default', () => new OmnichannelClient().getConversation(conversation))
  await note('aborted', () => new OmnichannelClient({}).getConversation(conversation, { signal: AbortSignal.abort('stopped') }))
  await note('no signal', () => new OmnichannelClient({}).getConversation(conversation, { signal: {} }))
  const differs = /^(requestId|serviceRequestId|currentReqId|durationInMs)$/
  return JSON.stringify(seen, (name, value) => (differs.test(name) ? undefined : value)).replaceAll(path, 'FILE')
}

/** Defines each of these names, makes the calls, and removes the name. */
async function polluted(names, kind, call) {
  const values = {
    text: 'https://evil.example',
    truth: true,
    number: 8,
    object: {},
    method() {
      return 'https://evil.example'
    }
  }
  for (const name of names) {
    const accessor = { get: () => 'https://evil.example', set() {}, configurable: true }
    // oxlint-disable-next-line eslint/no-extend-native -- like a program that merges untrusted input
    Object.defineProperty(Object.prototype, name, {
      __proto__: null,
      ...(kind === 'accessor' ? accessor : { value: values[kind], writable: true, enumerable: true, configurable: true })
    })
  }
  try {
    return await call()
  } finally {
    for (const name of names) delete Object.prototype[name]
  }
}

async function given(t) {
  const { url, credential, application } = await emulator(t)
  const silent = await serve(t, (_, response) => response.destroy())
  return {
    url,
    credential,
    application,
    silent: silent.url,
    data,
    ids: { account, contact, incident, conversation, emptyConversation, closedConversation }
  }
}

const program = `
  ${scenario}
  ${polluted}
  const { join } = require('node:path')
  let file = 0
  const play = () => scenario(link, { ...values, path: join(process.cwd(), 'links' + file++ + '.db') });`

const everything = [...new Set([...options, ...variables, ...results])]
// The engine's own arrays break if an index is an accessor.
const names = everything.filter(name => !/^\d/.test(name))
// One name must not hide the effect of another.
const groups = [
  [everything, 'text'],
  [everything, 'truth'],
  [everything, 'number'],
  [everything, 'object'],
  [everything, 'method'],
  [names, 'accessor']
]
const alone = [options, variables, results, ['dryRun'], ['cause'], ['claims'], ['failure'], ['record']].map(names => [names, 'text'])

for (const [names, kind] of [...groups, ...alone]) {
  test(`Object.prototype is ignored: ${names.length} names, each a ${kind}`, { timeout: 120_000 }, async t => {
    const values = await given(t)
    const told = await run(
      t,
      `${program}
      (async () => {
        // First, because it loads every part of the package. Node cannot load a module while Object.prototype has a \`signal\`.
        const clean = await play()
        const dirty = await polluted(names, kind, play)
        console.log(JSON.stringify({ clean: JSON.parse(clean), dirty: JSON.parse(dirty) }))
      })()`,
      { cwd: folder(t), values, names, kind }
    )
    assert.ok(told.clean.length > 50)
    assert.deepEqual(told.dirty, told.clean)
  })
}
