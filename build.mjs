// Builds the addon and the emulator and puts them where index.js and emulator/index.js look for them. Cargo knows what is
// stale, so this is always called: by `npm ci` (as "prepare"), and by `npm pack` and `npm publish`.
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, renameSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(fileURLToPath(import.meta.url))
const profile = process.argv.includes('--debug') ? [] : ['--release']
const exe = process.platform === 'win32' ? '.exe' : ''

/** Runs a program in the foreground, so that its progress is seen; ends this one if it fails. */
function run(program, args, options = {}) {
  const { status, error, stdout } = spawnSync(program, args, { cwd: root, stdio: 'inherit', ...options })
  if (error?.code === 'ENOENT') fail(`${program} was not found. omnichannel-link is built from source with Rust (https://rustup.rs) and a C compiler.`)
  if (error) fail(error.message)
  if (status !== 0) process.exit(status ?? 1)
  return stdout?.toString()
}

function fail(message) {
  console.error(`omnichannel-link: ${message}`)
  process.exit(1)
}

function findNapi() {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('@napi-rs/cli/package.json')), 'dist', 'cli.js')
  } catch {
    return fail('the addon was not built, because @napi-rs/cli is a development dependency and was left out. Run `npm ci` without --omit=dev.')
  }
}

const napi = findNapi()
const started = performance.now()
console.error(`omnichannel-link: building with cargo, which takes about ${profile.length ? 'four' : 'two'} minutes the first time and seconds afterwards`)
run(process.execPath, [napi, 'build', '--platform', '--js', 'binding.js', '--dts', 'binding.d.ts', ...profile])
run('cargo', ['build', '--package', 'omnichannel-link-emulator', ...profile])

const metadata = run('cargo', ['metadata', '--no-deps', '--format-version', '1'], { stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 26 })
const built = join(JSON.parse(metadata).target_directory, profile.length ? 'release' : 'debug', `omnichannel-link-emulator${exe}`)
if (!existsSync(built)) fail(`cargo reported success, but ${built} is missing`)
const installed = join(root, 'emulator', 'bin', `omnichannel-link-emulator${exe}`)
mkdirSync(dirname(installed), { recursive: true })
// Moved into place: an emulator that is running keeps its own file.
copyFileSync(built, `${installed}.new`)
renameSync(`${installed}.new`, installed)
console.error(`omnichannel-link: built in ${((performance.now() - started) / 1000).toFixed(1)} s`)
