// A polluted `Object.prototype` has no effect on the command line.
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { folder } from './support/afterwards.mjs'
import { cli } from './support/cli.mjs'
import { account, closedConversation, contact, conversation, data, incident, pages } from './support/sample.mjs'
import { emulator, readServer } from './support/stores.mjs'

// Names of variables, of command line options, and of properties of commands and lists. The library's options are tested elsewhere.
const POLLUTION = {
  DATAVERSE_URL: 'https://evil.example',
  DATAVERSE_TOKEN: 'evil',
  NO_COLOR: '1',
  TERM: 'dumb',
  json: true,
  unlink: true,
  failed: 'evil.jsonl',
  db: 'evil.db',
  url: 'https://evil.example',
  'dry-run': true,
  'if-linked': 'keep',
  help: true,
  version: true,
  timeout: '1',
  isVersion: true,
  drains: true,
  outlivesReader: true,
  command: 'x',
  options: { evil: { type: 'boolean' } },
  short: 'e',
  multiple: true,
  form: { separator: '|' },
  recordId: contact.recordId,
  conversationId: conversation,
  entityLogicalName: 'contact',
  bulkError: 'evil',
  '.csv': 'evil',
  broken: 'evil',
  error: { code: 'evil', message: 'evil' },
  outcome: 'evil',
  hint: 'evil',
  requestId: 'evil',
  code: 'evil',
  maybeApplied: true
}

const environment = place => {
  const preload = join(place, 'pollution.cjs')
  writeFileSync(
    preload,
    `
    const pollution = ${JSON.stringify(POLLUTION)}
    for (const [name, value] of Object.entries(pollution)) Object.defineProperty(Object.prototype, name, { value, writable: true, configurable: true })`
  )
  return { NODE_OPTIONS: `--require ${JSON.stringify(preload)}` }
}

test('only given options, variables, commands and columns are used', { timeout: 120_000 }, async t => {
  const cwd = folder(t)
  const env = environment(cwd)
  const run = (...args) => cli(t, [...args, '--db', 'links.db'], { cwd, env })
  const { stdout } = await run('import', ...pages.map(page => join(data, `${page}.json`)))
  assert.match(stdout, /^.*accounts\.json: 90 accounts inserted, 0 updated\n/)
  assert.deepEqual(await run('link', 'contact', contact.recordId, conversation), {
    code: 0,
    stdout: `replaced  previous: account ${account.recordId}\n`,
    stderr: ''
  })
  assert.match((await run('link', 'contact', contact.recordId, closedConversation)).stderr, /^CONVERSATION_NOT_ACTIVE /)
  assert.match((await run('show', conversation)).stdout, new RegExp(`^${conversation}\n  status    active\n`))
  assert.equal((await run('conversations', '--top', '3')).stdout.trim().split('\n').length, 3)
  assert.match((await run('frob')).stderr, /Unknown command 'frob'/)
  assert.match((await run('show', conversation, '--evil')).stderr, /Unknown option '--evil'/)
})

test('only the list decides the calls and the file of failed items', { timeout: 120_000 }, async t => {
  const cwd = folder(t)
  const env = environment(cwd)
  const server = await emulator(t)
  const run = (name, ...args) =>
    cli(t, ['bulk', name, ...args, '--url', server.url], { cwd, env: { ...env, DATAVERSE_TOKEN: server.credential } })
  writeFileSync(
    join(cwd, 'list.jsonl'),
    `{"entityLogicalName":"contact"}\n{"__proto__":{"recordId":"1"}}\n${JSON.stringify({ ...incident, conversationId: conversation })}\n`
  )
  const { code, stdout } = await run('list.jsonl')
  assert.equal(code, 7)
  assert.match(stdout, /^ +items +outcome\n +2 +INVALID_ARGUMENT .*\n +1 +linked\n.*\n2 items failed; see list\.failed\.jsonl\. /)
  assert.doesNotMatch(stdout, /evil/)
  assert.match(
    readFileSync(join(cwd, 'list.failed.jsonl'), 'utf8'),
    /^\{"entityLogicalName":"contact","bulkError":"INVALID_ARGUMENT: .*\n\{"__proto__":\{"recordId":"1"\},"bulkError":"INVALID/
  )
  writeFileSync(
    join(cwd, 'list.csv'),
    `entityLogicalName;recordId;conversationId\nlead;x;y\nincident;${incident.recordId};${conversation}\n`
  )
  assert.match((await run('list.csv')).stdout, /1 +INVALID_ARGUMENT .*\n +1 +alreadyLinked\n/)
  assert.deepEqual([existsSync(join(cwd, 'evil.jsonl')), existsSync(join(cwd, 'evil.db'))], [false, false])
  assert.deepEqual(await readServer(server, conversation), { customer: account, case: incident })
})
