// Runs the build of this checkout with every runtime that can be had: the JavaScript suites with Node and with Electron as Node; the programs
// of a trial with Bun and Deno, which lack a part of `node:test`.
//
//   npm run runtimes                      all of them; --json prints the results as JSON
//   npm run runtimes -- --only Bun,Deno   some
//   npm run runtimes -- --write           also writes docs/platforms.md and its lines in the README
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { finish, RUNTIMES } from './runs.mjs'
import { smoke } from './smoke.mjs'
import { cached, here, npm, root, run, tool } from './tools.mjs'

const { platform, arch } = process
const system = `${{ win32: 'win' }[platform] ?? platform}-${arch}`
const suffix = platform === 'win32' ? '.exe' : ''

/** The file of a runtime of this platform, and how it runs a program. */
const PROGRAMS = {
  Node: version => tool(`node-${system}@${version}`, `bin/node${suffix}`),
  Bun: () => tool(`@oven/bun-${system.replace('arm64', 'aarch64').replace('win-', 'windows-')}@1`, `bin/bun${suffix}`),
  Deno: () => tool(`@deno/${system.replace('win-', 'win32-')}${platform === 'linux' ? '-glibc' : ''}@2`, `deno${suffix}`),
  Electron: () => electron()
}

/** An Electron of the environment, or the one that the tests use. */
async function electron() {
  const script = join(root, 'scripts/electron.mjs')
  if (process.env.ELECTRON || !existsSync(script)) return process.env.ELECTRON
  return (await run(process.execPath, [script]).catch(() => '')).trim() || undefined
}

/** Runs the suites, and counts tests. The output stays in the cache. */
async function suites(node, name) {
  const folder = join(root, '__test__')
  const files = readdirSync(folder).flatMap(file => (file.endsWith('.test.mjs') ? [join('__test__', file)] : []))
  // Programs of the tests begin with `#!/usr/bin/env node`.
  const env = { ...process.env, PATH: dirname(node) + delimiter + process.env.PATH }
  const output = await run(node, ['--test', '--test-reporter=tap', ...files], { cwd: root, env }).catch(({ stdout }) => stdout)
  writeFileSync(join(cached('runtimes'), `${name}.tap`), output)
  const count = what => Number(new RegExp(`^# ${what} (\\d+)$`, 'm').exec(output)?.[1] ?? NaN)
  const errors = [...output.matchAll(/^ *not ok \d+ - (.*)$/gm)].map(([, test]) => test)
  return { what: 'suite', passed: count('pass'), failed: count('fail') + count('cancelled'), skipped: count('skipped'), errors }
}

/** Runs the suites in Electron by their own script, which knows the tests that cannot pass there. */
async function suitesOfElectron(program) {
  const script = join(root, 'scripts/electron-as-node.mjs')
  const env = { ...process.env, ELECTRON: program }
  const output = await run(process.execPath, [script], { cwd: root, env }).catch(error => error.message)
  const [, passed, failed, skipped] = /: (\d+) tests passed, (\d+) failed, (\d+) /.exec(output)?.map(Number) ?? [0, 0, NaN, 0]
  return { what: 'suite', passed, failed, skipped, errors: output.match(/^failed: .*$/gm) ?? (failed === 0 ? [] : [output]) }
}

function versionOf(kind, program) {
  const code = kind === 'Electron' ? 'process.versions.electron' : 'process.versions.node'
  const args = kind === 'Bun' || kind === 'Deno' ? ['--version'] : ['--print', code]
  const { stdout } = spawnSync(program, args, { env: { ...process.env, ELECTRON_RUN_AS_NODE: '1' }, encoding: 'utf8' })
  return /\d+\.\d+\.\d+\S*/.exec(stdout)?.[0]
}

async function attempt(runtime) {
  const [kind, major] = runtime.split(' ')
  const program = await PROGRAMS[kind](major)
  const version = program && versionOf(kind, program)
  const what = kind === 'Node' || kind === 'Electron' ? 'suite' : 'smoke'
  if (!version) return { what, reason: kind === 'Electron' ? 'no Electron was found' : 'it could not be fetched' }
  if (kind === 'Node') return { version, ...(await suites(program, runtime)) }
  if (kind === 'Electron') return { version, ...(await suitesOfElectron(program)) }
  const command = kind === 'Deno' ? [program, 'run', '--allow-all', '--no-config', '--unstable-detect-cjs'] : [program, 'run']
  return { version, ...(await smoke({ runtime: command, target: here })) }
}

const { values } = parseArgs({ options: { json: { type: 'boolean' }, only: { type: 'string' }, write: { type: 'boolean' } } })
if (!npm || !here) throw new Error('Build the checkout, then start this with `npm run runtimes`.')
const chosen = values.only?.split(',') ?? RUNTIMES
const unknown = chosen.filter(runtime => !RUNTIMES.includes(runtime))
if (unknown.length > 0) throw new Error(`unknown runtime ${unknown.join(', ')}; known are ${RUNTIMES.join(', ')}`)
const results = []
for (const [index, runtime] of chosen.entries()) {
  console.error(`${index + 1} of ${chosen.length}: ${runtime}`)
  results.push({ target: here, runtime, ...(await attempt(runtime)) })
}
finish(results, values)
