// `npm run bench`: builds a release and measures it. `--help` lists the options.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { measureDataverse } from './dataverse.mjs'
import { writeDocument } from './document.mjs'
import { measureEmbedded } from './embedded.mjs'
import { describeRun } from './machine.mjs'
import { root } from './processes.mjs'
import { measureStart } from './start.mjs'
import { dataverseTables, embeddedTables, startTable, targetTable } from './tables.mjs'

const HELP = `npm run bench -- [options]

Without options everything is measured, which takes about 50 minutes, and docs/performance.md is written.

  --quick             fewer cells and shorter rounds, under two minutes; writes no document
  --only PART         dataverse, embedded or start; may be repeated; writes no document
  --huge              also an embedded store of 10 million conversations
  --rounds N          rounds per cell: 5, or 2 with --quick
  --with NAME=FOLDER  measures another built checkout as well, in the same rounds; may be repeated
  --json              prints the measurements as JSON
  --write             writes the document after a quick run, too
`
/** Members of results with paths of this machine. */
const LOCAL = new Set(['client', 'from', 'package'])
const PARTS = ['dataverse', 'embedded', 'start']

function fail(message) {
  console.error(`${message}\n\n${HELP}`)
  process.exit(2)
}

function readOptions() {
  const string = /** @type {const} */ ({ type: 'string' })
  const flag = /** @type {const} */ ({ type: 'boolean', default: false })
  const list = /** @type {const} */ ({ type: 'string', multiple: true, default: [] })
  const options = { help: flag, huge: flag, json: flag, only: list, quick: flag, rounds: string, with: list, write: flag }
  try {
    return parseArgs({ options }).values
  } catch (error) {
    return fail(error.message)
  }
}

/** Runs a program with its output on stderr. Ends this one if it fails. */
function build(command, args, cwd) {
  const { status, error } = spawnSync(command, args, { cwd, stdio: ['ignore', process.stderr, process.stderr] })
  if (error) throw error
  if (status !== 0) process.exit(status ?? 1)
}

const options = readOptions()
if (options.help) {
  console.log(HELP)
  process.exit()
}
if (options.only.some(part => !PARTS.includes(part))) fail(`--only is one of ${PARTS.join(', ')}`)
const others = options.with.map(text => {
  const at = text.indexOf('=')
  return at > 0 ? { name: text.slice(0, at), from: resolve(text.slice(at + 1)) } : fail('--with expects NAME=FOLDER')
})
const rounds = Number(options.rounds ?? (options.quick ? 2 : 5))
if (!Number.isInteger(rounds) || rounds < 1) fail('--rounds expects a number')

build(process.execPath, [join('scripts', 'build.mjs')], root)
build('cargo', ['build', '--locked', '--release', '--package', 'omnichannel-link-bench'], root)
if (!existsSync(join(root, 'bench', 'node_modules'))) build('npm', ['ci'], join(root, 'bench'))

const scope = { isQuick: options.quick, isHuge: options.huge, rounds, others }
const measures = { dataverse: measureDataverse, embedded: measureEmbedded, start: measureStart }
const results = {}
for (const part of PARTS) if (options.only.length === 0 || options.only.includes(part)) results[part] = await measures[part](scope)

const machine = describeRun()
if (options.json)
  console.log(JSON.stringify({ machine: Object.fromEntries(machine), ...results }, (key, value) => (LOCAL.has(key) ? undefined : value)))
else {
  const { dataverse, embedded, start } = results
  const parts = [
    machine.map(([name, text]) => `${name.padEnd(10)} ${text}`).join('\n'),
    ...(dataverse ? ['## Links to Dataverse', ...dataverseTables(dataverse)] : []),
    ...(embedded ? ['## Embedded store', ...embeddedTables(embedded)] : []),
    ...(start ? ['## Start', startTable(start)] : []),
    '## Targets',
    targetTable(results, others)
  ]
  console.log(parts.join('\n\n'))
}
if (options.only.length === 0 && (!options.quick || options.write)) writeDocument(results, machine, others)
