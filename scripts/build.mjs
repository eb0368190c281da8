// Builds the addon and the emulator and copies them to where lib/binding.js and emulator/binary.js find them. Runs in `npm ci` (as "prepare")
// and `npm pack`; cargo rebuilds only what has changed.
//
//   npm run build -- --target linux-arm64-musl     builds for a target of scripts/targets.mjs, or its name in Rust, into artifacts/
//   npm run build -- --target linux-x64-gnu --zig  does so with cargo-zigbuild, which cross-compiles; for glibc 2.17 and later
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { addonOf, emulatorOf, TRIPLES } from './targets.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const { values: options } = parseArgs({ options: { debug: { type: 'boolean' }, target: { type: 'string' }, zig: { type: 'boolean' } } })
const profile = options.debug ? 'debug' : 'release'
const { platform, arch } = process

/** Runs a program with its stderr on the terminal, and returns its stdout. Exits if it fails. */
function run(program, ...args) {
  const { status, error, stdout } = spawnSync(program, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
    maxBuffer: 1 << 28
  })
  if (error?.code === 'ENOENT')
    return fail(`${program} was not found. Building from source requires Rust (https://rustup.rs) and a C compiler.`)
  if (error) return fail(error.message)
  return status === 0 ? stdout : process.exit(status ?? 1)
}

function fail(message) {
  console.error(`omnichannel-link: ${message}`)
  process.exit(1)
}

/** Copies a file, then renames it into place: a program that has the old file open keeps it. */
function install(from, to) {
  mkdirSync(dirname(to), { recursive: true })
  copyFileSync(from, `${to}.new`)
  renameSync(`${to}.new`, to)
}

/** The target of the options, or this machine. */
function chosen() {
  if (options.target) {
    const known = Object.entries(TRIPLES).find(names => names.includes(options.target))
    return known?.[0] ?? fail(`unknown target ${options.target}; known are ${Object.keys(TRIPLES).join(', ')}`)
  }
  const musl = run('rustc', '-vV').includes('-musl')
  return `${platform}-${arch}${{ linux: musl ? '-musl' : '-gnu', win32: '-msvc' }[platform] ?? ''}`
}

/** Flags that select the target. */
function targetFlags() {
  if (!options.target) return []
  const triple = TRIPLES[target]
  return ['--target', options.zig && triple.endsWith('linux-gnu') ? `${triple}.2.17` : triple]
}

const started = performance.now()
const target = chosen()
console.error(`omnichannel-link: ${profile} build with cargo; takes minutes the first time, seconds afterwards`)
const messages = run(
  'cargo',
  options.zig ? 'zigbuild' : 'build',
  '--locked',
  '--message-format=json-render-diagnostics',
  '--package',
  'omnichannel-link',
  '--package',
  'omnichannel-link-emulator',
  ...targetFlags(),
  ...(profile === 'release' ? ['--release'] : [])
)
const artifacts = messages
  .split('\n')
  .filter(line => line.includes('"compiler-artifact"'))
  .map(line => JSON.parse(line))
const built = (kind, name) => artifacts.findLast(({ target }) => target.kind.includes(kind) && target.name === name)

const library = built('cdylib', 'omnichannel_link').filenames.find(file => /\.(so|dylib|dll)$/.test(file))
const { executable } = built('bin', 'omnichannel-link-emulator')
const [addonFolder, emulatorFolder] = options.target ? ['artifacts', 'artifacts'] : ['', 'emulator/bin']
install(library, join(root, addonFolder, addonOf(target)))
install(executable, join(root, emulatorFolder, emulatorOf(target, options.target)))
console.error(`omnichannel-link: built for ${target} in ${((performance.now() - started) / 1000).toFixed(1)} s`)
