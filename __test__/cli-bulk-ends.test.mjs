// Early ends of `bulk`: Ctrl-C, SIGTERM, a closed terminal, a closed stdout, and errors that affect every item.
import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { Interruption } from '../cli/interruption.js'
import { List } from '../cli/lists.js'
import { progressLine } from '../cli/terminal.js'
import { cancelOnAbort } from '../lib/signals.js'
import { query } from '../examples/support/sqlite.mjs'
import { folder } from './support/afterwards.mjs'
import { cli, PROGRAM, startCli } from './support/cli.mjs'
import { contact, conversation, conversations, emptyConversation, numbered, page } from './support/sample.mjs'
import { client, emulator, readServer } from './support/stores.mjs'

const withoutSignals = { skip: process.platform === 'win32', timeout: 120_000 }
const lines = text => text.trim().split('\n')
const documents = text => lines(text).map(line => JSON.parse(line))
const item = conversationId => JSON.stringify({ ...contact, conversationId })
const listOf = count => Array.from({ length: count }, (_, number) => item(numbered(number))).join('\n')

/** A list of many conversations, and a store with them. */
async function long(t, count = 5000) {
  const cwd = folder(t)
  const store = client(t, { embedded: { path: join(cwd, 'links.db') } })
  await store.importRecords(conversations(count))
  await store.importRecords(page('contacts', { contactid: contact.recordId }))
  await store.close()
  writeFileSync(join(cwd, 'list.jsonl'), listOf(count))
  const linked = () =>
    query(join(cwd, 'links.db'), 'SELECT COUNT(*) AS linked FROM conversation_text WHERE customer_id IS NOT NULL')[0].linked
  return { cwd, linked }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  test(`${signal} ends the list, and every item that began has a result`, withoutSignals, async t => {
    const { cwd, linked } = await long(t)
    const { child, ended, says } = startCli(t, ['bulk', 'list.jsonl', '--json', '--db', 'links.db'], { cwd })
    // It cannot reach its end while stdout is not read.
    child.stdout.once('data', () => child.stdout.pause())
    await new Promise(resolve => child.stdout.once('pause', resolve))
    child.kill(signal)
    await says('Stopping')
    child.stdout.resume()
    const { code, stdout, stderr } = await ended
    assert.equal(code, 130)
    const results = documents(stdout)
    assert.ok(results.every(({ line, outcome }, at) => line === at + 1 && outcome.status === 'linked'))
    const [, { summary }, { error }] = documents(stderr)
    const { length } = results
    assert.deepEqual(summary, {
      items: length,
      failed: 0,
      uncertain: 0,
      outcomes: { linked: length },
      notBegunFromLine: length + 1,
      failedFile: null,
      dryRun: false
    })
    assert.deepEqual([error.name, linked()], ['AbortError', length])
  })
}

test('a closed stdout ends the list, and the summary is on stderr', withoutSignals, async t => {
  const { cwd, linked } = await long(t)
  const { child, ended } = startCli(t, ['bulk', 'list.jsonl', '--json', '--db', 'links.db'], { cwd })
  child.stdout.once('data', () => child.stdout.destroy())
  const { code, stderr } = await ended
  assert.equal(code, 130)
  const [, { summary }, { error }] = documents(stderr)
  assert.match(error.message, /^stdout was closed\. Writes that were already sent are not undone\.$/)
  assert.ok(summary.items < 5000)
  assert.equal(summary.items, linked())
})

