// The file of failed items is a copy of the list: its place and its permissions.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { folder } from './support/afterwards.mjs'
import { cli, PROGRAM } from './support/cli.mjs'

const posix = { skip: process.platform === 'win32', timeout: 120_000 }
const LIST = '{"entityLogicalName":"lead"}\n'

/** A list with one failing item, in a separate folder. */
function prepared(t) {
  const cwd = folder(t)
  const at = name => join(cwd, name)
  writeFileSync(at('list.jsonl'), LIST, { mode: 0o600 })
  const run = (...args) => cli(t, ['bulk', 'list.jsonl', '--db', 'links.db', ...args], { cwd })
  return { at, cwd, run }
}

const written = path => JSON.parse(readFileSync(path, 'utf8')).bulkError.split(':')[0]
const mode = path => (statSync(path).mode & 0o777).toString(8)

test('only its owner may read it, whatever the permissions of the list, an earlier file and the umask are', posix, async t => {
  const { at, run } = prepared(t)
  const before = process.umask(0)
  t.after(() => process.umask(before))
  for (const [list, earlier] of [[0o600], [0o644], [0o666, 0o666], [0o400, 0o644]]) {
    chmodSync(at('list.jsonl'), list)
    if (earlier) chmodSync(at('list.failed.jsonl'), earlier)
    assert.equal((await run()).code, 7)
    assert.deepEqual([written(at('list.failed.jsonl')), mode(at('list.failed.jsonl'))], ['INVALID_ARGUMENT', '600'])
  }
})

for (const args of [[], ['--failed', 'list.failed.jsonl']]) {
  test(`symbolic links are not followed${args.length > 0 ? ', even if named' : ''}`, posix, async t => {
    const { at, run } = prepared(t)
    mkdirSync(at('folder'))
    writeFileSync(at('other'), 'of another program')
    for (const target of ['other', 'missing', 'folder', '/dev/full/nothing', ...(args.length > 0 ? [] : ['/dev/null'])]) {
      symlinkSync(target, at('list.failed.jsonl'))
      const { code, stdout, stderr } = await run(...args)
      assert.deepEqual([code, stdout], [2, ''], target)
      assert.match(stderr, /^INVALID_ARGUMENT Failed items cannot be written to 'list\.failed\.jsonl': /)
      assert.ok(lstatSync(at('list.failed.jsonl')).isSymbolicLink())
      execFileSync('rm', [at('list.failed.jsonl')])
    }
    assert.deepEqual([readFileSync(at('other'), 'utf8'), existsSync(at('missing'))], ['of another program', false])
    // A hard link is replaced, and the file that it shares is not written.
    linkSync(at('other'), at('list.failed.jsonl'))
    assert.equal((await run(...args)).code, 7)
    assert.deepEqual([readFileSync(at('other'), 'utf8'), written(at('list.failed.jsonl'))], ['of another program', 'INVALID_ARGUMENT'])
  })
}

test('the list itself is not overwritten under another name', posix, async t => {
  const { at, run } = prepared(t)
  symlinkSync('list.jsonl', at('list.failed.jsonl'))
  assert.match((await run()).stderr, /'list\.failed\.jsonl' is the list itself/)
  assert.equal(readFileSync(at('list.jsonl'), 'utf8'), LIST)
})

test('a named pipe or device is written to and not replaced', posix, async t => {
  const { at, cwd, run } = prepared(t)
  execFileSync('mkfifo', [at('list.failed.jsonl')])
  const unnamed = await run()
  assert.deepEqual([unnamed.code, unnamed.stdout], [2, ''])
  assert.match(
    unnamed.stderr,
    /'list\.failed\.jsonl': it is a link or not a regular file\.\n {2}Remove it, or choose another file with --failed\.\n$/
  )
  // The shell passes `>(…)` as a link in /dev/fd to a pipe.
  const command = '{ "$0" "$1" bulk list.jsonl --db links.db --failed >(cat >&3) >/dev/null; } 3>&1 | cat'
  const piped = execFileSync('bash', ['-c', command, process.execPath, PROGRAM], { cwd, encoding: 'utf8' })
  assert.match(piped, /^\{"entityLogicalName":"lead","bulkError":"INVALID_ARGUMENT: /)
  assert.match((await run('--failed', '/dev/null')).stdout, /1 item failed; see \/dev\/null\./)
  assert.ok(existsSync('/dev/null'))
  // Not on other systems.
  if (process.platform === 'linux')
    assert.match((await run('--failed', '/dev/full')).stderr, /Failed items cannot be written to '\/dev\/full': ENOSPC/)
})

test('a pipe without a reader is an error, not a wait', posix, async t => {
  const { at, run } = prepared(t)
  execFileSync('mkfifo', [at('pipe')])
  symlinkSync('pipe', at('link'))
  for (const name of ['pipe', 'link']) {
    const { code, stdout, stderr } = await run('--failed', name)
    assert.deepEqual([code, stdout], [2, ''])
    assert.match(
      stderr,
      /cannot be written to '.*': it is a pipe without a reader\.\n {2}Start its reader first, or choose another file with --failed\.\n$/
    )
  }
})

test('a slowly read pipe gets every failed item', posix, async t => {
  const { at, cwd, run } = prepared(t)
  execFileSync('mkfifo', [at('pipe')])
  const count = 2000
  writeFileSync(at('list.jsonl'), LIST.repeat(count))
  // More than the buffer of a pipe.
  const reader = spawn('bash', ['-c', 'exec 3<pipe; dd bs=512 <&3 2>/dev/null | grep -c bulkError'], { cwd })
  let counted = ''
  reader.stdout.on('data', text => (counted += text))
  const ended = once(reader, 'close')
  // Reads nothing, and allows both ends to open the pipe in any order.
  const holder = openSync(at('pipe'), 'r+')
  t.after(() => reader.kill('SIGKILL'))
  assert.equal((await run('--failed', 'pipe')).code, 7)
  closeSync(holder)
  await ended
  assert.equal(counted.trim(), String(count))
})

test('the summary names the file', { timeout: 120_000 }, async t => {
  const { at, run } = prepared(t)
  assert.match((await run('--failed', at('mine.jsonl'))).stdout, /1 item failed; see .*mine\.jsonl\. Run `bulk` on that file to retry it\./)
  assert.equal(JSON.parse((await run('--json')).stderr).summary.failedFile, 'list.failed.jsonl')
})
