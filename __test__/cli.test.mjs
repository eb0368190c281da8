// The command line on both stores: its output on stdout and stderr, and every exit code.
import assert from 'node:assert/strict'
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { CLASSES, exitCode } from '../cli/exit-codes.js'
import { palette } from '../cli/terminal.js'
import { LinkError } from 'omnichannel-link'
import { afterwards, folder } from './support/afterwards.mjs'
import { cli, startCli } from './support/cli.mjs'
import { GUID } from './support/expect.mjs'
import {
  account,
  closedConversation,
  contact,
  conversation,
  data,
  incident,
  missingId,
  numbered,
  otherAccount,
  page,
  pages
} from './support/sample.mjs'
import { emulator, filesOf } from './support/stores.mjs'
import { closedUrl } from './support/server.mjs'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const files = pages.map(page => join(data, `${page}.json`))

/** Runs the command on each store with the sample data. */
const stores = {
  async embedded(t) {
    const cwd = folder(t)
    assert.equal((await cli(t, ['import', ...files, '--db', 'links.db'], { cwd })).code, 0)
    return { cwd, run: (...args) => cli(t, [...args, '--db', 'links.db'], { cwd }) }
  },
  async dataverse(t) {
    const server = await emulator(t)
    const cwd = folder(t)
    const env = { DATAVERSE_TOKEN: server.credential }
    return { cwd, server, run: (...args) => cli(t, [...args, '--url', server.url], { cwd, env }) }
  }
}

const link = ({ entityLogicalName, recordId }, id = conversation) => ['link', entityLogicalName, recordId, id]

