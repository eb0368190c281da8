// The emulator's console in a real Chromium. UPDATE_DOCS=1 also takes the screenshot for the README.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startEmulator } from 'omnichannel-link-emulator'
import { browse } from './support/browser.mjs'
import { chromium } from './support/chromium.mjs'
import { account, closedConversation, conversation, data, emptyConversation, incident } from './support/sample.mjs'

const skip = chromium ? false : 'Chromium not found: install it, or set CHROMIUM to its path'
const options = { skip, timeout: 120_000 }

async function open(t, size) {
  const emulator = await startEmulator({ seed: data })
  t.after(() => emulator.close())
  const page = await browse(t, `${emulator.url}/`, size)
  const signIn = async credential => {
    await page.evaluate("document.getElementById('credential').focus()")
    await page.type(credential)
    await page.press('Enter')
  }
  return { emulator, page, signIn }
}

const cell = (id, column) =>
  `[...document.querySelectorAll('#conversations tr')].find(row => row.textContent.includes('${id}'))?.cells[${column}].textContent`
const key = (id, name) => `document.querySelector('[data-key="${id} ${name}"]')`

const row = ({ url }, id) => `${url}/api/data/v9.2/msdyn_ocliveworkitems(${id})`

async function patch(emulator, id, body) {
  const headers = { authorization: `Bearer ${emulator.credential}`, 'content-type': 'application/json', 'if-match': '*' }
  return await fetch(row(emulator, id), { method: 'PATCH', headers, body: JSON.stringify(body) })
}

async function read(emulator, id) {
  return await (await fetch(row(emulator, id), { headers: { authorization: `Bearer ${emulator.credential}` } })).json()
}

test('it asks for the credential and shows the conversations', options, async t => {
  const { emulator, page, signIn } = await open(t)
  await signIn('wrong')
  await page.until("document.getElementById('sign-in-problem').textContent.includes('does not accept')")
  assert.equal(await page.evaluate("document.getElementById('content').hidden"), true)
  await signIn(emulator.credential)
  await page.until("document.querySelectorAll('#conversations tr').length > 100")
  assert.match(await page.evaluate(cell(conversation, 2)), /Fabrikam Coffee/)
  assert.ok(
    page.requested.every(url => url.startsWith(`${emulator.url}/`)),
    page.requested.join('\n')
  )
  assert.deepEqual(await emulator.requests(), [], 'the page makes no request to the Web API')
})

test('it shows changes and requests at once', options, async t => {
  const { emulator, page, signIn } = await open(t)
  await signIn(emulator.credential)
  await page.until("document.querySelectorAll('#conversations tr').length > 100")
  assert.equal((await patch(emulator, conversation, { subject: 'Changed <b>now</b>' })).status, 204)
  await page.until(`${cell(conversation, 0)}?.startsWith('Changed <b>now</b>')`)
  await page.until("document.querySelector('#requests pre')?.textContent.includes('Changed <b>now</b>')")
  assert.match(await page.evaluate("document.querySelector('#requests tr').textContent"), /204.*PATCH/)
})

test('a record is linked and unlinked with the keyboard', options, async t => {
  const { emulator, page, signIn } = await open(t)
  await signIn(emulator.credential)
  await page.until(`!!${key(emptyConversation, 'case')}`)
  await page.evaluate(`${key(emptyConversation, 'case')}.focus()`)
  await page.press('Enter')
  await page.until("document.getElementById('link').open")
  await page.type(incident.recordId)
  await page.until("document.querySelectorAll('#link-results button').length === 1")
  await page.press('Enter')
  await page.until(`!!${key(emptyConversation, 'case unlink')}`)
  assert.equal((await read(emulator, emptyConversation))._msdyn_issueid_value, incident.recordId)
  await page.evaluate(`${key(emptyConversation, 'case unlink')}.focus()`)
  await page.press('Enter')
  await page.until(`!${key(emptyConversation, 'case unlink')}`)
})

test('a status is changed', options, async t => {
  const { emulator, page, signIn } = await open(t)
  await signIn(emulator.credential)
  await page.until(`!!${key(closedConversation, 'status')}`)
  await page.evaluate(
    `(${key(closedConversation, 'status')}.value = '2', ${key(closedConversation, 'status')}.dispatchEvent(new Event('change')))`
  )
  await page.until(`${key(closedConversation, 'status')}.value === '2'`)
  await page.until("document.getElementById('problem').textContent === ''")
  while ((await read(emulator, closedConversation)).statuscode !== 2) await page.evaluate('new Promise(requestAnimationFrame)')
})

test('a fault is switched on and cleared', options, async t => {
  const { emulator, page, signIn } = await open(t)
  await signIn(emulator.credential)
  await page.until("document.getElementById('fault-count').textContent === '0 waiting'")
  await page.evaluate("[...document.querySelectorAll('#faults button')].find(button => button.textContent === '503').click()")
  await page.until("document.getElementById('fault-count').textContent === '1 waiting'")
  assert.equal((await patch(emulator, conversation, { subject: 'x' })).status, 503)
  await page.until("document.querySelector('#requests tr')?.textContent.includes('status')")
  await page.evaluate("document.getElementById('rule-text').value = '{'; document.querySelector('#rule button').click()")
  await page.until("document.getElementById('problem').textContent.startsWith('The rule is not JSON')")
  await page.evaluate("document.querySelector('#faults button').click()")
  await page.until("document.getElementById('fault-count').textContent === '1 waiting'")
  await page.evaluate("document.getElementById('clear').click()")
  await page.until("document.getElementById('fault-count').textContent === '0 waiting'")
  assert.equal(await emulator.faults.waiting(), 0)
})

test('pages of other origins are refused', options, async t => {
  const { emulator, page } = await open(t)
  const other = await startEmulator()
  t.after(() => other.close())
  const reach = path =>
    `fetch('${other.url}${path}', { headers: { authorization: 'Bearer ${other.credential}' } }).then(() => 'reached', () => 'refused')`
  for (const path of ['/', '/_emulator/requests', '/_emulator/console/state'])
    assert.equal(await page.evaluate(reach(path)), 'refused', path)
  const headers = { authorization: `Bearer ${emulator.credential}`, origin: other.url }
  assert.equal((await fetch(`${emulator.url}/_emulator/requests`, { headers })).status, 403)
})

test('the screenshot in the README', { ...options, skip: skip || !process.env.UPDATE_DOCS }, async t => {
  const { emulator, page, signIn } = await open(t, { width: 1440, height: 860 })
  await signIn(emulator.credential)
  const bind = { 'msdyn_customer_msdyn_ocliveworkitem_account@odata.bind': `/accounts(${account.recordId})` }
  await emulator.faults.add({ on: { method: 'PATCH', nth: 2 }, fault: { kind: 'throttle', limit: 'requests' } })
  for (const id of [conversation, emptyConversation]) await patch(emulator, id, bind)
  await page.until("document.querySelectorAll('#requests tr').length === 2")
  await page.evaluate("document.querySelector('#requests details').open = true; document.activeElement.blur()")
  await page.evaluate(
    "document.getElementById('search').value = 'coffee'; document.getElementById('search').dispatchEvent(new Event('input'))"
  )
  writeFileSync(fileURLToPath(new URL('../docs/images/console.png', import.meta.url)), await page.screenshot())
})
