// The Node package of the emulator. Rust tests check the rules of the Web API: emulator/tests/.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import vm from 'node:vm'

import { startEmulator } from '../emulator/index.js'

const ACCOUNT = '0b7e4c0e-7d35-4a0c-a4e4-0f6d2a3c9e02'
const CONVERSATION = '7b7c9a3e-0d11-4f9e-9c39-5d0f6f3b1a01'
const MODULE = new URL('../emulator/index.js', import.meta.url)

const page = (set, ...value) => ({
  '@odata.context': `https://contoso.crm4.dynamics.com/api/data/v9.2/$metadata#${set}`,
  value
})
const accounts = page('accounts', { accountid: ACCOUNT, name: 'Fabrikam Coffee' })
const conversations = page('msdyn_ocliveworkitems', { activityid: CONVERSATION, statecode: 0, statuscode: 2 })

async function start(t, options) {
  const emulator = await startEmulator(options)
  t.after(() => emulator.close())
  return emulator
}

function send({ url, credential }, row, { headers, ...init } = {}) {
  return fetch(`${url}/api/data/v9.2/${row}`, {
    ...init,
    headers: { authorization: `Bearer ${credential}`, ...headers }
  })
}

async function folder(t) {
  const created = await mkdtemp(path.join(tmpdir(), 'emulator-'))
  t.after(() => rm(created, { recursive: true }))
  return created
}

// Opens an idle connection that ends when the emulator exits. Resolves with a function that awaits this.
async function connection(t, url) {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  t.after(() => socket.destroy())
  await once(socket, 'connect')
  // Not `once`, which rejects on 'error': a killed process resets a connection that it has not accepted yet.
  const closed = new Promise(resolve => socket.on('error', () => {}).once('close', resolve))
  socket.resume()
  return () => closed
}

// A process that starts an emulator, prints its URL, and continues with `rest`.
async function parent(t, rest) {
  const script = `
    import { startEmulator } from ${JSON.stringify(MODULE.href)}
    const emulator = await startEmulator()
    console.log(emulator.url)
    ${rest}`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  const [url] = await once(child.stdout.setEncoding('utf8'), 'data')
  return { child, url: url.trim() }
}

test('responds to GET and PATCH and logs both', { timeout: 60_000 }, async t => {
  const emulator = await start(t, { seed: [conversations, accounts] })
  assert.match(emulator.url, /^http:\/\/127\.0\.0\.1:\d+$/)

  const row = `msdyn_ocliveworkitems(${CONVERSATION})?$select=_msdyn_customer_value`
  const read = await send(emulator, row)
  assert.equal(read.status, 200)
  const before = await read.json()
  assert.equal(before._msdyn_customer_value, null)
  assert.equal(before['@odata.etag'], read.headers.get('etag'))

  const body = JSON.stringify({ 'msdyn_customer_msdyn_ocliveworkitem_account@odata.bind': `/accounts(${ACCOUNT})` })
  const headers = {
    'content-type': 'application/json',
    'if-match': read.headers.get('etag'),
    prefer: 'return=representation'
  }
  const written = await send(emulator, row, { method: 'PATCH', headers, body })
  assert.equal(written.status, 200)
  assert.equal((await written.json())._msdyn_customer_value, ACCOUNT)
  assert.equal((await send(emulator, row, { method: 'PATCH', headers, body })).status, 412)

  const log = await emulator.requests()
  const target = `/api/data/v9.2/${row}`
  assert.deepEqual(
    log.map(({ number, method, path, body, status, warnings }) => ({ number, method, path, body, status, warnings })),
    [
      { number: 1, method: 'GET', path: target, body: '', status: 200, warnings: [] },
      { number: 2, method: 'PATCH', path: target, body, status: 200, warnings: [] },
      { number: 3, method: 'PATCH', path: target, body, status: 412, warnings: [] }
    ]
  )
  assert.equal(log[1].headers['if-match'], before['@odata.etag'])
  assert.ok(!JSON.stringify(log).includes(emulator.credential))
})

