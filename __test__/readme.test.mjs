// Runs the examples of the README and of the guide as printed, each in a folder that contains only the installed packages.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startEmulator } from 'omnichannel-link-emulator'

const root = fileURLToPath(new URL('..', import.meta.url))
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const guide = readFileSync(join(root, 'docs', 'guide.md'), 'utf8')
const blocksOf = text =>
  text
    .split('```js\n')
    .slice(1)
    .map(rest => rest.split('```')[0])
const notRun = new Set([readme, guide].flatMap(blocksOf))
let folder, emulator

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'omnichannel-readme-'))
  const modules = join(folder, 'node_modules')
  mkdirSync(join(modules, 'electron'), { recursive: true })
  symlinkSync(root, join(modules, 'omnichannel-link'), 'junction')
  symlinkSync(join(root, 'emulator'), join(modules, 'omnichannel-link-emulator'), 'junction')
  // The part of Electron that the example uses. Its only window links to the focused conversation, and prints the response.
  writeFileSync(
    join(modules, 'electron', 'index.js'),
    `let call
     exports.app = { whenReady: async () => {}, getPath: () => process.cwd() }
     exports.ipcMain = { handle: (name, handler) => { call = handler } }
     exports.BrowserWindow = class {
       webContents = { isDestroyed: () => false, mainFrame: null, once() {}, send() {}, reload: () => console.log('reloaded') }
       constructor({ webPreferences }) { require('node:fs').accessSync(webPreferences.preload) }
       async loadURL(url) {
         const event = { sender: this.webContents, senderFrame: { origin: url.slice(0, -1) } }
         const answer = await call(event, 'linkToConversation', ['incident', '6b726d86-d37c-43b8-b3a4-c4056ddd2e07'])
         console.log(JSON.stringify(structuredClone(answer)))
         await call(event, 'refreshTab', ['tab-id-3'])
       }
     }`
  )
  emulator = await startEmulator({ seed: join(root, 'examples', 'data') })
})

after(async () => {
  await emulator.close()
  rmSync(folder, { recursive: true })
})

/** Runs the first block of code under a heading of the README or of the guide. */
function run(heading, env = {}) {
  const section = [readme, guide].map(text => text.split(`\n## ${heading}\n`)[1]).find(Boolean)
  assert.ok(section, `a section "${heading}"`)
  const [code] = blocksOf(section)
  notRun.delete(code)
  const file = join(folder, `example.${code.includes('require(') ? 'cjs' : 'mjs'}`)
  writeFileSync(file, code)
  const { DATAVERSE_URL: _, ...inherited } = process.env
  const { status, stdout, stderr } = spawnSync(process.execPath, [file], {
    cwd: folder,
    env: { ...inherited, ...env },
    encoding: 'utf8'
  })
  assert.equal(status, 0, stderr)
  assert.equal(stderr, '')
  return stdout
}

test('the Dataverse example links and prints the outcome', () => {
  const env = { DATAVERSE_URL: emulator.url, DATAVERSE_TOKEN: emulator.credential }
  assert.equal(run('A Node service with Dataverse', env), 'linked null\n')
  assert.equal(run('A Node service with Dataverse', env), 'alreadyLinked null\n')
})

test('the example of a diagnosis prints a line for each check', () => {
  const printed = run('Diagnosing', { DATAVERSE_URL: emulator.url, DATAVERSE_TOKEN: emulator.credential })
  assert.match(printed, /^http\S+ is healthy\npassed  proxy .*\n(?:.*\n)*passed  privileges  The user has /)
})

test('the Electron example returns plain data to its window, also for an error', () => {
  const [answer, reloaded] = run('An Electron agent desktop').split('\n')
  const { error } = JSON.parse(answer).failure
  assert.equal(error.code, 'CONVERSATION_NOT_FOUND')
  assert.match(error.hint, /links\.db does not exist yet/)
  assert.equal(reloaded, 'reloaded')
})

test('the example without configuration links in the working directory', () => {
  assert.match(run('With nothing configured'), /status: 'replaced'[\s\S]*store: 'embedded'/)
})

test('the example of reading lists the newest conversations, and keeps the record that is linked', () => {
  const env = { DATAVERSE_URL: emulator.url, DATAVERSE_TOKEN: emulator.credential }
  const [first, second, third, ...outcome] = run('Reading', env).split('\n')
  for (const line of [first, second, third]) assert.match(line, /^\S.* \S+$/)
  assert.match(outcome.join(''), /^kept \{ +entityLogicalName: 'account', +recordId: '0b7e4c0e-7d35-4a0c-a4e4-0f6d2a3c9e02' *\}$/)
})

test('the example of events reports the new focus', () => {
  assert.equal(run('Events'), 'now b7397aae-ecf8-43a6-aeb0-07d294efb494\n')
})

test('the example of many links has a result for each, also in an empty store', () => {
  assert.equal(run('Many at once'), '1 CONVERSATION_NOT_FOUND\n2 CONVERSATION_NOT_FOUND\n')
})

test('the example that waits ends in time', () => {
  assert.equal(run('Waiting for a conversation'), 'TIMEOUT 0\n')
})

test('the example of a channel runs', () => {
  assert.equal(run('Watching the traffic'), '')
})

test('no example is left out', () => {
  assert.deepEqual([...notRun], [])
})

test('the README installs the files that a checkout packs', () => {
  for (const place of ['', 'emulator']) {
    const { name, version } = JSON.parse(readFileSync(join(root, place, 'package.json'), 'utf8'))
    assert.match(readme, new RegExp(`^npm install .*/${name}-${version.replaceAll('.', '\\.')}\\.tgz`, 'm'))
  }
})
