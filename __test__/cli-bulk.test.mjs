// `bulk`: both list formats, and the file of failed items.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { List } from '../cli/lists.js'
import { folder } from './support/afterwards.mjs'
import { cli, startCli } from './support/cli.mjs'
import { account, closedConversation, contact, conversation, emptyConversation, incident, missingId } from './support/sample.mjs'
import { emulator, readServer } from './support/stores.mjs'

const HEADER = 'conversationId,note,entityLogicalName,recordId'
const lines = text => text.trim().split(/\r?\n/)

/** The command with an emulator with the sample data, in a separate folder with one file. */
async function prepared(t, name, content) {
  const server = await emulator(t)
  const cwd = folder(t)
  writeFileSync(join(cwd, name), content)
  const env = { DATAVERSE_URL: server.url, DATAVERSE_TOKEN: server.credential }
  return {
    server,
    cwd,
    env,
    run: (...args) => cli(t, ['bulk', ...args], { cwd, env }),
    read: file => readFileSync(join(cwd, file), 'utf8')
  }
}

test('a CSV list: a table of outcomes, and the failed items in the same format', { timeout: 120_000 }, async t => {
  const { server, run, read, cwd } = await prepared(
    t,
    'list.csv',
    `\ufeff${HEADER}\r
${conversation},"first, ""quoted""",incident,${incident.recordId}\r
${closedConversation},"two
lines",contact,${contact.recordId}\r
${conversation},third, contact ,${contact.recordId}\r
short,row\r
${emptyConversation},fifth,contact,${missingId}\r
`
  )
  const { code, stdout, stderr } = await run('list.csv')
  assert.deepEqual([code, stderr], [7, ''])
  assert.match(
    stdout,
    /items {2}outcome\n {2}1 {6}linked\n {2}1 {6}CONVERSATION_NOT_ACTIVE {2}line 3: .*\n {2}1 {6}replaced\n {2}1 {6}INVALID_ARGUMENT {9}line 6: The row has 2 fields, but the header has 4\.\n {2}1 {6}RECORD_NOT_FOUND/
  )
  assert.match(stdout, /3 items failed; see list\.failed\.csv\./)
  assert.deepEqual(await readServer(server, conversation), { customer: contact, case: incident })
  const failed = read('list.failed.csv')
  assert.match(
    failed,
    new RegExp(
      `^\ufeffbulkError,${HEADER}\r\n"?CONVERSATION_NOT_ACTIVE: .*,${closedConversation},"two\nlines",contact,${contact.recordId}\r\n"INVALID_.*",short,row\r\n`
    )
  )

  // bulk accepts this file, and writes items that fail again with one error column.
  const again = await run('list.failed.csv', '--status', 'closed')
  assert.equal(again.code, 7)
  assert.match(again.stdout, /1 {6}linked/)
  const header = lines(read('list.failed.failed.csv'))[0]
  assert.equal(header, `bulkError,${HEADER}`)

  // Files of an earlier run are not results of this one.
  writeFileSync(join(cwd, 'list.csv'), `${HEADER}\n${conversation},x,incident,${incident.recordId}\n`)
  const fine = await run('list.csv')
  assert.deepEqual([fine.code, /1 {6}alreadyLinked/.test(fine.stdout)], [0, true])
  assert.equal(existsSync(join(cwd, 'list.failed.csv')), false)
})

const item = (record, conversationId, more) => JSON.stringify({ ...record, conversationId, ...more })

