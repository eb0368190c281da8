'use strict'

// The commands: their arguments, their help and their code.

const { readdir, stat } = require('node:fs/promises')
const { failure, own } = require('../lib/link-error.js')
const { bulk } = require('./bulk.js')
const { INCOMPLETE } = require('./exit-codes.js')
const { palette, print, progressLine, table } = require('./terminal.js')
const { eachString, printable } = require('./printable.js')

const LINK_OPTIONS = {
  'if-linked': { type: 'string', value: '<policy>', help: 'if another record is linked: replace it (the default), keep it, or reject' },
  status: { type: 'string', multiple: true, value: '<status>', help: 'also link conversations in this status; may be repeated' },
  'dry-run': { type: 'boolean', help: 'report what would be done, and write nothing' }
}
const DRY_RUN = { 'dry-run': LINK_OPTIONS['dry-run'] }

/** Parses a numeric option; undefined if it was not given. */
function wholeNumber(option, text) {
  if (text !== undefined && !/^[1-9]\d*$/.test(text))
    throw failure('INVALID_ARGUMENT', `${option}: expected a whole number greater than 0, got '${text}'.`)
  // The message of the library would show the rounded number.
  if (text !== undefined && !Number.isSafeInteger(Number(text))) throw failure('INVALID_ARGUMENT', `${option}: ${text} is too large.`)
  return text === undefined ? undefined : Number(text)
}

const statuses = names => names?.map(name => (/^\d+$/.test(name) ? Number(name) : name))
const given = options => own(Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)))
const changeOptions = (values, more) =>
  given({ ifLinked: values['if-linked'], linkableStatuses: statuses(values.status), dryRun: values['dry-run'], ...more })
const named = record => (record ? `${record.entityLogicalName} ${record.recordId}${record.name ? `  ${record.name}` : ''}` : '-')

const change =
  method =>
  async ({ client, values, signal }, [entity, recordId, conversationId]) => {
    const outcome = own(await client[method](entity, recordId, conversationId, changeOptions(values, { signal })))
    if (values.json) return print(JSON.stringify(outcome))
    const { green, dim } = palette(process.stdout)
    const was = outcome.status === 'replaced' ? outcome.previous : outcome.status === 'kept' ? outcome.current : null
    const other = was && dim(`${outcome.status === 'kept' ? 'current' : 'previous'}: ${named(was)}`)
    const note = outcome.dryRun && dim('nothing was written (--dry-run)')
    return print([green(outcome.status), other, note].filter(Boolean).join('  '))
  }

async function show({ client, values, signal }, [conversationId]) {
  const conversation = await client.getConversation(conversationId, given({ signal }))
  if (values.json) return print(JSON.stringify(conversation))
  const { bold } = palette(process.stdout)
  const { status, customer, case: incident, subject, createdOn, agentId } = eachString(conversation, printable)
  const rows = {
    status: String(status),
    customer: named(customer),
    case: named(incident),
    subject: subject ?? '-',
    created: createdOn ?? '-',
    agent: agentId ?? '-'
  }
  return print(`${bold(conversation.conversationId)}\n${table(Object.entries(rows))}`)
}

/** Parses a record given as `entity:id`. */
function recordOf(option) {
  if (option === undefined) return undefined
  const [entityLogicalName, ...id] = option.split(':')
  return own({ entityLogicalName, recordId: id.join(':') })
}

async function conversations({ client, values, signal }) {
  const record = recordOf(values.record)
  const query = given({ agentId: values.agent, record, statuses: statuses(values.status), top: wholeNumber('--top', values.top), signal })
  let count = 0
  for await (const conversation of client.getConversations(query)) {
    count++
    await print(values.json ? JSON.stringify(conversation) : lineOf(eachString(conversation, printable)))
  }
  if (count === 0 && !values.json) process.stderr.write('No matching conversations.\n')
}

const short = record => (record ? (record.name ?? record.recordId) : '-')

function lineOf({ conversationId, status, customer, case: incident, subject, createdOn }) {
  const date = createdOn?.slice(0, 10) ?? '-'.padEnd(10)
  return [conversationId, String(status).padEnd(9), date, short(customer), short(incident), subject ?? '-'].join('  ')
}

