'use strict'

// The commands: their arguments, what `help` says of them, and what they do.

const { failure, own } = require('../lib/link-error.js')
const { bulk } = require('./bulk.js')
const { INCOMPLETE } = require('./exit-codes.js')
const { palette, print, progressLine, table } = require('./terminal.js')
const { eachString, printable } = require('./printable.js')

const LINK_OPTIONS = {
  'if-linked': { type: 'string', value: '<what>', help: 'if the slot holds another record: replace it (the default), keep it, or reject' },
  status: { type: 'string', multiple: true, value: '<status>', help: 'link in this status too, besides active; may be repeated' },
  'dry-run': { type: 'boolean', help: 'tell what would be done, and write nothing' }
}
const DRY_RUN = { 'dry-run': LINK_OPTIONS['dry-run'] }

/** An option that is a number, if it is given. */
function wholeNumber(option, text) {
  if (text !== undefined && !/^[1-9]\d*$/.test(text)) throw failure('INVALID_ARGUMENT', `${option}: expected a whole number greater than 0, got '${text}'.`)
  // The library would show it as JavaScript rounds it.
  if (text !== undefined && !Number.isSafeInteger(Number(text))) throw failure('INVALID_ARGUMENT', `${option}: ${text} is too large a number.`)
  return text === undefined ? undefined : Number(text)
}

const statuses = names => names?.map(name => (/^\d+$/.test(name) ? Number(name) : name))
const given = options => own(Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)))
const changeOptions = (values, more) => given({ ifLinked: values['if-linked'], linkableStatuses: statuses(values.status), dryRun: values['dry-run'], ...more })
const named = record => (record ? `${record.entityLogicalName} ${record.recordId}${record.name ? `  ${record.name}` : ''}` : '-')

/** Runs a link or an unlink. */
const change = method => async ({ client, values, signal }, [entity, recordId, conversationId]) => {
  const outcome = own(await client[method](entity, recordId, conversationId, changeOptions(values, { signal })))
  if (values.json) return print(JSON.stringify(outcome))
  const { green, dim } = palette(process.stdout)
  const was = outcome.status === 'replaced' ? outcome.previous : outcome.status === 'kept' ? outcome.current : null
  const details = [was && `${outcome.status === 'kept' ? 'it holds' : 'it held'} ${named(was)}`, outcome.dryRun && 'nothing was written: --dry-run']
  return print([green(outcome.status), ...details.filter(Boolean).map(dim)].join('  '))
}

async function show({ client, values, signal }, [conversationId]) {
  const conversation = await client.getConversation(conversationId, given({ signal }))
  if (values.json) return print(JSON.stringify(conversation))
  const { bold } = palette(process.stdout)
  const { status, customer, case: incident, subject, createdOn, agentId } = eachString(conversation, printable)
  const rows = { status: String(status), customer: named(customer), case: named(incident), subject: subject ?? '-', created: createdOn ?? '-', agent: agentId ?? '-' }
  return print(`${bold(conversation.conversationId)}\n${table(Object.entries(rows))}`)
}

/** A record as `entity:id`. */
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
  if (count === 0 && !values.json) process.stderr.write('No conversation matches.\n')
}

const short = record => (record ? (record.name ?? record.recordId) : '-')

function lineOf({ conversationId, status, customer, case: incident, subject, createdOn }) {
  return [conversationId, String(status).padEnd(9), createdOn?.slice(0, 10) ?? '-'.padEnd(10), short(customer), short(incident), subject ?? '-'].join('  ')
}

async function importFiles({ client, values, signal }, files) {
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
    // Also if a file failed: those before it are in the store.
    if (values.json) await print(JSON.stringify({ imports }))
  }
}