test('accepts a page, pages, a file, a folder, or no seed', { timeout: 60_000 }, async t => {
  const data = await folder(t)
  const file = path.join(data, 'accounts.json')
  await writeFile(file, JSON.stringify(accounts))
  await writeFile(path.join(data, 'conversations.json'), JSON.stringify(conversations))
  for (const [seed, account, conversation] of [
    [accounts, 200, 404],
    [[accounts, conversations], 200, 200],
    [file, 200, 404],
    [data, 200, 200],
    [[], 404, 404],
    [undefined, 404, 404]
  ]) {
    const emulator = await start(t, { seed })
    assert.equal((await send(emulator, `accounts(${ACCOUNT})`)).status, account)
    assert.equal((await send(emulator, `msdyn_ocliveworkitems(${CONVERSATION})`)).status, conversation)
  }
})

test('accepts a seed larger than the buffer of a pipe', { timeout: 60_000 }, async t => {
  const rows = Array.from({ length: 5000 }, (_, n) => ({
    accountid: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
    name: `Náměstí ${n}`
  }))
  const emulator = await start(t, { seed: page('accounts', ...rows) })
  const last = await send(emulator, 'accounts(00000000-0000-4000-8000-000000004999)')
  assert.equal((await last.json()).name, 'Náměstí 4999')
})

test('rejects an invalid seed and names the file or page and the row', { timeout: 60_000 }, async t => {
  const bad = page('accounts', { accountid: ACCOUNT }, { name: 'no key' })
  await assert.rejects(startEmulator({ seed: bad }), { name: 'Error', message: /seed page 1: row 2: no 'accountid'/ })
  await assert.rejects(startEmulator({ seed: [accounts, { value: [] }] }), /seed page 2: no "@odata.context"/)
  const file = path.join(await folder(t), 'bad.json')
  await writeFile(file, JSON.stringify(bad))
  await assert.rejects(startEmulator({ seed: file }), error => error.message.includes(`${file}: row 2: no 'accountid'`))
  await assert.rejects(startEmulator({ seed: `${file}.missing` }), error => error.message.includes(`${file}.missing: `))
})

test('rejects unknown and invalid options by name', async () => {
  for (const [options, message] of [
    [{ sede: accounts }, /unknown option 'sede'; expected port, seed, state, tls/],
    [{ port: '80' }, /options\.port: expected an integer/],
    [{ port: 65536 }, /options\.port: expected an integer/],
    [{ seed: '' }, /options\.seed: expected a path/],
    [{ seed: 7 }, /options\.seed: expected a page/],
    [{ seed: [accounts, 'path'] }, /options\.seed: expected a page/],
    [null, /options: expected a plain object/],
    [[], /options: expected a plain object/],
    [new Map([['port', 1]]), /options: expected a plain object/],
    [
      new (class {
        get port() {
          return 1
        }
      })(),
      /options: expected a plain object/
    ],
    [Object.create({ port: 1 }), /options: expected a plain object/]
  ]) {
    await assert.rejects(startEmulator(options), { name: 'TypeError', message })
  }
})

test('accepts options of any realm, and without a prototype', { timeout: 60_000 }, async t => {
  for (const options of [
    vm.runInNewContext('({ tls: { hosts: ["a.example"] } })'),
    { __proto__: null, tls: { __proto__: null, hosts: undefined } }
  ]) {
    assert.match((await start(t, options)).url, /^https:/)
  }
})

// A process that runs this code before it loads the emulator.
async function program(t, before, rest) {
  const script = `
    ${before}
    const { startEmulator } = await import(${JSON.stringify(MODULE.href)})
    ${rest}`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: ['ignore', 'pipe', 'pipe'] })
  t.after(() => child.kill('SIGKILL'))
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', piece => (text += piece))
  const [code] = await once(child, 'close')
  return { code, text }
}

test('ignores a polluted Object.prototype in options and responses', { timeout: 60_000 }, async t => {
  const polluted = {
    port: 1,
    seed: 7,
    tls: true,
    hosts: ['x y'],
    error: 'not mine',
    count: 9,
    stdio: 'ignore',
    env: {},
    cwd: '/nowhere',
    detached: true,
    agent: 1
  }
  const before = `Object.assign(Object.prototype, ${JSON.stringify(polluted)})`
  const rest = `
    for (const options of [undefined, {}, { tls: {} }]) {
      const emulator = await startEmulator(options)
      console.log(new URL(emulator.url).protocol, await emulator.clock.advance(5), await emulator.faults.clear())
      await emulator.close()
    }`
  assert.deepEqual(await program(t, before, rest), { code: 0, text: 'http: 5 undefined\nhttp: 5 undefined\nhttps: 5 undefined\n' })
})

