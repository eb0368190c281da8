// `npx omnichannel-link-emulator`: the command stops its server, however the command ends.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { afterwards } from './support/afterwards.mjs'

const PROGRAM = fileURLToPath(new URL('../emulator/index.js', import.meta.url))
const ACCOUNT = '0b7e4c0e-7d35-4a0c-a4e4-0f6d2a3c9e02'
const page = { '@odata.context': 'https://contoso.crm4.dynamics.com/api/data/v9.2/$metadata#accounts', value: [{ accountid: ACCOUNT }] }

/** The command. `ended` resolves with its exit and output, after the server that inherited its stdout has exited too. */
function start(t, args = []) {
  const child = spawn(process.execPath, [PROGRAM, ...args])
  afterwards(t, () => child.kill('SIGKILL'))
  const written = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', text => (written[name] += text))
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, ...written }))
  const listens = async () => {
    while (!written.stdout.includes('\n')) await once(child.stdout, 'data')
    return JSON.parse(written.stdout)
  }
  return { child, ended, listens }
}

/** Asserts that the port refuses connections. */
async function assertGone(url) {
  const { hostname, port } = new URL(url)
  const [error] = await once(connect(Number(port), hostname), 'error')
  assert.equal(error.code, 'ECONNREFUSED')
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL']) {
  for (const args of [[], ['--tls'], ['--stdin-seed']]) {
    const skip = process.platform === 'win32' && signal !== 'SIGKILL'
    test(`${signal} also stops the server${args.map(arg => `, with ${arg}`)}`, { skip, timeout: 60_000 }, async t => {
      const { child, ended, listens } = start(t, args)
      child.stdin.write('[]\n')
      const { url } = await listens()
      child.kill(signal)
      const { signal: endedBy } = await ended
      assert.equal(endedBy, signal)
      await assertGone(url)
    })
  }
}

test(
  'the command runs without a stdin, and ends when its server is killed',
  { skip: process.platform !== 'linux', timeout: 60_000 },
  async t => {
    const { child, ended, listens } = start(t)
    child.stdin.end()
    const { url } = await listens()
    assert.equal((await fetch(`${url}/api/data/v9.2/WhoAmI`)).status, 401)
    const [server] = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ')
    process.kill(Number(server), 'SIGKILL')
    assert.equal((await ended).signal, 'SIGKILL')
  }
)

test('a seed may come over stdin, and its end stops the command', { timeout: 60_000 }, async t => {
  const { child, ended, listens } = start(t, ['--stdin-seed'])
  child.stdin.write(`${JSON.stringify([page])}\n`)
  const { url, credential } = await listens()
  const { status } = await fetch(`${url}/api/data/v9.2/accounts(${ACCOUNT})`, { headers: { authorization: `Bearer ${credential}` } })
  assert.equal(status, 200)
  child.stdin.end()
  const { code, stderr } = await ended
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
})

test('invalid flags end it with the status and message of the server', { timeout: 60_000 }, async t => {
  for (const [args, message] of [
    [['--port'], /--port needs a value; see --help/],
    [['--prot'], /unknown argument '--prot'; see --help/]
  ]) {
    const { code, stdout, stderr } = await start(t, args).ended
    assert.deepEqual([code, stdout], [2, ''])
    assert.match(stderr, message)
  }
  const { code, stdout } = await start(t, ['--help']).ended
  assert.equal(code, 0)
  assert.match(stdout, /--stdin-seed/)
})
