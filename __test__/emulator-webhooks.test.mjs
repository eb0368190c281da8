// The package's options and methods for state and webhooks. The Rust suites test their behaviour.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { startEmulator } from 'omnichannel-link-emulator'
import { account, conversation } from './support/sample.mjs'

const page = (set, ...value) => ({ '@odata.context': `https://contoso.crm4.dynamics.com/api/data/v9.2/$metadata#${set}`, value })
const seed = [page('msdyn_ocliveworkitems', { activityid: conversation, statuscode: 2 }), page('accounts', { accountid: account.recordId })]

async function link(emulator) {
  const body = { 'msdyn_customer_msdyn_ocliveworkitem_account@odata.bind': `/accounts(${account.recordId})` }
  const headers = { authorization: `Bearer ${emulator.credential}`, 'content-type': 'application/json', 'if-match': '*' }
  const url = `${emulator.url}/api/data/v9.2/msdyn_ocliveworkitems(${conversation})`
  assert.equal((await fetch(url, { method: 'PATCH', headers, body: JSON.stringify(body) })).status, 204)
}

test('a webhook is told of a link', async t => {
  const emulator = await startEmulator({ seed })
  t.after(() => emulator.close())
  const contexts = []
  const receiver = http.createServer(async (request, response) => {
    contexts.push(JSON.parse(Buffer.concat(await request.toArray()).toString()))
    response.writeHead(204).end()
  })
  t.after(() => receiver.close())
  await once(receiver.listen(0, '127.0.0.1'), 'listening')
  const url = `http://127.0.0.1:${receiver.address().port}/`
  await emulator.webhooks.set([{ url, table: 'msdyn_ocliveworkitem', attributes: ['msdyn_customer'] }])
  await link(emulator)
  assert.deepEqual(await emulator.webhooks.deliveries(), [
    { url, message: 'Update', table: 'msdyn_ocliveworkitem', status: 204, error: null }
  ])
  const customer = contexts[0].InputParameters[0].value.Attributes.find(({ key }) => key === 'msdyn_customer')
  assert.equal(customer.value.Id, account.recordId)
  await assert.rejects(emulator.webhooks.set([{ url: 'ftp://x' }]), { name: 'TypeError', message: /is not an http URL/ })
})

test('a state keeps the rows for the next emulator', async t => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'state-'))
  t.after(() => fs.rmSync(folder, { recursive: true }))
  const state = path.join(folder, 'state.json')
  const first = await startEmulator({ seed, state })
  await link(first)
  await assert.rejects(startEmulator({ seed, state }), /another emulator uses it/)
  await first.close()
  const second = await startEmulator({ state })
  t.after(() => second.close())
  const headers = { authorization: `Bearer ${second.credential}` }
  const row = await (await fetch(`${second.url}/api/data/v9.2/msdyn_ocliveworkitems(${conversation})`, { headers })).json()
  assert.equal(row._msdyn_customer_value, account.recordId)
  await assert.rejects(startEmulator({ state: '' }), { name: 'TypeError', message: /options\.state/ })
})