test('JSON Lines, with --json and --unlink', { timeout: 120_000 }, async t => {
  const { run, read } = await prepared(
    t,
    'list.jsonl',
    [
      item(account, conversation, { ticket: 7 }),
      '',
      '{ "torn": ',
      '[1]',
      item(contact, conversation, { error: 'mine' }).replace('}', ',"ticket":12345678901234567890}'),
      item(incident, missingId),
      '{}'
    ].join('\r\n')
  )
  const { code, stdout, stderr } = await run('list.jsonl', '--unlink', '--json')
  assert.equal(code, 7)
  const results = lines(stdout).map(line => JSON.parse(line))
  assert.deepEqual(
    results.map(({ line, outcome, error }) => [line, outcome?.status ?? error.code]),
    [
      [1, 'unlinked'],
      [3, 'INVALID_ARGUMENT'],
      [4, 'INVALID_ARGUMENT'],
      [5, 'NOT_LINKED'],
      [6, 'CONVERSATION_NOT_FOUND'],
      [7, 'INVALID_ARGUMENT']
    ]
  )
  assert.deepEqual(results[0].request, { ...account, conversationId: conversation })
  assert.equal(results[1].error.message, 'The line is not JSON.')
  const { summary } = JSON.parse(stderr)
  assert.deepEqual(summary, {
    items: 6,
    failed: 5,
    uncertain: 0,
    outcomes: { unlinked: 1, INVALID_ARGUMENT: 3, NOT_LINKED: 1, CONVERSATION_NOT_FOUND: 1 },
    notBegunFromLine: null,
    failedFile: 'list.failed.jsonl',
    dryRun: false
  })
  const failed = read('list.failed.jsonl').split('\n')
  assert.deepEqual([failed[0].trim(), failed[1].trim()], ['{ "torn":', '[1]'])
  const row = item(contact, conversation, { error: 'mine' }).slice(0, -1)
  assert.match(failed[2], /^\{.*,"error":"mine","ticket":12345678901234567890,"bulkError":"NOT_LINKED: [^"]*"\}\r$/)
  assert.ok(failed[2].startsWith(row))

  // Only the latest error is kept.
  assert.equal((await run('list.failed.jsonl', '--unlink')).code, 7)
  assert.equal(read('list.failed.failed.jsonl'), read('list.failed.jsonl'))
})

test('a row that does not match the header is not called, and stays unchanged until it is fixed', { timeout: 120_000 }, async t => {
  const { server, run, read, cwd } = await prepared(
    t,
    'list.csv',
    `entityLogicalName,recordId,conversationId,note
contact,${contact.recordId},${conversation}
contact,${contact.recordId},${conversation},one,"two, three"
`
  )
  const rows = [`contact,${contact.recordId},${conversation}`, `contact,${contact.recordId},${conversation},one,"two, three"`]
  for (const file of ['list', 'list.failed']) {
    const { code, stdout } = await run(`${file}.csv`)
    assert.equal(code, 7)
    assert.match(
      stdout,
      /2 {6}INVALID_ARGUMENT {2}line 2: The row has 3 fields, but the header has 4\.\n {2}line 3: The row has 5 fields, but the header has 4\./
    )
    assert.deepEqual(
      lines(read(`${file}.failed.csv`))
        .slice(1)
        .map(line => line.replace(/^"[^"]*",/, '')),
      rows
    )
  }
  assert.deepEqual(await readServer(server, conversation), { customer: account, case: null })
  writeFileSync(join(cwd, 'list.failed.csv'), read('list.failed.csv').replace(`${conversation}\n`, `${conversation},fixed\n`))
  assert.match((await run('list.failed.csv')).stdout, /1 {6}replaced\n/)
})

test('lists in the forms of spreadsheets', { timeout: 120_000 }, async t => {
  const ids = `contact;${contact.recordId};${conversation}`
  const { run, read, cwd } = await prepared(
    t,
    'list.csv',
    `Entity Logical Name;RecordId;CONVERSATIONID;error\rlead;${contact.recordId};${conversation};mine\r${ids};\r`
  )
  assert.match((await run('list.csv')).stdout, /1 {6}INVALID_ARGUMENT .*\n {2}1 {6}replaced/)
  assert.match(
    read('list.failed.csv'),
    new RegExp(
      `^bulkError;Entity Logical Name;RecordId;CONVERSATIONID;error\rINVALID_ARGUMENT: [^;]*;lead;${contact.recordId};${conversation};mine\r$`
    )
  )
  const text = `\ufeffentityLogicalName;recordId;conversationId;ü\r\nlead;${contact.recordId};${conversation};ä\r\n${ids};ö\r\n`
  const wide = Buffer.from(text, 'utf16le')
  for (const content of [wide, Buffer.from(wide).swap16()]) {
    writeFileSync(join(cwd, 'wide.txt'), content)
    assert.match((await run('wide.txt')).stdout, /1 {6}INVALID_ARGUMENT .*\n {2}1 {6}alreadyLinked/)
    assert.match(read('wide.failed.txt'), /^\ufeffbulkError;entityLogicalName;recordId;conversationId;ü\r\n.*;ä\r\n$/)
  }
  writeFileSync(join(cwd, 'twice.csv'), 'entityLogicalName,recordId,conversationId,Record Id\n')
  assert.match((await run('twice.csv')).stderr, /'twice\.csv': the header repeats recordId\./)
})

const bytes = (text, encoding = 'latin1') => Buffer.from(text, encoding)

test('a list in another encoding is rejected, because failed items could not be written back', { timeout: 120_000 }, async t => {
  const { server, run, cwd } = await prepared(t, 'list.csv', '')
  const row = `${conversation},x,contact,${contact.recordId}\n`
  for (const [content, encoding] of [
    [bytes(`${HEADER}\n${row}${conversation},Müller,lead,x\n`), 'UTF-8'],
    [bytes(`${HEADER},ort\n${row.trim()},Jülich\n${row.trim()},é`), 'UTF-8'],
    [bytes(`${HEADER}\n${row}${conversation},,lead,é`), 'UTF-8'],
    [Buffer.concat([bytes(`\ufeff${HEADER}\n${row}`, 'utf16le'), bytes('x')]), 'UTF-16LE']
  ]) {
    writeFileSync(join(cwd, 'list.csv'), content)
    const { code, stdout, stderr } = await run('list.csv')
    assert.deepEqual([code, stdout], [2, ''])
    assert.match(stderr, new RegExp(`^INVALID_ARGUMENT 'list\\.csv' is not valid ${encoding}\\.\n.* UTF-8, or UTF-16 .*"CSV UTF-8"\\.\n$`))
  }
  assert.deepEqual(await readServer(server, conversation), { customer: account, case: null })
  // In a long list it is found later.
  writeFileSync(join(cwd, 'list.csv'), bytes(`${HEADER}\n${row.repeat(1000)}${conversation},Müller,lead,x\n`))
  const { code, stdout, stderr } = await run('list.csv')
  assert.equal(code, 2)
  assert.match(stdout, /\d+ +alreadyLinked/)
  assert.match(stderr, /^INVALID_ARGUMENT 'list\.csv' is not valid UTF-8/)
})

test('a list on stdin, in both formats', { timeout: 120_000 }, async t => {
  const { read, cwd, env } = await prepared(t, 'unused', '')
  const piped = async (text, ...args) => {
    const { child, ended } = startCli(t, ['bulk', '-', ...args], { cwd, env })
    child.stdin.end(text)
    return await ended
  }
  const csv = `${HEADER}\n${conversation},,contact,${contact.recordId}\n${conversation},,lead,x\n`
  const rejected = await piped(csv)
  assert.deepEqual([rejected.code, rejected.stdout], [2, ''])
  assert.match(rejected.stderr, /Reading from stdin requires --failed <file>/)
  assert.match((await piped(csv, '--dry-run')).stdout, /1 {6}replaced/)
  assert.match((await piped(csv, '--failed', 'failed.csv')).stdout, /1 {6}replaced/)
  assert.match(read('failed.csv'), /,lead,x\n$/)
  assert.match((await piped(`\n${item(contact, conversation)}\n`, '--failed', 'failed.csv')).stdout, /1 {6}alreadyLinked/)
  assert.equal(existsSync(join(cwd, 'failed.csv')), false)
})

test('a pipe can be read as stdin, but not by its path', { skip: process.platform === 'win32', timeout: 120_000 }, async t => {
  const { run, cwd } = await prepared(t, 'unused', '')
  execFileSync('mkfifo', ['pipe.csv'], { cwd })
  for (const path of ['pipe.csv', '/dev/stdin', '/dev/null']) {
    const { code, stdout, stderr } = await run(path, '--failed', 'failed.csv')
    assert.deepEqual([code, stdout], [2, ''])
    assert.match(
      stderr,
      new RegExp(`^INVALID_ARGUMENT '${path}' is not a regular file\\.\n {2}Pass .* as stdin: \`omnichannel-link bulk - < pipe\`\\.\n$`)
    )
  }
  assert.match((await run('.', '--failed', 'failed.csv')).stderr, /^INVALID_ARGUMENT '\.' cannot be read: EISDIR\.\n$/)
})

test('the format of a list that comes byte by byte is detected by its first character and byte order mark', async t => {
  const text = `\ufeff \n{"entityLogicalName":"ü"}\n`
  const wide = Buffer.from(text, 'utf16le')
  for (const bytes of [Buffer.from(text), wide, Buffer.from(wide).swap16(), Buffer.from(text.slice(1))]) {
    t.mock.getter(process, 'stdin', () => Readable.from(Array.from(bytes, byte => Buffer.of(byte))))
    const items = []
    for await (const { line, entityLogicalName, broken } of new List('-').requests()) items.push([line, entityLogicalName, broken])
    assert.deepEqual(items, [[2, 'ü', undefined]])
  }
})

test('without a file for failed items nothing begins', { timeout: 120_000 }, async t => {
  const { server, run, read, cwd } = await prepared(t, 'list.csv', `${HEADER}\n${conversation},,contact,${contact.recordId}\n`)
  mkdirSync(join(cwd, 'list.failed.csv'))
  const list = read('list.csv')
  for (const [args, message] of [
    [[], /Failed items cannot be written to 'list\.failed\.csv': EISDIR\./],
    [['--failed', 'nowhere/failed.csv'], /to 'nowhere\/failed\.csv': ENOENT\./],
    [['--failed', 'list.csv'], /'list\.csv' is the list itself/]
  ]) {
    const { code, stdout, stderr } = await run('list.csv', ...args)
    assert.deepEqual([code, stdout], [2, ''])
    assert.match(stderr, message)
  }
  assert.deepEqual([await readServer(server, conversation), read('list.csv')], [{ customer: account, case: null }, list])
})

test('a full disk ends the list like Ctrl-C', { skip: process.platform !== 'linux', timeout: 120_000 }, async t => {
  const { cwd, read } = await prepared(t, 'list.jsonl', `${item({ entityLogicalName: 'lead' }, 'x')}\n`.repeat(5000))
  const program = fileURLToPath(new URL('../cli/index.js', import.meta.url))
  // Files of at most four kilobytes.
  const child = spawn('bash', ['-c', 'ulimit -f 4; exec "$0" "$@"', process.execPath, program, 'bulk', 'list.jsonl', '--db', 'links.db'], {
    cwd
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', text => (stdout += text))
  child.stderr.on('data', text => (stderr += text))
  const [code] = await once(child, 'close')
  assert.equal(code, 2)
  const whole = lines(read('list.failed.jsonl'))
  assert.ok(whole.every(line => JSON.parse(line).bulkError.startsWith('INVALID_ARGUMENT')))
  assert.match(
    stdout,
    new RegExp(`\\d+ +INVALID_ARGUMENT [^]*\n\\d+ items failed; see list\\.failed\\.jsonl for the first ${whole.length}\\.`)
  )
  assert.match(stderr, /cannot be written to 'list\.failed\.jsonl': EFBIG\.\nNo item from line \d+ on was started\./)
})

test('--dry-run writes nothing, not even failed items', { timeout: 120_000 }, async t => {
  const { server, run, read, cwd } = await prepared(
    t,
    'list.csv',
    `${HEADER}\n${conversation},,contact,${contact.recordId}\n${conversation},,lead,x\n`
  )
  writeFileSync(join(cwd, 'list.failed.csv'), 'of the real run')
  const { code, stdout } = await run('list.csv', '--dry-run')
  assert.equal(code, 7)
  assert.match(stdout, /1 {6}replaced\n.*INVALID_ARGUMENT .*\nNothing was written \(--dry-run\)\.\n$/)
  assert.equal(read('list.failed.csv'), 'of the real run')
  assert.deepEqual(await readServer(server, conversation), { customer: account, case: null })
})

test('an invalid list exits with 2', { timeout: 120_000 }, async t => {
  const { run } = await prepared(t, 'list.csv', 'a,b\n1,2\n')
  const { code, stdout, stderr } = await run('list.csv')
  assert.deepEqual([code, stdout], [2, ''])
  assert.match(stderr, /header lacks entityLogicalName, recordId, conversationId/)
  const empty = await prepared(t, 'empty.jsonl', '')
  writeFileSync(join(empty.cwd, 'empty.failed.jsonl'), 'of an earlier run')
  assert.deepEqual(await empty.run('empty.jsonl'), { code: 0, stdout: '', stderr: 'The list is empty.\n' })
  assert.equal(existsSync(join(empty.cwd, 'empty.failed.jsonl')), false)
  const printed = lines((await empty.run('empty.jsonl', '--json')).stderr).map(line => JSON.parse(line))
  const summary = { items: 0, failed: 0, uncertain: 0, outcomes: {}, notBegunFromLine: null, failedFile: null, dryRun: false }
  assert.deepEqual(printed, [{ summary }, { notice: 'The list is empty.' }])
  const forLinks = await run('list.csv', '--unlink', '--if-linked', 'keep')
  assert.match(forLinks.stderr, /--if-linked cannot be combined with --unlink/)
})

test('a truncated end is reported after the results before it', { timeout: 120_000 }, async t => {
  const { run } = await prepared(t, 'list.csv', `${HEADER}\n${conversation},,incident,${incident.recordId}\n${conversation},"never closed`)
  const { code, stdout, stderr } = await run('list.csv')
  assert.equal(code, 2)
  assert.match(stdout, /1 {6}linked/)
  assert.match(stderr, /'list\.csv', line 3: a quote is never closed/)
})
