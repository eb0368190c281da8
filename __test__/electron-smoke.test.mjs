// The example desktop in a real Electron, plain and packed, on both stores. electron-windows.test.mjs tests the kit in one.
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { folder } from './support/afterwards.mjs'
import { run as execute } from './support/child.mjs'
import { install, pack } from './support/packed.mjs'
import { options, start } from './support/real-electron.mjs'
import { account, contact, conversation, incident, missingId } from './support/sample.mjs'
import { client as clientOf, emulator, readServer } from './support/stores.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const example = join(root, 'examples/electron/main.js')
const screenshot = join(root, 'docs/images/desktop.png')
/** The agent of the demo. */
const agentId = 'c2dd22d0-9d47-4799-8d95-355c298bd4f2'

/** Resolves when the only window has loaded its page. */
const loaded = ({ app, BrowserWindow }) =>
  new Promise(resolve => {
    const wait = ({ webContents }) => (webContents.isLoading() ? webContents.once('did-finish-load', () => resolve()) : resolve())
    const [window] = BrowserWindow.getAllWindows()
    if (window) wait(window)
    else app.once('browser-window-created', (_event, window) => wait(window))
  })

/**
 * Starts the example. `until(expression)` resolves with the first true value of an expression in the page; `press`, `walk` and `type`
 * use the keyboard.
 */
async function open(t, program, { args, env, app } = {}) {
  const { main } = await start(t, program, { args, env: { TZ: 'UTC', ...env }, app })
  await main(loaded)
  const run = script => main(({ BrowserWindow }, script) => BrowserWindow.getAllWindows()[0].webContents.executeJavaScript(script), script)
  const until = expression =>
    run(`new Promise(resolve => {
      const check = () => { const value = (${expression}); if (value) resolve(value) }
      new MutationObserver(check).observe(document, { subtree: true, childList: true, attributes: true, characterData: true })
      addEventListener('focusin', check)
      check()
    })`)
  const press = (keyCode, ...modifiers) =>
    main(
      ({ BrowserWindow }, keyCode, modifiers) => {
        const [{ webContents }] = BrowserWindow.getAllWindows()
        webContents.focus()
        for (const type of keyCode === 'Tab' ? ['keyDown', 'keyUp'] : ['keyDown', 'char', 'keyUp'])
          webContents.sendInputEvent({ type, keyCode, modifiers })
      },
      keyCode,
      modifiers
    )
  const walk = async (stops, ...modifiers) => {
    for (const stop of stops) {
      await press('Tab', ...modifiers)
      await until(focused(stop))
    }
  }
  const type = text => main(({ BrowserWindow }, text) => BrowserWindow.getAllWindows()[0].webContents.insertText(text), text)
  return { main, run, until, press, walk, type }
}

const text = id => `document.getElementById('${id}').textContent`
const shows = (id, what) => `${text(id)}.includes(${JSON.stringify(what)}) && ${text(id)}`
const focused = what => `document.activeElement.closest(${JSON.stringify(what)}) !== null`
const LINKED = `[...document.querySelectorAll('section strong')].map(({ textContent }) => textContent)`

/** Works like an agent who has only a keyboard, and returns what the page shows. `onLinked` runs when the case is linked. */
async function work({ run, until, press, walk, type }, onLinked) {
  const [customer, incident] = ['section:first-child', 'section:last-child']
  await until(`document.querySelectorAll('nav label').length`)
  await walk(['nav label'])
  await press('Space')
  await until(shows('subject', 'Visitor 17'))
  const before = await run(LINKED)
  await walk([`${customer} p`, `${customer} label`])
  await type('+1-555-0148')
  await press('Enter')
  const several = await until(shows('notice', 'Found'))
  await walk([`${customer} form > button`, `${customer} li:first-child`, `${customer} li:last-child`, `${incident} label`])
  await type('cas-01001-d8x4')
  await press('Enter')
  await until(shows('notice', 'Found Coffee machine'))
  await walk([`${incident} form > button`, `${incident} li`])
  await press('Enter')
  const linked = await until(shows('notice', 'Case:'))
  // The button that was pressed is gone, and the focus stays in its part.
  const hasFocus = await run(focused(`${incident} label`))
  await onLinked?.()
  await walk([`${incident} p`, `${customer} li:last-child`, `${customer} li:first-child`], 'shift')
  await press('Enter')
  const replaced = await until(shows('notice', 'Customer:'))
  const after = await run(LINKED)
  return { before, several, linked, hasFocus, replaced, after }
}