for (const [name, open] of Object.entries(stores)) {
  describe(name, () => {
    test('link, show and unlink, as text', { timeout: 120_000 }, async t => {
      const { run } = await open(t)
      assert.deepEqual(await run(...link(incident)), { code: 0, stdout: 'linked\n', stderr: '' })
      const replaced = await run(...link(contact))
      assert.match(replaced.stdout, new RegExp(`^replaced  previous: account ${account.recordId}\n$`))
      const { stdout } = await run('show', conversation)
      assert.match(
        stdout,
        new RegExp(
          `^${conversation}\n  status    active\n  customer  contact ${contact.recordId}  Ana Testa\n  case      incident ${incident.recordId}  \\w`
        )
      )
      const [, entity, id] = link(incident)
      assert.equal((await run('unlink', entity, id, conversation)).stdout, 'unlinked\n')
      assert.match((await run('show', conversation)).stdout, /case {6}-\n/)
    })

    test('link, show and unlink, as JSON', { timeout: 120_000 }, async t => {
      const { run } = await open(t)
      const { requestId, ...outcome } = JSON.parse((await run(...link(incident), '--json')).stdout)
      assert.match(requestId, GUID)
      assert.deepEqual(outcome, { status: 'linked', conversationId: conversation, record: incident, previous: null, store: name })
      const shown = JSON.parse((await run('show', conversation, '--json')).stdout)
      assert.deepEqual(
        [shown.conversationId, shown.status, shown.customer.recordId, shown.case.recordId],
        [conversation, 'active', account.recordId, incident.recordId]
      )
      const rejected = await run('unlink', 'contact', contact.recordId, conversation, '--json')
      assert.deepEqual([rejected.code, rejected.stdout], [4, ''])
      const { error } = JSON.parse(rejected.stderr)
      assert.deepEqual([error.name, error.code, error.current], ['LinkError', 'NOT_LINKED', account])
    })

    test('the options of link have an effect', { timeout: 120_000 }, async t => {
      const { run } = await open(t)
      assert.match((await run(...link(contact), '--dry-run')).stdout, /^replaced .*nothing was written \(--dry-run\)\n$/)
      assert.match(
        (await run(...link(contact), '--if-linked', 'keep')).stdout,
        new RegExp(`^kept  current: account ${account.recordId}\n$`)
      )
      const occupied = await run(...link(contact), '--if-linked', 'reject')
      assert.deepEqual([occupied.code, occupied.stderr.split(' ')[0]], [4, 'OCCUPIED'])
      assert.equal((await run(...link(contact, closedConversation), '--status', 'waiting', '--status', 'closed')).stdout, 'linked\n')
    })

    test('conversations, as text and as JSON', { timeout: 120_000 }, async t => {
      const { run } = await open(t)
      const lines = (await run('conversations', '--status', 'active', '--top', '3')).stdout.trim().split('\n')
      assert.equal(lines.length, 3)
      for (const line of lines) assert.match(line, /^[0-9a-f-]{36} {2}active {5}\d{4}-\d\d-\d\d {2}/)
      const found = await run('conversations', '--record', `account:${account.recordId}`, '--json')
      const rows = found.stdout
        .trim()
        .split('\n')
        .map(line => JSON.parse(line))
      assert.ok(rows.some(({ conversationId }) => conversationId === conversation))
      assert.ok(rows.every(({ customer }) => customer.recordId === account.recordId))
      const { agentId } = rows.find(row => row.conversationId === conversation)
      const ofAgent = await run('conversations', '--record', `account:${account.recordId}`, '--agent', agentId.toUpperCase(), '--json')
      assert.deepEqual(
        ofAgent.stdout
          .trim()
          .split('\n')
          .map(line => JSON.parse(line)),
        rows.filter(row => row.agentId === agentId)
      )
      const malformed = await run('conversations', '--record', `account:${account.recordId}`, '--agent', 'x')
      assert.deepEqual([malformed.code, malformed.stdout, malformed.stderr.split(' ')[0]], [2, '', 'INVALID_ARGUMENT'])
      const none = await run('conversations', '--record', `contact:${missingId}`)
      assert.deepEqual([none.code, none.stdout, none.stderr], [0, '', 'No matching conversations.\n'])
    })

    test('not found exits with 3, a rule with 4, an invalid argument with 2', { timeout: 120_000 }, async t => {
      const { run } = await open(t)
      for (const [code, name, ...args] of [
        [3, 'CONVERSATION_NOT_FOUND', 'show', missingId],
        [3, 'RECORD_NOT_FOUND', 'link', 'contact', missingId, conversation],
        [4, 'CONVERSATION_NOT_ACTIVE', ...link(contact, closedConversation)],
        [4, 'NOT_LINKED', 'unlink', 'account', otherAccount.recordId, conversation],
        [2, 'INVALID_ARGUMENT', 'link', 'lead', missingId, conversation],
        [2, 'INVALID_ARGUMENT', 'show', 'x'],
        [2, 'INVALID_ARGUMENT', ...link(contact), '--timeout', 'soon'],
        [2, 'INVALID_ARGUMENT', 'conversations', '--top', 'many'],
        [2, 'INVALID_ARGUMENT', ...link(contact), '--if-linked', 'explode']
      ]) {
        const { code: ended, stdout, stderr } = await run(...args)
        assert.deepEqual([ended, stdout, stderr.split(' ')[0]], [code, '', name], stderr)
      }
    })
  })
}

/** Many conversations of `account`. The oldest belong to another agent and are waiting or active. */
const ofAccount = number => ({
  activityid: numbered(number),
  statuscode: number < 3 ? 3 : 2,
  createdon: new Date(Date.UTC(2026, 2, 1, 8, 0, number)).toISOString(),
  _msdyn_customer_value: account.recordId,
  '_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname': 'account',
  _msdyn_activeagentid_value: numbered(number < 4 ? 0xa : 0xb),
  '_msdyn_activeagentid_value@Microsoft.Dynamics.CRM.lookuplogicalname': 'systemuser'
})

test('the conversations of a record and an agent are found among many others', { timeout: 120_000 }, async t => {
  const cwd = folder(t)
  writeFileSync(
    join(cwd, 'page.json'),
    JSON.stringify(page('msdyn_ocliveworkitems', ...Array.from({ length: 60 }, (_, number) => ofAccount(number))))
  )
  assert.equal((await cli(t, ['import', 'page.json', '--db', 'links.db'], { cwd })).code, 0)
  const found = async (...more) => {
    const args = ['conversations', '--record', `account:${account.recordId}`, '--agent', `{${numbered(0xa).toUpperCase()}}`, ...more]
    const { stdout } = await cli(t, [...args, '--json', '--db', 'links.db'], { cwd })
    return stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line).conversationId)
  }
  assert.deepEqual(await found(), [3, 2, 1, 0].map(numbered))
  assert.deepEqual(await found('--status', 'waiting', '--status', 'closed', '--top', '2'), [2, 1].map(numbered))
})