for (const signal of ['SIGINT', 'SIGHUP']) {
  test(`a second ${signal} cancels calls in progress and reports it`, withoutSignals, async t => {
    const server = await emulator(t)
    const cwd = folder(t)
    // Both lines are complete, so that both calls begin before the end of the file.
    writeFileSync(join(cwd, 'list.jsonl'), `${item(conversation)}\n${item(emptyConversation)}\n`)
    await server.faults.add({ times: 2, fault: { kind: 'hang' } })
    const env = { DATAVERSE_URL: server.url, DATAVERSE_TOKEN: server.credential }
    const { child, ended, says } = startCli(t, ['bulk', 'list.jsonl'], { cwd, env })
    await server.faults.hanging(2)
    child.kill(signal)
    await says('Stopping')
    child.kill(signal)
    const { code, stdout, stderr } = await ended
    assert.equal(code, 130)
    assert.match(stdout, /2 {6}cancelled {2}line 1: Cancelled while in progress\.\n {2}line 2: /)
    assert.match(
      stdout,
      /Failed items that may have been applied: 2\.\n2 items failed; see list\.failed\.jsonl\. Run `bulk` on that file to retry them\.\n/
    )
    // All items have begun.
    assert.match(stderr, /^Stopping: .*\nInterrupted\.\n$/)
    assert.equal(lines(readFileSync(join(cwd, 'list.failed.jsonl'), 'utf8')).length, 2)
  })
}

const withTerminal = { skip: process.platform !== 'linux' || spawnSync('script', ['--version']).status !== 0, timeout: 60_000 }

test('a closed terminal ends the list cleanly', withTerminal, async t => {
  const server = await emulator(t)
  const cwd = folder(t)
  writeFileSync(join(cwd, 'list.jsonl'), `${item(conversation)}\n${item(emptyConversation)}\n`)
  await server.faults.add({ times: 2, fault: { kind: 'hang' } })
  execFileSync('mkfifo', [join(cwd, 'code')])
  const env = { ...process.env, DATAVERSE_URL: server.url, DATAVERSE_TOKEN: server.credential, NODE: process.execPath, PROGRAM }
  // The shell outlives its terminal, to report the exit code.
  const command = `trap '' HUP; "$NODE" "$PROGRAM" bulk list.jsonl; echo $? > code`
  const terminal = spawn('script', ['-qfc', command, '/dev/null'], { cwd, env, stdio: 'ignore' })
  await server.faults.hanging(2)
  terminal.kill('SIGKILL')
  await once(terminal, 'exit')
  const code = readFile(join(cwd, 'code'), 'utf8')
  await server.faults.release()
  assert.equal((await code).trim(), '130')
  assert.deepEqual((await readServer(server, emptyConversation)).customer, contact)
})

test('a queued call does not begin because the call before it is cancelled', () => {
  const controller = new AbortController()
  const waiting = [1, 2, 3]
  const gotThrough = []
  // Like calls on one conversation: the first is in progress, and the next begins when it ends.
  const end = number => {
    const isFirst = waiting[0] === number
    waiting.splice(waiting.indexOf(number), 1)
    if (isFirst && waiting.length > 0) gotThrough.push(waiting[0])
  }
  for (const number of [1, 2, 3]) cancelOnAbort(undefined, controller.signal, { cancel: () => end(number) })
  controller.abort()
  assert.deepEqual([waiting, gotThrough], [[], []])
})

test('calls in progress have ten seconds', t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const interruption = new Interruption()
  const { cancelSignal, signal } = interruption
  const reason = new Error('enough')
  interruption.escalate(reason)
  assert.deepEqual([signal.reason, cancelSignal.aborted], [reason, false])
  t.mock.timers.tick(9999)
  assert.equal(cancelSignal.aborted, false)
  t.mock.timers.tick(1)
  assert.equal(cancelSignal.aborted, true)
})

test('Ctrl-C does not wait for a list that is never written', withoutSignals, async t => {
  const cwd = folder(t)
  const { child, ended, says } = startCli(t, ['bulk', '-', '--failed', 'failed.jsonl', '--json', '--db', 'links.db'], { cwd })
  child.stdin.write(`${item(conversation)}\n{ "torn`)
  await new Promise(resolve => child.stdout.once('data', resolve))
  child.kill('SIGINT')
  await says('Stopping')
  const { code, stderr } = await ended
  const { summary } = documents(stderr)[1]
  assert.deepEqual([code, summary.items, summary.notBegunFromLine], [130, 1, 2])
})