const EXPECTED = {
  before: ['Fabrikam Coffee', 'Nothing linked'],
  several: 'Found 2. Choose one.',
  linked: 'Case: Coffee machine leaks after descaling is linked.',
  hasFocus: true,
  replaced: 'Customer: Ana Testa replaces Fabrikam Coffee.',
  after: ['Ana Testa', 'Coffee machine leaks after descaling']
}

/** Takes the picture of the README. */
async function capture({ main }) {
  const png = await main(async ({ BrowserWindow }) => {
    const image = await BrowserWindow.getAllWindows()[0].webContents.capturePage()
    return image.toPNG().toString('base64')
  })
  mkdirSync(join(screenshot, '..'), { recursive: true })
  writeFileSync(screenshot, Buffer.from(png, 'base64'))
}

test('the published files are enough', { timeout: 60_000 }, async t => {
  const app = folder(t)
  install(app)
  const outcome = await execute(
    t,
    `
    const { OmnichannelClient, createOmnichannel } = require('omnichannel-link')
    const { serveOmnichannel } = require('omnichannel-link/electron')
    const { existsSync } = require('node:fs')
    const client = new OmnichannelClient({ embedded: { path: 'links.db' } })
    createOmnichannel(client).linkToConversation('account', '${missingId}', '${missingId}').catch(({ error }) =>
      console.log(JSON.stringify([error.code, typeof serveOmnichannel, existsSync(require.resolve('omnichannel-link/preload'))])))`,
    { cwd: app, COMMONJS: 'node:fs' }
  )
  assert.deepEqual(outcome, ['CONVERSATION_NOT_FOUND', 'function', true])
})

test('links of the demo survive a restart', { timeout: 60_000 }, async t => {
  const data = folder(t)
  // The parts of Electron that the start of the example needs.
  const modules = folder(t)
  mkdirSync(join(modules, 'electron'))
  writeFileSync(
    join(modules, 'electron/index.js'),
    `
    const { EventEmitter } = require('node:events')
    const app = Object.assign(new EventEmitter(), { getPath: () => process.env.SMOKE_DATA, whenReady: async () => {} })
    class BrowserWindow {
      webContents = Object.assign(new EventEmitter(), { setWindowOpenHandler() {} })
      removeMenu() {}
      async loadURL() { app.emit('loaded') }
    }
    module.exports = { app, BrowserWindow, ipcMain: { handle() {} }, protocol: { registerSchemesAsPrivileged() {}, handle() {} }, net: {} }`
  )
  const code = `
    require('electron').app.once('loaded', async () => {
      const client = new link.OmnichannelClient({ embedded: { path: require('node:path').join(process.env.SMOKE_DATA, 'links.db') } })
      const { case: before } = await client.getConversation('${conversation}')
      await client.linkToConversation('incident', '${incident.recordId}', '${conversation}')
      console.log(JSON.stringify(before?.recordId ?? null))
    })
    process.argv.push('--demo')
    require(MAIN)`
  const values = { env: { SMOKE_DATA: data, NODE_PATH: modules }, MAIN: join(root, 'examples/electron/main.js') }
  assert.equal(await execute(t, code, values), null)
  assert.equal(await execute(t, code, values), incident.recordId)
})

test('an agent can work with the example, by keyboard alone', options, async t => {
  const desktop = await open(t, example, { args: ['--demo'] })
  const onLinked = () => process.env.UPDATE_DOCS === '1' && capture(desktop)
  assert.deepEqual(await work(desktop, onLinked), EXPECTED)
})

