// The programs of a trial: the packages of a target, run by some runtime.
import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assemble } from './packages.mjs'
import { root, run } from './tools.mjs'
import { emulatorOf } from './targets.mjs'

/** Programs with what they print. The first one links, and lists conversations, on both stores. */
const PROGRAMS = {
  'links on both stores': [['installed.cjs'], /^replaced replaced\n$/],
  'command line': [['node_modules/omnichannel-link/cli/index.js', '--version'], /^\d+\.\d+\.\d+\S*\n/],
  emulator: [['node_modules/omnichannel-link-emulator/index.js', '--stdin-seed'], /"url":"http:/]
}

/**
 * Runs the programs with a runtime, which is a command with its arguments. `loader` is the command that starts a binary of another platform.
 * Returns how many passed, and the errors of the others.
 */
export async function smoke({ runtime, loader = [], target, artifacts }) {
  const cwd = mkdtempSync(join(tmpdir(), 'omnichannel-smoke-'))
  const errors = []
  try {
    assemble({ artifacts, only: [target], out: join(cwd, 'node_modules') })
    cpSync(join(root, '__test__/support/installed.cjs'), join(cwd, 'installed.cjs'))
    // The one for musl is linked statically, and starts on any Linux of its processor.
    if (target.split('-')[1] !== process.arch)
      wrapEmulator(join(cwd, 'node_modules', `omnichannel-link-emulator-${target}`, emulatorOf(target)), loader)
    const [command, ...first] = [...loader, ...runtime]
    for (const [name, [args, expected]] of Object.entries(PROGRAMS)) {
      const printed = await run(command, [...first, ...args], { cwd }).catch(error => error.message)
      if (!expected.test(printed)) errors.push(`${name}: expected ${expected}, got:\n${printed}`)
    }
  } finally {
    rmSync(cwd, { recursive: true, force: true, maxRetries: 10 })
  }
  return { what: 'smoke', passed: Object.keys(PROGRAMS).length - errors.length, failed: errors.length, skipped: 0, errors }
}

/** The client starts the emulator by its name, without the loader: a script in its place adds it. */
function wrapEmulator(file, loader) {
  const folder = `${file}.d`
  mkdirSync(folder)
  renameSync(file, join(folder, 'binary'))
  writeFileSync(file, `#!/bin/sh\nexec ${[...loader, join(folder, 'binary')].map(word => `'${word}'`).join(' ')} "$@"\n`, { mode: 0o755 })
}