function importLine({ file, entitySet, inserted, updated, danglingLinks, moreRowsExist }) {
  const notes = [danglingLinks > 0 && `${danglingLinks} links lead to records that are not there`, moreRowsExist && 'there are more pages: import them too']
  return [`${file}: ${inserted} ${entitySet} new, ${updated} updated`, ...notes.filter(Boolean)].join('; ')
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
      if (status === 'failed') for (const text of [meaning, fix]) if (text) await print(`           ${text}`)
    }
    await print(report.healthy ? green('All is well.') : red('Something is wrong.'))
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
    about: 'Accounts and contacts share the customer slot, incidents have the case slot. Ends when the store has confirmed the link.',
    examples: [`link ${INCIDENT}`, `link ${INCIDENT} --if-linked reject --json`, `link ${INCIDENT} --dry-run --db links.db`],
    run: change('linkToConversation')
  },
  unlink: {
    summary: 'unlink a record from a conversation',
    usage: '<account|contact|incident> <recordId> <conversationId>',
    takes: [3, 3],
    options: DRY_RUN,
    about: 'Unlinks exactly this record: if the slot holds another one, that stays.',
    examples: [`unlink ${INCIDENT}`],
    run: change('unlinkFromConversation')
  },
  show: {
    summary: 'show a conversation and what is linked to it',
    usage: '<conversationId>',
    takes: [1, 1],
    about: 'Reads it now.',
    examples: ['show b7397aae-ecf8-43a6-aeb0-07d294efb494', 'show b7397aae-ecf8-43a6-aeb0-07d294efb494 --json'],
    run: show
  },
  conversations: {
    summary: 'list conversations, the newest first',
    usage: '[--agent <id>] [--record <entity>:<id>] [--status <status>] [--top <n>]',
    takes: [0, 0],
    options: {
      agent: { type: 'string', value: '<id>', help: 'only those of this system user' },
      record: { type: 'string', value: '<entity>:<id>', help: 'only those this record is linked to' },
      status: { type: 'string', multiple: true, value: '<status>', help: 'only those in this status; may be repeated' },
      top: { type: 'string', value: '<n>', help: 'at most so many' }
    },
    about: 'One line for each: id, status, day, customer, case, subject. With --json, JSON Lines.',
    examples: ['conversations --status active --top 20', 'conversations --record contact:2d9f1c55-7b0a-4a9b-8f2e-0e4a7c1f9b10', 'conversations --json | head'],
    run: conversations
  },
  import: {
    summary: 'bring pages of the Web API into the embedded store',
    usage: '<file...>',
    takes: [1, Infinity],
    outlivesReader: true,
    about: 'Each file is what a GET of accounts, contacts, incidents or msdyn_ocliveworkitems returned. Each is imported whole or not at all, and\nmay be imported again.',
    examples: ['import accounts.json contacts.json --db links.db'],
    run: importFiles
  },
  bulk: {
    summary: 'link, or unlink, all that a file lists',
    usage: '<file.csv|file.jsonl|->',
    takes: [1, 1],
    outlivesReader: true,
    drains: true,
    options: {
      unlink: { type: 'boolean', help: 'unlink instead' },
      ...LINK_OPTIONS,
      failed: { type: 'string', value: '<file>', help: 'where failed items go, instead of <file>.failed.csv' }
    },
    about: `A CSV file whose first line names the columns entityLogicalName, recordId and conversationId, or JSON Lines with these properties; what
there is besides is kept. Commas, semicolons or tabs, or what Excel's first line sep=; names; rows with nothing in them are left out. UTF-8
(Excel's "CSV UTF-8"), or UTF-16 with its mark; - is stdin, in either form, and the way to read a pipe. A million lines need no more memory
than ten. A JSON array, or objects over several lines, are refused before anything is linked.

An item that fails stops nothing. It is written, with the property or column bulkError, to <file>.failed.csv (or .jsonl), which replaces that of
an earlier run and can be given to bulk again. Only its owner may read it (mode 0600). A cell of CSV that a spreadsheet would take for a
formula has an apostrophe before it there, which bulk takes away. What would meet every item stops the bulk: a token that is not accepted,
or 20 items in a row that do not reach the store or get no answer in time.

Ctrl-C begins nothing more and lets what is under way come to its end; ten seconds, or a second one, give that up. SIGTERM and a terminal
that is closed (SIGHUP) do the same. Node ignores nohup: setsid starts a bulk that outlives its terminal. The same command again goes
through the whole list: a link that stands is alreadyLinked, an item that was unlinked is NOT_LINKED, and of two customers for one
conversation the later one replaces the earlier again.

With --json, JSON Lines: { line, request, outcome } or { line, request, error }. On stderr { summary }, { error } if it was
stopped, and { notice } for what only people need to know.`,
    examples: ['bulk links.csv', 'bulk links.jsonl --json > results.jsonl', 'bulk links.csv --dry-run', 'bulk links.failed.csv --if-linked keep', 'bulk links.csv --unlink', 'bulk - --failed failed.csv < links.csv'],
    run: (context, files) => bulk({ ...context, callOptions: changeOptions(context.values, { timeoutInMs: context.timeoutInMs }) }, files)
  },
  doctor: {
    summary: 'find out why it does not work',
    takes: [0, 0],
    about: 'Looks, one after the other, at all that links rest on, and says what is wrong and what mends it. It only reads.',
    examples: ['doctor', 'doctor --url https://contoso.crm4.dynamics.com'],
    run: doctor
  }
}

for (const [name, command] of Object.entries(COMMANDS)) COMMANDS[name] = own(command)

module.exports = { COMMANDS, wholeNumber }
