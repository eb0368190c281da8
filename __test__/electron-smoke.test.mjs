// The example in a real Electron, if installed, plain and packed. electron.test.mjs tests the kit without Electron.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { afterwards, folder } from './support/afterwards.mjs'
import { run as execute } from './support/child.mjs'
import { install, pack } from './support/packed.mjs'
import { conversation, incident, missingId } from './support/sample.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const require = createRequire(import.meta.url)

const attempt = call => {
  try {
    return call()
  } catch {
    return undefined
  }
}

/** The binary: `ELECTRON`, the one of the package `electron`, or `electron` on the path. */
const electron = [
  process.env.ELECTRON,
  attempt(() => require('electron')),
  ...process.env.PATH.split(delimiter).map(folder => join(folder, 'electron'))
].find(path => path && attempt(() => accessSync(path) ?? true))

const options = {
  skip: electron ? false : 'Electron not found: set ELECTRON to its path, or install the package electron',
  timeout: 120_000
}

/** Runs an app to its end, headless if there is no screen. Its output must be JSON. */
async function run(t, app, main) {
  const headless = process.platform === 'linux' && !process.env.DISPLAY && !process.env.WAYLAND_DISPLAY ? ['--ozone-platform=headless'] : []
  const child = spawn(electron, ['--no-sandbox', ...headless, app], { env: { ...process.env, SMOKE_DATA: folder(t), SMOKE_MAIN: main } })
  afterwards(t, () => child.kill('SIGKILL'))
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', text => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', text => (stderr += text))
  const [code] = await once(child, 'close')
  const line = stdout.split('\n').find(line => line.startsWith('{"loaded"'))
  assert.ok(line, `Electron ended with ${code} and printed no result: ${stderr}`)
  return JSON.parse(line)
}

function isRight({ loaded }) {
  const seen = loaded.toSorted((a, b) => a.focused.localeCompare(b.focused))
  assert.deepEqual(
    seen,
    ['455ad61a-1b4f-4bef-a1da-4a23d647d08a', 'b7397aae-ecf8-43a6-aeb0-07d294efb494'].map(id => ({
      focused: id,
      refused: 'INVALID_ARGUMENT',
      isolated: 'undefined undefined',
      cases: ['6b726d86-d37c-43b8-b3a4-c4056ddd2e07']
    }))
  )
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

test('links of the example survive a restart', { timeout: 60_000 }, async t => {
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
      webContents = Object.assign(new EventEmitter(), { isDestroyed: () => false, send() {}, mainFrame: {}, setWindowOpenHandler() {}, reload() {} })
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
    require(MAIN)`
  const values = { env: { SMOKE_DATA: data, NODE_PATH: modules }, MAIN: join(root, 'examples/electron/main.js') }
  assert.equal(await execute(t, code, values), null)
  assert.equal(await execute(t, code, values), incident.recordId)
})

test('the example works', options, async t => {
  isRight(await run(t, join(root, '__test__/support/in-electron.cjs'), join(root, 'examples/electron/main.js')))
})

test('the example works in an asar archive', options, async t => {
  const place = folder(t)
  const app = join(place, 'app')
  install(app)
  cpSync(join(root, 'examples/electron'), join(app, 'examples/electron'), { recursive: true })
  cpSync(join(root, 'examples/data'), join(app, 'examples/data'), { recursive: true })
  cpSync(join(root, '__test__/support/in-electron.cjs'), join(app, 'index.cjs'))
  writeFileSync(join(app, 'package.json'), JSON.stringify({ name: 'packed', main: 'index.cjs' }))
  const archive = join(place, 'app.asar')
  pack(app, archive)
  isRight(await run(t, archive, './examples/electron/main.js'))
})
