// A real Electron, and functions of the test that run in its main process.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterwards, folder } from './afterwards.mjs'

const require = createRequire(import.meta.url)

const attempt = call => {
  try {
    return call()
  } catch {
    return undefined
  }
}

/** The binary: `ELECTRON`, the one of the package `electron`, or `electron` on the path. */
export const electron = [
  process.env.ELECTRON,
  attempt(() => require('electron')),
  ...process.env.PATH.split(delimiter).map(folder => join(folder, 'electron'))
].find(path => path && attempt(() => accessSync(path) ?? true))

const hasScreen = process.platform !== 'linux' || process.env.DISPLAY || process.env.WAYLAND_DISPLAY

/** Options of a test that opens windows. `--ozone-platform=headless` is no screen: Electron crashes with it. */
export const options = {
  skip: electron
    ? !hasScreen && 'no screen: run the test under `xvfb-run -a`'
    : 'Electron not found: set ELECTRON to its path, as in ELECTRON=$(node scripts/electron.mjs), or install the package electron',
  timeout: 60_000
}

/**
 * Starts a program in Electron. `main(call, ...values)` runs a function of the test in the main process: it gets Electron's modules with the
 * exports of the program as `program`, and the values as JSON. `app` is a folder or an archive that has in-electron.cjs as its main file.
 */
export async function start(t, program, { args = [], env, app = fileURLToPath(new URL('in-electron.cjs', import.meta.url)) } = {}) {
  const { DATAVERSE_URL: _, ELECTRON_RUN_AS_NODE: __, ...environment } = process.env
  const child = spawn(electron, ['--no-sandbox', '--disable-gpu', app, ...args], {
    env: { ...environment, ...env, DRIVEN: program, DRIVEN_DATA: env?.DRIVEN_DATA ?? folder(t) },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc']
  })
  const pending = new Map()
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', text => (stderr += text))
  const gone = once(child, 'close')
  afterwards(t, async () => {
    child.kill('SIGKILL')
    await gone
  })
  const ended = gone.then(([code, signal]) => {
    throw new Error(`Electron ended with ${signal ?? `status ${code}`}: ${stderr}`)
  })
  ended.catch(() => {})
  child.on('message', ({ number, value, error }) => {
    if (number === undefined) return
    const { resolve, reject } = pending.get(number)
    pending.delete(number)
    if (error) reject(new Error(error))
    else resolve(value)
  })
  await Promise.race([once(child, 'message'), ended])

  let last = 0
  const main = (call, ...values) => {
    const number = ++last
    const answer = new Promise((resolve, reject) => pending.set(number, { resolve, reject }))
    child.send({ number, code: String(call), values })
    return Promise.race([answer, ended])
  }
  return { main, child }
}
