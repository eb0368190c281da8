// The runs on each platform with each runtime: scripts/runs.json, and the documents that say so.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { TRIPLES } from './targets.mjs'
import { root } from './tools.mjs'

export const RUNTIMES = ['Node 20', 'Node 22', 'Node 24', 'Node 26', 'Bun', 'Deno', 'Electron']

const FILE = join(root, 'scripts/runs.json')
const MARKED = /(?<=<!-- runs -->\n)[^]*?(?=<!-- end of runs -->)/

/** The counts of a run in words, without the rest of its line. */
function counts({ what, passed, failed, skipped }) {
  const rest = [failed !== 0 && `**${failed} failed**`, skipped > 0 && `${skipped} skipped`].filter(Boolean)
  return [`${what}: ${passed} passed`, ...rest].join(', ')
}

const isRun = run => run?.version !== undefined
const isGood = run => isRun(run) && run.failed === 0
const select = (runs, target, runtime) => runs.filter(run => run.target === target && run.runtime === runtime)

/** The cell of a platform and a runtime. */
function cell(runs) {
  const lines = runs.filter(isRun).map(run => `${run.version}<br>${counts(run)}`)
  return lines.join('<br>') || 'not run'
}

const row = cells => `| ${cells.join(' | ')} |`

/** docs/platforms.md */
export function documentOf(runs) {
  const rows = Object.keys(TRIPLES).map(target => [target].concat(RUNTIMES.map(runtime => cell(select(runs, target, runtime)))))
  const notes = runs.flatMap(({ target, runtime, what, note, reason }) =>
    note || reason ? [`* ${target}, ${runtime}, ${what}: ${reason ? `not run, because ${reason}` : note}.`] : []
  )
  return [
    '# Platforms and runtimes',
    '',
    '`npm run runtimes -- --write` and `npm run platforms -- --write` write this page. It states what these commands ran, with the versions.',
    '',
    '* **suite**: all JavaScript tests (`__test__/`), started by that runtime.',
    '* **smoke**: three programs with the packages as they are published. One links, and lists conversations, on both stores; the others are the',
    '  command line and the emulator.',
    '* **not run**: it may work. The release workflow tests every platform before anything is published, but has not run yet.',
    '',
    row(['platform', ...RUNTIMES]),
    row(['---', ...RUNTIMES.map(() => '---')]),
    ...rows.map(row),
    '',
    ...notes,
    ''
  ].join('\n')
}

/** The lines of the README. */
export function summaryOf(runs) {
  const good = runs.filter(isGood)
  const targets = Object.keys(TRIPLES)
  const line = target => {
    const those = RUNTIMES.flatMap(runtime => select(good, target, runtime).slice(0, 1))
    const names = those.map(({ runtime, version, what }) => `${runtime.split(' ')[0]} ${version}${what === 'smoke' ? ' (smoke)' : ''}`)
    return names.length > 0 ? [`${target} with ${names.join(', ')}`] : []
  }
  const missing = targets.filter(target => !good.some(run => run.target === target))
  const sentences = [
    `It was run on ${targets.flatMap(line).join('; ')}.`,
    ...(missing.length > 0 ? [`Not run: ${missing.join(', ')}.`] : []),
    '[docs/platforms.md](docs/platforms.md) has the details.'
  ]
  return `${wrapped(sentences.join(' '))}\n`
}

/** Breaks text into lines of at most 150 characters. */
const wrapped = text => text.replace(/(.{1,150})(?: |$)/g, '$1\n').trimEnd()

/** Writes the documents. */
function write(runs) {
  writeFileSync(FILE, `${JSON.stringify(runs, undefined, 2)}\n`)
  writeFileSync(join(root, 'docs/platforms.md'), documentOf(runs))
  const readme = join(root, 'README.md')
  writeFileSync(readme, readFileSync(readme, 'utf8').replace(MARKED, summaryOf(runs)))
}

/** Whether the lines of a README are those of the runs. */
export const isCurrent = (readme, runs) => MARKED.exec(readme)?.[0] === summaryOf(runs)

export const readRuns = () => JSON.parse(readFileSync(FILE, 'utf8'))

/** The order of runs: a suite comes before a smoke test. */
const placeOf = ({ target, runtime, what }) =>
  Object.keys(TRIPLES).indexOf(target) * 100 + RUNTIMES.indexOf(runtime) * 10 + (what === 'smoke' ? 1 : 0)

/** Prints results as a table or as JSON, and with `write` puts them in the place of older ones. A failure is a failure of the process. */
export function finish(results, { json, write: isWritten }) {
  for (const { target, runtime, errors = [] } of results) for (const error of errors) console.error(`${target}, ${runtime}: ${error}`)
  if (json) console.log(JSON.stringify(results, undefined, 2))
  else for (const run of results) console.log(lineOf(run))
  if (results.some(run => isRun(run) && !isGood(run))) process.exitCode = 1
  if (!isWritten) return
  const isNew = ({ target, runtime, what }) => select(results, target, runtime).some(run => run.what === what)
  const kept = readRuns().filter(run => !isNew(run))
  const all = [...kept, ...results.map(run => ({ ...run, errors: undefined }))]
  write(all.sort((a, b) => placeOf(a) - placeOf(b)))
}

function lineOf(run) {
  const { target, runtime, version = '-', reason } = run
  const outcome = isRun(run) ? counts(run).replaceAll('**', '') : `not run: ${reason}`
  return [target.padEnd(18), runtime.padEnd(9), version.padEnd(10), outcome].join('  ')
}
