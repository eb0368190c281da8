// Importing files of other programs, seen from outside the process: its memory, its disk use, and its end.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { closeSync, createWriteStream, existsSync, openSync, readdirSync, readlinkSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { afterwards, folder } from './support/afterwards.mjs'
import { COMMONJS, run, start } from './support/child.mjs'
import { startCli } from './support/cli.mjs'
import { rejects } from './support/expect.mjs'
import { account, conversations, numbered, page } from './support/sample.mjs'
import { emptyEmbedded } from './support/stores.mjs'

const skip = process.platform === 'win32'
const MEGABYTE = 1_000_000

function pipe(t, name = 'pipe') {
  const path = join(folder(t), name)
  assert.equal(spawnSync('mkfifo', [path]).status, 0)
  return path
}

const head = '{"@odata.context":"https://x/$metadata#accounts","value":['
const rows = (from, count) =>
  Array.from({ length: count }, (_, number) =>
    JSON.stringify({ accountid: numbered(from + number), description: 'Some words. '.repeat(40) })
  ).join(',')

/** A page of about this many bytes. */
function largePage(t, bytes) {
  const path = join(folder(t), 'large.json')
  const file = openSync(path, 'w')
  writeSync(file, head)
  for (let number = 0; statSync(path).size < bytes; number += 1_000) writeSync(file, (number ? ',' : '') + rows(number, 1_000))
  writeSync(file, ']}')
  closeSync(file)
  return path
}

test('reading a large page needs little memory', { skip: process.platform !== 'linux', timeout: 120_000 }, async t => {
  const code = `
    const { readFileSync } = require('node:fs')
    const client = new link.OmnichannelClient({ embedded: { path: 'links.db' } })
    const peak = () => Number(/VmHWM:\\s*(\\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024
    client.importRecords({ '@odata.context': '$metadata#accounts', value: [] }).then(async () => {
      const before = peak()
      const { inserted } = await client.importRecords(large)
      console.log(JSON.stringify({ inserted, grown: peak() - before }))
    })`
  const { inserted, grown } = await run(t, code, { cwd: folder(t), large: largePage(t, 40 * MEGABYTE) })
  assert.ok(inserted > 50_000, inserted)
  assert.ok(grown < 20 * MEGABYTE, `${grown} bytes more`)
})

test('a process that is killed while reading leaves no file', { skip: process.platform !== 'linux', timeout: 60_000 }, async t => {
  const [cwd, temporary, path] = [folder(t), folder(t), pipe(t)]
  const { child, ended } = start(t, 'new link.OmnichannelClient({ embedded: { path: "links.db" } }).importRecords(path)', {
    cwd,
    path,
    env: { SQLITE_TMPDIR: temporary }
  })
  const feeder = createWriteStream(path).on('error', () => {})
  afterwards(t, () => feeder.destroy())
  feeder.write(head)
  const fds = `/proc/${child.pid}/fd`
  // The program may close a file between the two readings.
  const target = fd => {
    try {
      return readlinkSync(join(fds, fd))
    } catch {
      return ''
    }
  }
  const isStaged = () => readdirSync(fds).some(fd => target(fd).startsWith(temporary))
  for (let number = 0; number < 100_000 && !isStaged(); number += 1_000)
    await new Promise(resolve => feeder.write(`${rows(number, 1_000)},`, resolve))
  assert.ok(isStaged())
  assert.deepEqual(readdirSync(temporary), [])
  child.kill('SIGKILL')
  assert.equal((await ended).signal, 'SIGKILL')
  assert.deepEqual([readdirSync(temporary), readdirSync(cwd)], [[], []])
})

test('a full folder for temporary files fails only the import, with an explanation', { skip, timeout: 60_000 }, async t => {
  const code = `
    const client = new link.OmnichannelClient({ embedded: { path: 'links.db' } })
    client.importRecords(large).catch(async ({ code, message, hint, maybeApplied }) => {
      const exists = require('node:fs').existsSync('links.db')
      const { inserted } = await client.importRecords(small)
      console.log(JSON.stringify({ code, message, hint, maybeApplied, exists, inserted }))
    })`
  // No file may grow beyond a megabyte, as on a full disk.
  const values = { small: page('accounts', { accountid: account.recordId }), large: largePage(t, 8 * MEGABYTE) }
  const limited = `require('node:child_process').spawnSync('sh', ['-c', 'ulimit -f 2048; exec "$0" --input-type=commonjs --eval "$1"', process.execPath, code], { stdio: 'inherit' })`
  const inner = `const link = require(${JSON.stringify(COMMONJS)}); const { small, large } = ${JSON.stringify(values)}; ${code}`
  const { message, hint, ...failed } = await run(t, limited, { cwd: folder(t), code: inner })
  assert.match(message, /folder for temporary files/)
  assert.match(hint, /SQLITE_TMPDIR/)
  assert.deepEqual(failed, { code: 'STORE', maybeApplied: false, exists: false, inserted: 1 })
})

test('a file that never responds is awaited until the timeout and blocks nothing else', { skip, timeout: 60_000 }, async t => {
  const { client, path } = emptyEmbedded(t)
  await rejects(client.importRecords(pipe(t), { timeoutInMs: 1 }), 'TIMEOUT', /./, { maybeApplied: false })
  const controller = new AbortController()
  const aborted = client.importRecords(pipe(t), { signal: controller.signal })
  const endless = client.importRecords(pipe(t))
  const refused = rejects(endless, 'CLOSED', /was being read/, { maybeApplied: false })
  assert.equal((await client.importRecords(conversations(2))).inserted, 2)
  controller.abort('stop')
  await assert.rejects(aborted, reason => reason === 'stop')
  await client.close()
  await refused
  assert.equal(existsSync(path), true)
})

test('a file that never responds does not keep the process alive', { skip, timeout: 60_000 }, async t => {
  const { code, stdout } = await start(
    t,
    `
    const client = new link.OmnichannelClient({ embedded: { path: 'links.db' } })
    client.importRecords(path, { timeoutInMs: 10 }).catch(({ code }) => console.log(code))`,
    { cwd: folder(t), path: pipe(t) }
  ).ended
  assert.deepEqual([code, stdout], [0, 'TIMEOUT\n'])
})

test('Ctrl-C ends an import of a file that never responds', { skip, timeout: 60_000 }, async t => {
  const [cwd, path] = [folder(t), pipe(t)]
  const { child, ended } = startCli(t, ['import', path, '--db', 'links.db'], { cwd })
  // Opening it succeeds as soon as the program has opened it. Nothing is ever written.
  const feeder = createWriteStream(path)
  afterwards(t, () => feeder.destroy())
  await new Promise(resolve => feeder.once('open', resolve))
  child.kill('SIGINT')
  const { code, stderr } = await ended
  assert.equal(code, 130, stderr)
  assert.deepEqual(readdirSync(cwd), [])
})