async function importFiles({ client, values, signal }, paths) {
  const files = (await Promise.all(paths.map(filesOf))).flat()
  const imports = []
  const bar = progressLine()
  try {
    for (const file of files) {
      const onProgress = ({ rowsDone, rowsTotal }) => bar.show(rowsDone / (rowsTotal || 1), `${file}: ${rowsDone} of ${rowsTotal} rows`)
      const summary = await client.importRecords(file, given({ onProgress, signal }))
      bar.clear()
      imports.push({ file, ...summary })
      if (!values.json) await print(importLine(eachString(imports.at(-1), printable)))
    }
  } finally {
    bar.clear()
    // Also when a file failed: those before it were imported.
    if (values.json) await print(JSON.stringify({ imports }))
  }
}

/** The JSON files of a folder, by name; any other path is that of a file. A shell of Windows expands no `*.json`. */
async function filesOf(path) {
  const isFolder = await stat(path).then(
    stats => stats.isDirectory(),
    () => false
  )
  if (!isFolder) return [path]
  const names = (await readdir(path)).filter(name => /\.json$/i.test(name))
  if (names.length === 0) throw failure('INVALID_ARGUMENT', `<file>: the folder '${path}' has no .json file.`)
  return names.sort().map(name => `${path.replace(/\/+$/, '')}/${name}`)
}

function importLine({ file, entitySet, inserted, updated, danglingLinks, moreRowsExist }) {
  const dangling = danglingLinks > 0 && `${danglingLinks} links point to missing records`
  const more = moreRowsExist && 'more pages exist: import them too'
  return [`${file}: ${inserted} ${entitySet} inserted, ${updated} updated`, dangling, more].filter(Boolean).join('; ')
}

async function doctor({ client, values, signal, timeoutInMs }) {
  const report = await client.diagnose(given({ timeoutInMs, signal }))
  if (values.json) await print(JSON.stringify(report))
  else {
    const { bold, dim, green, red } = palette(process.stdout)
    const marks = { passed: green('passed '), failed: red('failed '), skipped: dim('skipped') }
    const width = Math.max(...report.checks.map(({ name }) => name.length))
    await print(`${bold(report.store)} ${printable(report.target)}`)
    for (const { name, status, found, meaning, fix } of eachString(report.checks, printable)) {
      await print(`  ${marks[status]}  ${name.padEnd(width)}  ${dim(found)}`)
      if (status === 'failed') for (const line of [meaning, fix]) if (line) await print(`           ${line}`)
    }
    await print(report.healthy ? green('No problems found.') : red('Problems found.'))
  }
  return report.healthy ? 0 : INCOMPLETE
}

const INCIDENT = 'incident 6b726d86-d37c-43b8-b3a4-c4056ddd2e07 b7397aae-ecf8-43a6-aeb0-07d294efb494'

