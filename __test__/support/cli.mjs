// Runs the command line.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterwards } from './afterwards.mjs'

export const PROGRAM = fileURLToPath(new URL('../../cli/index.js', import.meta.url))
// Without the environment of the test run.
const OTHERS = /^(DATAVERSE_|AZURE_|OMNICHANNEL_|NO_COLOR|FORCE_COLOR)/

/** Starts it. `ended` resolves with its exit code and output. `stdout` may be an open file instead of a pipe. */
export function startCli(t, args, { cwd, env, stdout = 'pipe' } = {}) {
  const inherited = Object.entries(process.env).filter(([name]) => !OTHERS.test(name))
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    cwd,
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: ['pipe', stdout, 'pipe']
  })
  afterwards(t, () => child.kill('SIGKILL'))
  const written = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr']) child[name]?.setEncoding('utf8').on('data', text => (written[name] += text))
  const ended = once(child, 'close').then(([code, signal]) => ({ code: code ?? signal, ...written }))
  /** Resolves when stderr contains this text. */
  const says = async text => {
    while (!written.stderr.includes(text)) await once(child.stderr, 'data')
  }
  return { child, ended, says }
}

/** Runs it to its end. */
export const cli = (t, args, options) => startCli(t, args, options).ended
