// Builds the addon and the emulator and copies them to where lib/binding.js and emulator/index.js load them. Runs in `npm ci` (as "prepare"),
// `npm pack` and `npm publish`; cargo rebuilds only what has changed.
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const profile = process.argv.includes('--debug') ? 'debug' : 'release'
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

const started = performance.now()
console.error(`omnichannel-link: ${profile} build with cargo; takes minutes the first time, seconds afterwards`)
const messages = run(
  'cargo',
  'build',
  '--locked',
  '--message-format=json-render-diagnostics',
  '--package',
  'omnichannel-link',
  '--package',
  'omnichannel-link-emulator',
  ...(profile === 'release' ? ['--release'] : [])
)
const artifacts = messages
  .split('\n')
  .filter(line => line.includes('"compiler-artifact"'))
  .map(line => JSON.parse(line))
const built = (kind, name) => artifacts.findLast(({ target }) => target.kind.includes(kind) && target.name === name)

const musl = run('rustc', '-vV').includes('-musl')
const libc = { linux: musl ? '-musl' : '-gnu', win32: '-msvc' }[platform] ?? ''
const library = built('cdylib', 'omnichannel_link').filenames.find(file => /\.(so|dylib|dll)$/.test(file))
install(library, join(root, `omnichannel-link.${platform}-${arch}${libc}.node`))
const { executable } = built('bin', 'omnichannel-link-emulator')
install(executable, join(root, 'emulator', 'bin', `omnichannel-link-emulator${platform === 'win32' ? '.exe' : ''}`))
console.error(`omnichannel-link: built in ${((performance.now() - started) / 1000).toFixed(1)} s`)
