// `bulk`: lists in both forms, the file of what failed, and Ctrl-C.
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { query } from '../examples/support/sqlite.mjs'
import { folder } from './support/afterwards.mjs'
import { cli, startCli } from './support/cli.mjs'
import { account, closedConversation, contact, conversation, conversations, emptyConversation, incident, nobody, page } from './support/sample.mjs'
import { client, emulator, readServer } from './support/stores.mjs'

const HEADER = 'conversationId,note,entityLogicalName,recordId'
const lines = text => text.trim().split(/\r?\n/)

/** The command on an emulator with the sample data, in a folder of its own that holds a file. */
async function prepared(t, name, content) {
  const server = await emulator(t)
  const cwd = folder(t)
  writeFileSync(join(cwd, name), content)
  const env = { DATAVERSE_URL: server.url, DATAVERSE_TOKEN: server.credential }
  return { server, cwd, env, run: (...args) => cli(t, ['bulk', ...args], { cwd, env }), read: file => readFileSync(join(cwd, file), 'utf8') }
}

test('a CSV list: a table of outcomes, and the failed items in the same form', { timeout: 120_000 }, async t => {
  const { server, run, read, cwd } = await prepared(t, 'list.csv', `\ufeff${HEADER}\r
${conversation},"first, ""quoted""",incident,${incident.recordId}\r
${closedConversation},"two
lines",contact,${contact.recordId}\r
${conversation},third, contact ,${contact.recordId}\r
short,row\r
${emptyConversation},fifth,contact,${nobody}\r
`)
  const { code, stdout, stderr } = await run('list.csv')
  assert.deepEqual([code, stderr], [7, ''])
  assert.match(stdout, /items {2}outcome\n {2}1 {6}linked\n {2}1 {6}CONVERSATION_NOT_ACTIVE {2}line 3: .*\n {2}1 {6}replaced\n {2}1 {6}INVALID_ARGUMENT {9}line 6: Line 6: 2 fields, but the header has 4\.\n {2}1 {6}RECORD_NOT_FOUND/)
  assert.match(stdout, /What failed is in list\.failed\.csv/)
  assert.deepEqual(await readServer(server, conversation), { customer: contact, case: incident })
  const failed = read('list.failed.csv')
  assert.match(failed, new RegExp(`^${HEADER},error\r\n${closedConversation},"two\nlines",contact,${contact.recordId},"?CONVERSATION_NOT_ACTIVE: .*\r\nshort,row,`))

  // It can be given to bulk again, and what has failed once more is written with one error column.
  const again = await run('list.failed.csv', '--status', 'closed')
  assert.equal(again.code, 7)
  assert.match(again.stdout, /1 {6}linked/)
  const header = lines(read('list.failed.failed.csv'))[0]
  assert.equal(header, `${HEADER},error`)

  // What an earlier run has left is no result of this one.
  writeFileSync(join(cwd, 'list.csv'), `${HEADER}\n${conversation},x,incident,${incident.recordId}\n`)
  const fine = await run('list.csv')
  assert.deepEqual([fine.code, /1 {6}alreadyLinked/.test(fine.stdout)], [0, true])
  assert.equal(existsSync(join(cwd, 'list.failed.csv')), false)
})

const item = (record, conversationId, more) => JSON.stringify({ ...record, conversationId, ...more })

test('JSON Lines, with --json and --unlink', { timeout: 120_000 }, async t => {
  const { run, read } = await prepared(t, 'list.jsonl', [
    item(account, conversation, { ticket: 7 }), '', '{ "torn": ', '[1]', item(contact, conversation, { ticket: 8, error: 'old' }), item(incident, nobody)
  ].join('\r\n'))
  const { code, stdout, stderr } = await run('list.jsonl', '--unlink', '--json')
  assert.equal(code, 7)
  const results = lines(stdout).map(line => JSON.parse(line))
  assert.deepEqual(results.map(({ line, outcome, error }) => [line, outcome?.status ?? error.code]), [
    [1, 'unlinked'], [3, 'INVALID_ARGUMENT'], [4, 'INVALID_ARGUMENT'], [5, 'NOT_LINKED'], [6, 'CONVERSATION_NOT_FOUND']
  ])
  assert.deepEqual(results[0].request, { ...account, conversationId: conversation })
  assert.equal(results[1].error.message, 'Line 3: not JSON.')
  assert.match(stderr, /1 {6}unlinked/)
  const failed = read('list.failed.jsonl').split('\n')
  assert.deepEqual([failed[0].trim(), failed[1].trim()], ['{ "torn":', '[1]'])
  const { error, ...kept } = JSON.parse(failed[2])
  assert.deepEqual(kept, { ...contact, conversationId: conversation, ticket: 8 })
  assert.match(error, /^NOT_LINKED: /)
})

