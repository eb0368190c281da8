// Child processes, for effects that can only be seen from outside.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterwards, folder } from './afterwards.mjs'

/** The path of the package, for code outside it. */
export const COMMONJS = createRequire(import.meta.url).resolve('omnichannel-link')

/**
 * Starts a program. Its code is CommonJS, and requires packages from the working directory. It has the package's exports in `link`, and the
 * `values` under their names. `line()` resolves with the next line of its output, `ended` when it has exited.
 */
export function start(t, code, { cwd, env, ...values } = {}) {
  const given = { COMMONJS, ...values }
  const prelude = [
    "require = require('node:module').createRequire(process.cwd() + '/')",
    ...Object.entries(given).map(([name, value]) => `const ${name} = ${JSON.stringify(value)}`),
    'const link = require(COMMONJS);'
  ]
  const { DATAVERSE_URL: _, ...environment } = process.env
  // A file, because a command line of Windows has room for 32,767 characters only.
  const program = join(folder(t), 'program.cjs')
  writeFileSync(program, [...prelude, code].join('\n'))
  const child = spawn(process.execPath, [program], { cwd, env: { ...environment, ...env } })
  afterwards(t, () => child.kill('SIGKILL'))
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', text => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', text => (stderr += text))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const line = async () => {
    const { value, done } = await lines.next()
    if (done) throw new Error(`the program ended without printing a line: ${stderr}`)
    return value
  }
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, stdout, stderr }))
  return { child, line, ended }
}

/** Runs a program to its end; what it printed must be JSON, and is returned. */
export async function run(t, code, options) {
  const { code: status, signal, stdout, stderr } = await start(t, code, options).ended
  if (status !== 0) throw new Error(`the program ended with ${signal ?? `status ${status}`}: ${stderr}`)
  return JSON.parse(stdout)
}
