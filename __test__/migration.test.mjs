// The statements of docs/migration.md about dynamics-web-api, one test per row of its table.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { DynamicsWebApi } from 'dynamics-web-api'
import { emulator, readServer } from './support/stores.mjs'
import { account, closedConversation, contact, conversation, emptyConversation, missingId } from './support/sample.mjs'

const collection = 'msdyn_ocliveworkitems'
const data = { 'msdyn_customer_msdyn_ocliveworkitem_contact@odata.bind': `/contacts(${contact.recordId})` }

async function prepared(t) {
  const server = await emulator(t)
  const asked = []
  const onTokenRefresh = async () => {
    asked.push('token')
    return server.credential
  }
  return { server, asked, api: new DynamicsWebApi({ serverUrl: server.url, dataApi: { version: '9.2' }, onTokenRefresh }) }
}

test('the guide names the tested version', () => {
  const { version } = createRequire(import.meta.url)('../node_modules/dynamics-web-api/package.json')
  assert.match(
    readFileSync(new URL('../docs/migration.md', import.meta.url), 'utf8'),
    new RegExp(`\`dynamics-web-api\` ${version.replaceAll('.', '\\.')} `)
  )
})

test('a conversation that does not exist is a 404, thanks to If-Match', async t => {
  const { server, api } = await prepared(t)
  await assert.rejects(api.update({ collection, key: missingId, data }), { status: 404 })
  assert.equal((await server.requests())[0].headers['if-match'], '*')
})

test('a closed conversation is linked, and another record is silently replaced', async t => {
  const { server, api } = await prepared(t)
  for (const key of [closedConversation, conversation]) {
    assert.equal(await api.update({ collection, key, data }), true)
    assert.deepEqual((await readServer(server, key)).customer, contact)
  }
})

test('it returns false if another writer came first', async t => {
  const { api } = await prepared(t)
  assert.equal(await api.update({ collection, key: emptyConversation, data, ifmatch: 'W/"1"' }), false)
})

test('an unlink removes any linked record', async t => {
  const { server, api } = await prepared(t)
  assert.deepEqual((await readServer(server, conversation)).customer, account)
  await api.disassociateSingleValued({
    collection,
    primaryKey: conversation,
    navigationProperty: 'msdyn_customer_msdyn_ocliveworkitem_contact'
  })
  assert.equal((await readServer(server, conversation)).customer, null)
})

test('a 429 rejects at once, and every request calls for a token', async t => {
  const { server, asked, api } = await prepared(t)
  await server.faults.add({ fault: { kind: 'throttle', limit: 'requests' } })
  await assert.rejects(api.update({ collection, key: conversation, data }), { status: 429 })
  await api.update({ collection, key: conversation, data })
  assert.equal((await server.requests()).length, 2)
  assert.equal(asked.length, 2)
})