test('--dry-run writes nothing', { timeout: 120_000 }, async t => {
  const { server, run } = await prepared(t, 'list.csv', `${HEADER}\n${conversation},,contact,${contact.recordId}\n`)
  const { code, stdout } = await run('list.csv', '--dry-run')
  assert.equal(code, 0)
  assert.match(stdout, /1 {6}replaced\n.*--dry-run/)
  assert.deepEqual(await readServer(server, conversation), { customer: account, case: null })
})

test('a list that is none is 2', { timeout: 120_000 }, async t => {
  const { run } = await prepared(t, 'list.csv', 'a,b\n1,2\n')
  const { code, stdout, stderr } = await run('list.csv')
  assert.deepEqual([code, stdout], [2, ''])
  assert.match(stderr, /header lacks entityLogicalName, recordId, conversationId/)
  const empty = await prepared(t, 'empty.jsonl', '')
  assert.deepEqual(await empty.run('empty.jsonl'), { code: 0, stdout: '', stderr: 'The list is empty.\n' })
})

test('a torn end is told after the results before it', { timeout: 120_000 }, async t => {
  const { run } = await prepared(t, 'list.csv', `${HEADER}\n${conversation},,incident,${incident.recordId}\n${conversation},"never closed`)
  const { code, stdout, stderr } = await run('list.csv')
  assert.equal(code, 2)
  assert.match(stdout, /1 {6}linked/)
  assert.match(stderr, /row of line 3 has a quote that is never closed/)
})

const withoutSignals = { skip: process.platform === 'win32', timeout: 120_000 }

test('Ctrl-C ends the list, and everything begun is accounted for', withoutSignals, async t => {
  const count = 5000
  const cwd = folder(t)
  const store = client(t, { embedded: { path: join(cwd, 'links.db') } })
  const rows = conversations(count)
  await store.importRecords(rows)
  await store.importRecords(page('contacts', { contactid: contact.recordId }))
  await store.close()
  writeFileSync(join(cwd, 'list.jsonl'), rows.value.map(({ activityid }) => JSON.stringify({ ...contact, conversationId: activityid })).join('\n'))
  const { child, ended, says } = startCli(t, ['bulk', 'list.jsonl', '--json', '--db', 'links.db'], { cwd })
  // While nobody reads on, it cannot get to its end.
  child.stdout.once('data', () => child.stdout.pause())
  await new Promise(resolve => child.stdout.once('pause', resolve))
  child.kill('SIGINT')
  child.stdout.resume()
  await says('Stopping')
  const { code, stdout, stderr } = await ended
  assert.equal(code, 130)
  const results = lines(stdout).map(line => JSON.parse(line))
  assert.ok(results.length < count)
  assert.ok(results.every(({ line, outcome }, at) => line === at + 1 && outcome.status === 'linked'))
  assert.match(stderr, new RegExp(`Interrupted: nothing behind line ${results.length} was begun`))
  const [{ linked }] = query(join(cwd, 'links.db'), 'SELECT COUNT(*) AS linked FROM conversation_text WHERE customer_id IS NOT NULL')
  assert.equal(linked, results.length)
})

test('a second Ctrl-C ends at once', withoutSignals, async t => {
  const { server, cwd, env } = await prepared(t, 'list.csv', `${HEADER}\n${conversation},,incident,${incident.recordId}\n`)
  await server.faults.add({ fault: { kind: 'hang' } })
  const { child, ended, says } = startCli(t, ['bulk', 'list.csv'], { cwd, env })
  await server.faults.hanging()
  child.kill('SIGINT')
  await says('Stopping')
  child.kill('SIGINT')
  assert.equal((await ended).code, 130)
})