test('wrong usage exits with 2 and an explanation, and touches nothing', { timeout: 120_000 }, async t => {
  const cwd = folder(t)
  for (const [args, message] of [
    [[], /No command given/],
    [['frob'], /Unknown command 'frob'/],
    [['toString'], /Unknown command/],
    [['link'], /Usage: omnichannel-link link <account/],
    [['link', '--nope'], /'--nope'/],
    [['show', missingId, 'more'], /Usage/],
    [['link', ...link(contact).slice(1), '--if-linked'], /if-linked/],
    [['show', missingId, '--db', 'a.db', '--url', closedUrl], /--url and --db/],
    [['show', missingId, '--dry-run'], /'--dry-run'/],
    [['help', 'frob'], /'frob'/],
    [['bulk', 'list.csv'], /'list\.csv' cannot be read: ENOENT/]
  ]) {
    const { code, stdout, stderr } = await cli(t, args, { cwd })
    assert.deepEqual([code, stdout], [2, ''], args.join(' '))
    assert.match(stderr, message)
  }
  assert.deepEqual(filesOf(cwd), [])
})

test('messages use the names of the command line, not of the library', { timeout: 120_000 }, async t => {
  const { run, cwd } = await stores.embedded(t)
  for (const [args, message] of [
    [link(contact, closedConversation), /\n {2}If your process links in this status too, allow it with the option/],
    [['conversations', '--top', 'many'], /--top: expected a whole number greater than 0, got 'many'\./],
    [['conversations', '--top', '99999999999'], /^INVALID_ARGUMENT --top: /],
    [['conversations', '--top', '99999999999999999999'], /^INVALID_ARGUMENT --top: 99999999999999999999 is too large\./],
    [[...link(contact), '--timeout', 'soon'], /--timeout: expected a whole number/],
    [[...link(contact), '--timeout', '99999999999'], /^INVALID_CONFIGURATION --timeout: /],
    [[...link(contact), '--if-linked', 'explode'], /^INVALID_ARGUMENT --if-linked: /],
    [[...link(contact), '--status', 'done'], /^INVALID_ARGUMENT --status: /],
    [['conversations', '--record', 'lead:x'], /^INVALID_ARGUMENT --record: /],
    [['conversations', '--agent', 'x'], /^INVALID_ARGUMENT --agent: /],
    [['import', 'missing.json'], /^INVALID_ARGUMENT <file>: 'missing\.json' cannot be read/]
  ]) {
    const { stderr } = await run(...args)
    assert.match(stderr, message)
    assert.doesNotMatch(stderr, /`options|linkableStatuses|importRecords|InMs/)
  }
  const unset = await cli(t, ['show', missingId], { cwd: folder(t) })
  assert.match(unset.stderr, /does not exist yet: .* because no store was configured and DATAVERSE_URL is not set/)
  const nameless = await cli(t, ['show', missingId, '--url', 'https://contoso.crm4.dynamics.com'], { cwd })
  assert.match(
    nameless.stderr,
    /^INVALID_CONFIGURATION DATAVERSE_TOKEN: expected a credential\.\n {2}Set DATAVERSE_TOKEN .* AZURE_TENANT_ID/
  )
  const { error } = JSON.parse((await cli(t, ['show', missingId, '--url', 'https://contoso.crm4.dynamics.com', '--json'], { cwd })).stderr)
  assert.match(error.message, /DATAVERSE_TOKEN/)
})

test('control characters from other programs do not reach the terminal', { timeout: 120_000 }, async t => {
  const evil = 'evil \x1b[31mred\x1b]0;title\x07\r\nsecond\u009b2J line\u202e'
  const cwd = folder(t)
  writeFileSync(
    join(cwd, 'page.json'),
    JSON.stringify(page('msdyn_ocliveworkitems', { activityid: missingId, statuscode: 2, subject: evil }))
  )
  const run = (...args) => cli(t, [...args, '--db', 'links.db'], { cwd })
  await run('import', 'page.json')
  for (const args of [['conversations'], ['show', missingId]]) {
    assert.match((await run(...args)).stdout, /evil \ufffd\[31mred\ufffd\]0;title\ufffdsecond\ufffd2J line\ufffd\n/)
    assert.equal(JSON.parse((await run(...args, '--json')).stdout).subject, evil)
  }
  const server = await emulator(t)
  await server.faults.add({ fault: { kind: 'status', status: 400, code: '0x80040265', message: evil } })
  const { stderr } = await cli(t, link(contact), { env: { DATAVERSE_URL: server.url, DATAVERSE_TOKEN: server.credential } })
  assert.match(stderr, /second.*line/)
  // oxlint-disable-next-line no-control-regex
  assert.doesNotMatch(stderr, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
})

test('help and --version', { timeout: 120_000 }, async t => {
  const { code, stdout } = await cli(t, ['help'])
  assert.equal(code, 0)
  for (const word of [
    'link',
    'unlink',
    'show',
    'conversations',
    'import',
    'bulk',
    'doctor',
    'DATAVERSE_URL',
    'AZURE_CLIENT_SECRET',
    'HTTPS_PROXY',
    '--db',
    '130'
  ])
    assert.ok(stdout.includes(word), word)
  for (const args of [['--help'], ['help', 'help']]) assert.equal((await cli(t, args)).stdout, stdout)
  for (const command of ['link', 'unlink', 'show', 'conversations', 'import', 'bulk', 'doctor']) {
    const explained = await cli(t, ['help', command])
    assert.doesNotMatch(explained.stdout, /undefined/)
    assert.match(explained.stdout, new RegExp(`Usage: omnichannel-link ${command}[^]*Examples\n  omnichannel-link ${command}`))
    assert.equal((await cli(t, [command, '-h'])).stdout, explained.stdout)
  }
  assert.deepEqual(await cli(t, ['--version']), { code: 0, stdout: `${version}\n`, stderr: '' })
})

test('a rejected token exits with 5 and is not shown; an unreachable server exits with 6', { timeout: 120_000 }, async t => {
  const { url } = await emulator(t)
  const refused = await cli(t, ['show', conversation], { env: { DATAVERSE_URL: url, DATAVERSE_TOKEN: 'hunter2' } })
  assert.deepEqual([refused.code, refused.stderr.split(' ')[0]], [5, 'AUTHENTICATION_FAILED'])
  assert.doesNotMatch(refused.stderr, /hunter2/)
  const gone = await cli(t, ['show', conversation, '--url', closedUrl, '--timeout', '500'], { env: { DATAVERSE_TOKEN: 'x' } })
  assert.equal(gone.code, 6, gone.stderr)
  const nothing = await cli(t, ['show', conversation, '--url', url])
  assert.deepEqual([nothing.code, nothing.stderr.split(' ')[0]], [2, 'INVALID_CONFIGURATION'])
})

test('AZURE_* variables sign in', { timeout: 120_000 }, async t => {
  const { url, application } = await emulator(t)
  const { tenantId, clientId, clientSecret } = application
  const env = {
    DATAVERSE_URL: url,
    AZURE_TENANT_ID: tenantId,
    AZURE_CLIENT_ID: clientId,
    AZURE_CLIENT_SECRET: clientSecret,
    AZURE_AUTHORITY_HOST: url
  }
  assert.equal((await cli(t, link(incident), { env })).stdout, 'linked\n')
})

test('Ctrl-C cancels a call and exits with 130', { skip: process.platform === 'win32', timeout: 120_000 }, async t => {
  const message = 'Interrupted. Writes that were already sent are not undone.'
  for (const [more, expected] of [
    [[], message],
    [['--json'], JSON.stringify({ error: { name: 'AbortError', message } })]
  ]) {
    const server = await emulator(t)
    await server.faults.add({ fault: { kind: 'hang' } })
    const { child, ended } = startCli(t, [...link(incident), ...more], {
      env: { DATAVERSE_URL: server.url, DATAVERSE_TOKEN: server.credential }
    })
    await server.faults.hanging()
    child.kill('SIGINT')
    const { code, stderr } = await ended
    assert.deepEqual([code, stderr], [130, `${expected}\n`])
  }
})

test(
  'results that cannot be written are an error; closing stdout early is not',
  { skip: process.platform !== 'linux', timeout: 120_000 },
  async t => {
    const { cwd } = await stores.embedded(t)
    const full = openSync('/dev/full', 'w')
    afterwards(t, () => closeSync(full))
    const lost = startCli(t, ['conversations', '--db', 'links.db'], { cwd, stdout: full })
    const { code, stderr } = await lost.ended
    assert.deepEqual([code, stderr], [2, 'INVALID_ARGUMENT stdout cannot be written: ENOSPC.\n'])
    const { child, ended } = startCli(t, ['conversations', '--json', '--db', 'links.db'], { cwd })
    child.stdout.destroy()
    assert.deepEqual(await ended, { code: 0, stdout: '', stderr: '' })
  }
)

test('every code has its exit code', () => {
  const typings = readFileSync(new URL('../types/errors.d.ts', import.meta.url), 'utf8')
  const codes = [...typings.matchAll(/^ \* \| `([A-Z_]+)` \|/gm)].map(([, code]) => code)
  assert.deepEqual(CLASSES.flatMap(([, , codes]) => codes).toSorted(), codes.toSorted())
  const exits = ['INTERNAL', 'OCCUPIED', 'FORBIDDEN', 'NOT_YET_KNOWN'].map(code => exitCode(LinkError.fromJSON({ code, message: 'x' })))
  assert.deepEqual(exits, [1, 4, 5, 1])
  assert.equal(exitCode(new TypeError('a defect')), 1)
})

test('colours appear only on terminals without NO_COLOR', { timeout: 120_000 }, async t => {
  const terminal = { isTTY: true }
  for (const env of [{}, { NO_COLOR: '' }]) assert.equal(palette(terminal, env).red('x'), '\x1b[31mx\x1b[0m')
  for (const [stream, env] of [
    [terminal, { NO_COLOR: '1' }],
    [terminal, { TERM: 'dumb' }],
    [{}, {}]
  ])
    assert.equal(palette(stream, env).red('x'), 'x')
  const { stderr } = await cli(t, ['show', 'x'], { cwd: folder(t) })
  assert.ok(!stderr.includes('\x1b'))
})

test('doctor reports failures with fixes, and exits with 7', { timeout: 120_000 }, async t => {
  const { run, server } = await stores.dataverse(t)
  const well = await run('doctor')
  assert.deepEqual([well.code, well.stderr], [0, ''])
  assert.match(well.stdout, new RegExp(`^dataverse ${server.url}\n[^]*passed {3}whoAmI {7}\\S[^]*\nNo problems found\\.\n$`))
  await server.faults.conditions({ missingPrivileges: ['prvAppendToIncident'] })
  const ill = await run('doctor')
  assert.equal(ill.code, 7)
  assert.match(ill.stdout, /failed {3}privileges {3}.*prvAppendToIncident\.\n {11}\S.*\n {11}Give user [^]*\nProblems found\.\n$/)
  const { code, stdout } = await run('doctor', '--json')
  const { healthy, checks } = JSON.parse(stdout)
  assert.deepEqual([code, healthy, checks.find(({ name }) => name === 'privileges').status], [7, false, 'failed'])
})

test('doctor checks a file', { timeout: 120_000 }, async t => {
  const { run } = await stores.embedded(t)
  const { code, stdout } = await run('doctor')
  assert.equal(code, 0)
  assert.match(stdout, /passed {3}integrity/)
})

test('a failed command creates no file', { timeout: 120_000 }, async t => {
  const cwd = folder(t)
  assert.equal((await cli(t, ['show', missingId], { cwd })).code, 3)
  assert.equal(existsSync(join(cwd, 'omnichannel-link.db')), false)
})
