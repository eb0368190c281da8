// `just counts`: compares the instructions of the hot paths with bench/counts.json, and fails if one needs more. `--accept` writes the file.
//
// Instructions are counted by valgrind, and do not depend on the machine's load. They do depend on the compiler, the C library and the
// processor's instruction set.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

/** Paths, and calls in the shorter of two runs. */
const PATHS = {
  'dataverse-link-warm': 500,
  'dataverse-link-cold': 500,
  'dataverse-read': 500,
  'dataverse-read-after-503': 500,
  'embedded-link-alone': 320,
  'embedded-link-of-64': 6400,
  'embedded-read': 500
}
/** Growth in percent that fails. Between runs, Dataverse paths vary by 0.02 % and embedded ones, which have two threads, by 1.3 %. */
const TOLERANCE = 3
const root = fileURLToPath(new URL('..', import.meta.url))
const file = join(root, 'bench', 'counts.json')
const program = join(root, 'target', 'release', 'examples', 'counts')

function fail(code, message) {
  console.error(message)
  process.exit(code)
}

/** The output of a program that must succeed, stderr included. */
function run(command, args) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: 'utf8' })
  if (error) throw error
  if (status !== 0) fail(2, `${command} ${args.join(' ')} failed:\n${stdout}${stderr}`)
  return stdout + stderr
}

/** Instructions of all threads of a run. */
function instructions(path, calls) {
  // Fair scheduling, so that threads hand over in the same order in each run.
  const options = ['--tool=callgrind', '--callgrind-out-file=/dev/null', '--fair-sched=yes']
  const [, collected] = /Collected : (\d+)/.exec(run('valgrind', [...options, program, path, String(calls)])) ?? []
  if (!collected) fail(2, `valgrind counted nothing for ${path}`)
  return Number(collected)
}

/** Instructions of one call. The difference of two runs leaves out their set-up. */
const perCall = ([path, calls]) => [path, Math.round((instructions(path, 2 * calls) - instructions(path, calls)) / calls)]

const { values: options } = parseArgs({ options: { accept: { type: 'boolean' } } })
if (spawnSync('valgrind', ['--version']).error) fail(2, 'just counts needs valgrind, which is not installed (apt-get install valgrind).')
const rustc = run('rustc', ['--version']).trim()
run('cargo', ['build', '--locked', '--quiet', '--release', '--example', 'counts'])
const now = Object.fromEntries(Object.entries(PATHS).map(perCall))
if (options.accept) {
  writeFileSync(file, `${JSON.stringify({ rustc, instructionsPerCall: now }, null, 2)}\n`)
  console.log('Wrote bench/counts.json:')
  console.table(now)
  process.exit()
}

const committed = JSON.parse(readFileSync(file, 'utf8'))
const rows = Object.entries(now).map(([path, count]) => {
  const before = committed.instructionsPerCall[path]
  return { path, committed: before, now: count, 'change %': before && Number(((count / before - 1) * 100).toFixed(1)) }
})
console.table(rows)
if (committed.rustc !== rustc) console.log(`The file was written with ${committed.rustc}, this is ${rustc}: both may count differently.`)
const grown = rows.filter(row => !(row['change %'] <= TOLERANCE)).map(row => row.path)
const shrunk = rows.filter(row => row['change %'] < -TOLERANCE).map(row => row.path)
if (shrunk.length > 0) console.log(`Fewer instructions than committed: ${shrunk.join(', ')}. Commit them: just counts --accept`)
if (grown.length > 0) {
  fail(
    1,
    `More than ${TOLERANCE} % above the committed count, or not in the file: ${grown.join(', ')}.\nFind out why. If it must be: just counts --accept`
  )
}