const COMMANDS = {
  link: {
    summary: 'link a record to a conversation',
    usage: '<account|contact|incident> <recordId> <conversationId>',
    takes: [3, 3],
    options: LINK_OPTIONS,
    about:
      'Accounts and contacts share the customer slot; incidents use the case slot. Succeeds only after the store has confirmed the link.',
    examples: [`link ${INCIDENT}`, `link ${INCIDENT} --if-linked reject --json`, `link ${INCIDENT} --dry-run --db links.db`],
    run: change('linkToConversation')
  },
  unlink: {
    summary: 'unlink a record from a conversation',
    usage: '<account|contact|incident> <recordId> <conversationId>',
    takes: [3, 3],
    options: DRY_RUN,
    about: 'Unlinks exactly this record. If another one is linked, the command fails and nothing changes.',
    examples: [`unlink ${INCIDENT}`],
    run: change('unlinkFromConversation')
  },
  show: {
    summary: 'show a conversation and what is linked to it',
    usage: '<conversationId>',
    takes: [1, 1],
    about: 'Always reads the current state from the store.',
    examples: ['show b7397aae-ecf8-43a6-aeb0-07d294efb494', 'show b7397aae-ecf8-43a6-aeb0-07d294efb494 --json'],
    run: show
  },
  conversations: {
    summary: 'list conversations, newest first',
    usage: '[--agent <id>] [--record <entity>:<id>] [--status <status>] [--top <n>]',
    takes: [0, 0],
    options: {
      agent: { type: 'string', value: '<id>', help: 'only conversations of this system user' },
      record: { type: 'string', value: '<entity>:<id>', help: 'only conversations this record is linked to' },
      status: { type: 'string', multiple: true, value: '<status>', help: 'only conversations in this status; may be repeated' },
      top: { type: 'string', value: '<n>', help: 'at most this many' }
    },
    about: 'Prints one line per conversation: id, status, date, customer, case, subject. With --json, prints JSON Lines.',
    examples: [
      'conversations --status active --top 20',
      'conversations --record contact:2d9f1c55-7b0a-4a9b-8f2e-0e4a7c1f9b10',
      'conversations --json | head'
    ],
    run: conversations
  },
  import: {
    summary: 'import Web API responses into the embedded store',
    usage: '<file|folder...>',
    takes: [1, Infinity],
    outlivesReader: true,
    about:
      'Each file is the response to a GET of accounts, contacts, incidents or msdyn_ocliveworkitems. A file is imported completely or not at\nall, and can be imported again. Of a folder, its .json files are imported.',
    examples: ['import accounts.json contacts.json --db links.db', 'import exported --db links.db'],
    run: importFiles
  },
  bulk: {
    summary: 'link or unlink every item of a list',
    usage: '<file.csv|file.jsonl|->',
    takes: [1, 1],
    outlivesReader: true,
    drains: true,
    options: {
      unlink: { type: 'boolean', help: 'unlink instead of linking' },
      ...LINK_OPTIONS,
      failed: { type: 'string', value: '<file>', help: 'file for the failed items, instead of <file>.failed.csv' }
    },
    about: `The list is a CSV file whose first line names the columns entityLogicalName, recordId and conversationId, or JSON Lines with these
properties. Other columns and properties are kept. CSV values are separated by commas, semicolons or tabs, or by the character that Excel's
first line sep=; names. Empty rows are skipped. The encoding is UTF-8 (Excel's "CSV UTF-8") or UTF-16 with a byte order mark. Use - to read
either format from stdin, for example from a pipe. Lists of any length need the same amount of memory. A JSON array, or an object that
spans several lines, is rejected before anything is linked.

A failed item does not stop the run. It is written to <file>.failed.csv (or .jsonl) with the error in the column or property bulkError. This
file replaces that of an earlier run, can be passed to bulk again, and is readable by its owner only (mode 0600). A CSV cell that a
spreadsheet would run as a formula is written with a leading apostrophe, which bulk removes when it reads the file. An error that would
affect every item does stop the run: a rejected token, or 20 consecutive items that fail because the store does not work, cannot be
reached, throttles or does not respond in time.

Ctrl-C starts no further items and waits up to ten seconds for calls in progress; a second Ctrl-C cancels them. SIGTERM and closing the
terminal (SIGHUP) do the same. Node ignores nohup: use setsid to keep a run going after its terminal is closed. Running the same command
again processes the whole list: existing links are reported as alreadyLinked, items already unlinked as NOT_LINKED. If two items link
different customers to one conversation, each run ends with the later item linked, and reports replaced again.

With --json, stdout contains JSON Lines: { line, request, outcome } or { line, request, error }. stderr contains { summary }, { error } if
the run was stopped, and { notice } for messages meant only for people.`,
    examples: [
      'bulk links.csv',
      'bulk links.jsonl --json > results.jsonl',
      'bulk links.csv --dry-run',
      'bulk links.failed.csv --if-linked keep',
      'bulk links.csv --unlink',
      'bulk - --failed failed.csv < links.csv'
    ],
    run: (context, files) => bulk({ ...context, callOptions: changeOptions(context.values, { timeoutInMs: context.timeoutInMs }) }, files)
  },
  doctor: {
    usage: '',
    summary: 'diagnose why linking does not work',
    takes: [0, 0],
    about: 'Checks step by step everything that linking depends on, and reports what is wrong and how to fix it. It only reads.',
    examples: ['doctor', 'doctor --url https://contoso.crm4.dynamics.com'],
    run: doctor
  }
}

for (const [name, command] of Object.entries(COMMANDS)) COMMANDS[name] = own(command)

module.exports = { COMMANDS, wholeNumber }
