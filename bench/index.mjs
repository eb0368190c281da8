// `npm run bench`: builds a release and measures it. `--help` lists the options.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { measureDataverse } from './dataverse.mjs'
import { root } from './processes.mjs'
import { dataverseTables } from './tables.mjs'

const HELP = `npm run bench -- [options]

  --quick             fewer cells and shorter rounds, under two minutes
  --json              prints the measurements as JSON
  --rounds N          rounds per cell
  --with NAME=FOLDER  measures another built checkout as well, in the same rounds; may be repeated
`
const { values: options } = parseArgs({
  options: {
    help: { type: 'boolean' },
    json: { type: 'boolean' },
    quick: { type: 'boolean' },
    rounds: { type: 'string' },
    with: { type: 'string', multiple: true, default: [] }
  }
})
if (options.help) {
  console.log(HELP)
  process.exit()
}

/** Runs a program with its output on stderr. Ends this one if it fails. */
function build(command, args, cwd) {
  const { status, error } = spawnSync(command, args, { cwd, stdio: ['ignore', process.stderr, process.stderr] })
  if (error) throw error
  if (status !== 0) process.exit(status ?? 1)
}

build(process.execPath, [join('scripts', 'build.mjs')], root)
build('cargo', ['build', '--locked', '--release', '--package', 'omnichannel-link-bench'], root)
if (!existsSync(join(root, 'bench', 'node_modules'))) build('npm', ['ci'], join(root, 'bench'))

const others = options.with.map(text => {
  const [name, folder] = text.split('=')
  return { name, from: resolve(folder) }
})
const rounds = Number(options.rounds ?? (options.quick ? 2 : 5))
const dataverse = await measureDataverse({ isQuick: options.quick, rounds, others })
if (options.json) console.log(JSON.stringify({ dataverse }))
else console.log(dataverseTables(dataverse).join('\n\n'))
