// Blocks of JavaScript in the documents: each is run here as printed, or is part of an example that another suite runs. Links are checked, too.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startEmulator } from 'omnichannel-link-emulator'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = path => readFileSync(join(root, path), 'utf8')
// Without code; most are written by programs.
const generated = new Set(['command-line.md', 'emulator.md', 'performance.md', 'platforms.md', 'reliability.md'])
const written = readdirSync(join(root, 'docs'))
  .filter(name => name.endsWith('.md') && !generated.has(name))
  .map(name => join('docs', name))
// readme.test.mjs runs the blocks of docs/guide.md.
const guides = [...written.filter(path => path !== join('docs', 'guide.md')), join('emulator', 'README.md')]
const linking = [
  ...written,
  join('docs', 'emulator.md'),
  join('emulator', 'README.md'),
  join('examples', 'electron', 'README.md'),
  'README.md',
  'ARCHITECTURE.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'SECURITY.md'
]
const runElsewhere = [
  'examples/bot-handover.mjs',
  'examples/cti-middleware.mjs',
  'examples/own-tests.test.mjs',
  'examples/electron/main.js',
  'examples/electron/desktop.js'
].map(read)

let folder, emulator
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'omnichannel-docs-'))
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(root, join(folder, 'node_modules', 'omnichannel-link'), 'junction')
  symlinkSync(join(root, 'emulator'), join(folder, 'node_modules', 'omnichannel-link-emulator'), 'junction')
  symlinkSync(join(root, 'node_modules', 'dynamics-web-api'), join(folder, 'node_modules', 'dynamics-web-api'), 'junction')
  emulator = await startEmulator({ seed: join(root, 'examples', 'data') })
})
after(async () => {
  await emulator.close()
  rmSync(folder, { recursive: true })
})

/** Writes a block to a file. Returns the arguments of `spawn` to run it in the environment of a service. */
function prepared(code) {
  const { url, credential, application } = emulator
  const file = join(folder, `block.${code.includes('require(') ? 'cjs' : 'mjs'}`)
  writeFileSync(file, code)
  const env = {
    ...process.env,
    DATAVERSE_URL: url,
    DATAVERSE_TOKEN: credential,
    AZURE_AUTHORITY_HOST: url,
    AZURE_TENANT_ID: application.tenantId,
    AZURE_CLIENT_ID: application.clientId,
    AZURE_CLIENT_SECRET: application.clientSecret
  }
  return [process.execPath, [file], { cwd: folder, env, encoding: 'utf8' }]
}

/** Runs a block. */
function run(code) {
  const { status, stdout, stderr } = spawnSync(...prepared(code))
  assert.equal(status, 0, `${stderr}\nin\n${code}`)
  assert.equal(stderr, '')
  return stdout
}

test('the desktop guide shows the example', () => {
  const [, part] = read('docs/electron-desktop.md').split('\n## ')
  const blocks = part
    .split('```js\n')
    .slice(1)
    .map(rest => rest.split('```')[0])
  assert.ok(blocks.length > 3)
  for (const code of blocks) assert.ok(read('examples/electron/main.js').includes(code), code)
})

for (const guide of guides) {
  test(`the code of ${guide} runs`, async () => {
    const blocks = read(guide)
      .split('```js\n')
      .slice(1)
      .map(rest => rest.split('```')[0])
    assert.ok(blocks.length > 0)
    for (const code of blocks.filter(code => !runElsewhere.some(text => text.includes(code)))) {
      await emulator.reset()
      const expected = [...code.matchAll(/\/\/ prints (.*)/g)].map(([, line]) => `${line}\n`).join('')
      assert.equal(run(code), expected, code)
    }
  })
}

for (const document of linking) {
  test(`no link in ${document} is dead`, () => {
    for (const [, path, anchor] of read(document).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)) {
      const file = path ? join(dirname(document), path) : document
      assert.ok(existsSync(join(root, file)), file)
      const anchors = anchor
        ? read(file)
            .match(/^#+ .*/gm)
            .map(slug)
        : []
      assert.ok(!anchor || anchors.includes(anchor), `${file}#${anchor}`)
    }
  })
}

for (const document of ['ARCHITECTURE.md', 'CONTRIBUTING.md', 'SECURITY.md']) {
  test(`the files that ${document} names exist`, () => {
    const paths = [...read(document).matchAll(/`([\w.]+\/[\w./-]*)`/g)].map(([, path]) => path)
    assert.ok(paths.length > 5)
    // `npm run docs` writes this one, and `name/` is an example.
    const missing = paths.filter(path => !existsSync(join(root, path)) && path !== 'docs/api/' && path !== 'name/')
    assert.deepEqual(missing, [])
  })
}

const service = read('docs/node-service.md')
  .split('```js\n')
  .find(rest => rest.includes('async function consume'))
  .split('```')[0]

test('the service of the guide stops when its secret has expired, and returns the message', async () => {
  await emulator.reset()
  await emulator.faults.conditions({ secretExpired: true })
  const { status, stdout, stderr } = spawnSync(...prepared(service))
  assert.deepEqual({ status, stdout }, { status: 1, stdout: 'stop\n' })
  assert.match(stderr, /^AUTHENTICATION_FAILED .*\n$/)
})

test('the service of the guide delivers a throttled message again, and rejects one whose conversation does not exist', async () => {
  for (const [code, result, fault] of [
    ['THROTTLED', 'retry', { kind: 'throttle', limit: 'requests', retryAfterInSeconds: 60 }],
    ['CONVERSATION_NOT_FOUND', 'reject']
  ]) {
    await emulator.reset()
    if (fault) await emulator.faults.add({ on: { path: 'msdyn_ocliveworkitems' }, times: 'always', fault })
    const { status, stdout, stderr } = spawnSync(...prepared(fault ? service : service.replace('b7397aae', '00000000')))
    assert.deepEqual({ status, stdout }, { status: 0, stdout: `${result}\n`.repeat(2) })
    assert.equal(stderr.match(new RegExp(code, 'g')).length, 2, stderr)
  }
})

test(
  'the service of the guide finishes the call in progress when it gets a signal to end',
  { skip: process.platform === 'win32' && 'no signals' },
  async () => {
    await emulator.reset()
    await emulator.faults.add({ on: { method: 'PATCH' }, fault: { kind: 'hang' } })
    const child = spawn(...prepared(service))
    const ended = once(child, 'close')
    const printed = text(child.stdout)
    await emulator.faults.hanging()
    child.kill('SIGTERM')
    await once(child.stderr, 'data')
    await emulator.faults.release()
    assert.deepEqual([...(await ended), await printed], [0, null, 'done\n'])
  }
)

/** The GitHub anchor of a heading. */
function slug(heading) {
  return heading
    .replace(/^#+ /, '')
    .toLowerCase()
    .replace(/[^\p{L}\p{N} -]/gu, '')
    .replaceAll(' ', '-')
}
