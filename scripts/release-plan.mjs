// Prints the jobs of a release as outputs of .github/workflows/release.yml: which machine builds a target, and which ones test it.
//
//   node scripts/release-plan.mjs v1.2.3     an error if that is not the version of this checkout
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { TRIPLES } from './targets.mjs'

const LINUX = 'ubuntu-24.04'
/** The oldest and the newest Node that are supported. */
const NODES = [20, 24]

/** A machine of its own processor for each target. Those of Linux are built on one with Zig, which links with an old glibc, and with musl. */
const RUNNERS = {
  'darwin-arm64': 'macos-15',
  'darwin-x64': 'macos-15-intel',
  'linux-arm64-gnu': `${LINUX}-arm`,
  'linux-arm64-musl': `${LINUX}-arm`,
  'linux-x64-gnu': LINUX,
  'linux-x64-musl': LINUX,
  'win32-arm64-msvc': 'windows-11-arm',
  'win32-x64-msvc': 'windows-2025'
}

export function plan() {
  const all = Object.entries(TRIPLES)
  const build = all.map(([target, triple]) => {
    const zig = target.startsWith('linux')
    return { target, triple, runner: zig ? LINUX : RUNNERS[target], zig }
  })
  const test = all.flatMap(([target]) =>
    NODES.map(node => ({ target, node, runner: RUNNERS[target], image: target.endsWith('musl') ? `node:${node}-alpine` : '' }))
  )
  return { build, test }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  if (process.argv[2] !== `v${version}`) {
    console.error(`release-plan: the tag is ${process.argv[2]}, but package.json has version ${version}`)
    process.exit(1)
  }
  for (const [name, jobs] of Object.entries(plan())) console.log(`${name}=${JSON.stringify(jobs)}`)
}