test('the example works in an asar archive, with the addon beside it', options, async t => {
  const place = folder(t)
  const app = join(place, 'app')
  install(app)
  cpSync(join(root, 'examples/electron'), join(app, 'examples/electron'), { recursive: true })
  cpSync(join(root, 'examples/data'), join(app, 'examples/data'), { recursive: true })
  cpSync(join(root, '__test__/support/in-electron.cjs'), join(app, 'index.cjs'))
  writeFileSync(join(app, 'package.json'), JSON.stringify({ name: 'packed', main: 'index.cjs' }))
  const archive = join(place, 'app.asar')
  pack(app, archive)
  const desktop = await open(t, './examples/electron/main.js', { args: ['--demo'], app: archive })
  assert.deepEqual(await work(desktop), EXPECTED)
  const addons = await desktop.main(() => process.report.getReport().sharedObjects.filter(path => path.includes('omnichannel-link.')))
  assert.ok(addons.length === 1 && addons[0].startsWith(`${archive}.unpacked`), String(addons))
})

test('the example works on Dataverse, and says in plain words why a call failed', options, async t => {
  const server = await emulator(t)
  const { url, credential } = server
  const env = { DATAVERSE_URL: url, DATAVERSE_TOKEN: credential, AGENT_ID: agentId }
  const desktop = await open(t, example, { env })
  const { run, until } = desktop
  assert.deepEqual(await work(desktop), EXPECTED)
  assert.deepEqual(await readServer(server, conversation), { customer: contact, case: incident })

  // The page has only what the preload script gave it, and its own origin.
  assert.equal(await run('`${typeof require} ${typeof process} ${origin}`'), 'undefined undefined app://desktop')
  const search = (slot, number) =>
    run(`{
      const [input, button] = document.querySelectorAll('section')[${slot}].querySelectorAll('form input, form button')
      input.value = '${number}'
      button.click()
    }`)
  await search(0, '+1-555-0000')
  assert.equal(await until(text('failure')), 'No contact has this phone number.')

  // Another program links another record; the page still offers to unlink the old one.
  await clientOf(t, { dataverse: { url, credential } }).linkToConversation('account', account.recordId, conversation)
  await run(`document.querySelector('section:first-child p button').click()`)
  assert.match(await until(shows('failure', 'changed')), /^The link had been changed already/)
  await until(`document.querySelector('section strong').textContent === 'Fabrikam Coffee'`)
  await run(`document.querySelector('section:first-child p button').click()`)
  assert.equal(await until(shows('notice', 'no longer')), 'Customer: Fabrikam Coffee is no longer linked.')
  assert.deepEqual(await readServer(server, conversation), { customer: null, case: incident })

  const choose = subject =>
    run(`[...document.querySelectorAll('nav label')].find(({ textContent }) => textContent.includes('${subject}')).click()`)
  await choose('Sample of the blue fabric')
  await until(shows('state', 'Wrap-up'))
  await search(1, 'CAS-01001-D8X4')
  await until(shows('notice', 'Found Coffee machine'))
  await run(`document.querySelector('section:last-child li button').click()`)
  assert.equal(await until(text('failure')), 'This conversation is in wrap-up. Only active ones can be linked.')
  assert.deepEqual(await run(LINKED), ['Óscar Cienfontes', 'Subscription upgrade shows the old price'])

  // The contact of this one was deleted.
  await choose('Imported from the old desk')
  await until(shows('subject', 'Imported'))
  assert.match((await run(LINKED))[0], /^Jonas Probestein$|^Deleted record/)

  await server.faults.add({
    on: { path: 'contacts' },
    times: 'always',
    fault: { kind: 'throttle', limit: 'requests', retryAfterInSeconds: 60 }
  })
  await search(0, '+1-555-0148')
  assert.equal(await until(text('failure')), 'The server is busy. Try again in a moment.')
})

test('without a store the example says how to start it', options, async t => {
  const child = await start(t, example).catch(error => error)
  assert.match(child.message, /status 2: .*Start it with --demo/s)
})

test('the picture of the README is small', () => assert.ok(readFileSync(screenshot).length < 150_000))