test('a rejected token ends the list at its first item, with one hint', { timeout: 120_000 }, async t => {
  const { url } = await emulator(t)
  const cwd = folder(t)
  writeFileSync(join(cwd, 'list.jsonl'), listOf(2000))
  const { code, stdout, stderr } = await cli(t, ['bulk', 'list.jsonl'], { cwd, env: { DATAVERSE_URL: url, DATAVERSE_TOKEN: 'hunter2' } })
  assert.equal(code, 5)
  const [, begun] =
    /Stopped at line 1: every item would fail with AUTHENTICATION_FAILED\.\nNo item from line (\d+) on was started\. Run the same command again/.exec(
      stderr
    )
  assert.ok(begun < 1000)
  assert.equal(lines(readFileSync(join(cwd, 'list.failed.jsonl'), 'utf8')).length, begun - 1)
  assert.equal(stdout.match(/^AUTHENTICATION_FAILED: .*scope/gm).length, 1)
})

test('a store that fails repeatedly ends the list', { timeout: 120_000 }, async t => {
  const cwd = folder(t)
  mkdirSync(join(cwd, 'links.db'))
  writeFileSync(join(cwd, 'list.jsonl'), listOf(2000))
  const { code, stderr } = await cli(t, ['bulk', 'list.jsonl', '--json', '--db', 'links.db'], { cwd })
  assert.equal(code, 6)
  const [, { summary }, { error }] = documents(stderr)
  assert.ok(summary.items >= 20 && summary.items < 1000)
  assert.deepEqual([summary.outcomes, error.code], [{ STORE: summary.items }, 'STORE'])
})

for (const [code, fault] of [
  ['TIMEOUT', { kind: 'hang' }],
  ['THROTTLED', { kind: 'throttle', limit: 'requests', retryAfterInSeconds: 3600 }]
]) {
  test(`a server that only returns ${code} ends the list`, { timeout: 120_000 }, async t => {
    const server = await emulator(t)
    const cwd = folder(t)
    writeFileSync(join(cwd, 'list.jsonl'), listOf(2000))
    await server.faults.add({ times: 'always', fault })
    const env = { DATAVERSE_URL: server.url, DATAVERSE_TOKEN: server.credential }
    const { code: exit, stderr } = await cli(t, ['bulk', 'list.jsonl', '--timeout', '300', '--json'], { cwd, env })
    assert.equal(exit, 6)
    const [, { summary }, { error }] = documents(stderr)
    assert.ok(summary.items >= 20 && summary.items < 1000)
    assert.deepEqual([summary.outcomes, error.code], [{ [code]: summary.items }, code])
  })
}

test('progress is the share of the file up to the last finished item', { timeout: 60_000 }, async t => {
  const path = join(folder(t), 'list.csv')
  for (const encoding of ['utf8', 'utf16le']) {
    writeFileSync(path, Buffer.from(`\ufeffentityLogicalName,recordId,conversationId\n${'a,b,ü\n'.repeat(20_000)}`, encoding))
    const list = new List(path)
    const shares = []
    for await (const { end } of list.requests()) shares.push(list.share(end))
    assert.ok(shares[0] < 0.01, `${shares[0]}`)
    assert.ok(Math.abs(shares[10_000] - 0.5) < 0.02, `${shares[10_000]}`)
    assert.ok(shares.at(-1) > 0.99)
  }
})

test('the progress line fits the window, and works without a size', () => {
  const written = []
  const bar = progressLine({ isTTY: true, columns: 40, write: text => written.push(text) })
  bar.show(0.5, 'a line that is longer than the window')
  bar.show(undefined, '7 done')
  assert.match(written[0], / 50 % {2}a line that$/)
  assert.match(written[1], /7 done$/)
})