test('starts where pipes have no unref, as in Bun', { timeout: 60_000 }, async t => {
  const before = `
    const { Socket } = await import('node:net')
    Socket.prototype.unref = undefined`
  assert.deepEqual(await program(t, before, 'await (await startEmulator()).close(); console.log("closed")'), { code: 0, text: 'closed\n' })
})

test('names the path of a binary that cannot be started', { timeout: 60_000 }, async t => {
  const before = `
    const { default: processes } = await import('node:child_process')
    processes.spawn = () => { throw new Error('spawn ENOTDIR') }`
  const { text } = await program(t, before, 'await startEmulator().catch(({ message }) => console.log(message))')
  assert.match(text, /^The emulator's binary cannot be started: .*: spawn ENOTDIR\. It must be a file outside of any archive\.$/m)
})

test('leaves no child behind when it fails after the start', { timeout: 60_000 }, async t => {
  const before = `
    const { ChildProcess } = await import('node:child_process')
    ChildProcess.prototype.unref = function () {
      this.once('exit', () => console.log('gone'))
      throw new Error('no unref')
    }`
  assert.deepEqual(await program(t, before, 'await startEmulator().catch(({ message }) => console.log(message))'), {
    code: 0,
    text: 'no unref\ngone\n'
  })
})

test('listens on the given port, and reports a port in use', { timeout: 60_000 }, async t => {
  const taken = createServer().listen(0, '127.0.0.1')
  t.after(() => taken.close())
  await once(taken, 'listening')
  const { port } = taken.address()
  await assert.rejects(startEmulator({ port }), error => error.message.includes(`cannot listen on 127.0.0.1:${port}`))
  taken.close()
  await once(taken, 'close')
  assert.equal((await start(t, { port })).url, `http://127.0.0.1:${port}`)
})

test('explains how to get a missing binary', async t => {
  const elsewhere = await folder(t)
  for (const file of ['binary.js', 'index.js']) await copyFile(new URL(file, MODULE), path.join(elsewhere, file))
  const { startEmulator: start } = await import(pathToFileURL(path.join(elsewhere, 'index.js')))
  await assert.rejects(start(), /binary is missing: its package omnichannel-link-emulator-\w+-\S+ is .*--omit=optional.*`npm run build`/)
})

test('close stops it for good', { timeout: 60_000 }, async t => {
  const emulator = await start(t)
  const gone = await connection(t, emulator.url)
  const first = emulator.close()
  assert.equal(emulator.close(), first)
  await first
  await gone()
  await emulator.close()
  await assert.rejects(emulator.requests(), error => error.message.includes(`${emulator.url} does not respond`))

  if (Symbol.asyncDispose) {
    const disposed = await start(t)
    await disposed[Symbol.asyncDispose]()
    await assert.rejects(disposed.requests())
  }
})

test('emulators share no state', { timeout: 60_000 }, async t => {
  const [one, two] = await Promise.all([start(t, { seed: accounts }), start(t)])
  assert.notEqual(one.credential, two.credential)
  assert.equal((await send({ ...one, credential: two.credential }, `accounts(${ACCOUNT})`)).status, 401)
  assert.equal((await send(two, `accounts(${ACCOUNT})`)).status, 404)
  assert.equal((await one.requests()).length, 1)
})

test('does not keep the process alive, and ends with it', { timeout: 60_000 }, async t => {
  // It ends after the first line on stdin, so that the connection is open before.
  const { child, url } = await parent(
    t,
    `
    await emulator.requests()
    process.stdin.once('data', () => process.stdin.destroy())`
  )
  const gone = await connection(t, url)
  child.stdin.end('\n')
  assert.deepEqual(await once(child, 'exit'), [0, null])
  await gone()
})

test('ends when its process is killed', { timeout: 60_000 }, async t => {
  const { child, url } = await parent(t, 'process.stdin.resume()')
  const gone = await connection(t, url)
  child.kill('SIGKILL')
  await gone()
})

test('a seed may hold a string that was cut in the middle of an emoji', async t => {
  const emulator = await start(t, { seed: [page('accounts', { accountid: ACCOUNT, name: 'x\ud83d' })] })
  const answer = await send(emulator, `accounts(${ACCOUNT})?$select=name`)
  assert.equal((await answer.json()).name, 'x\ufffd')
})
