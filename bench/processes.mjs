// Child processes: one client at a time. A client of the server has the second processor for itself, and the server the first one; other
// clients have all of them.
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))
/** This checkout, and those to compare it with. */
export const products = others => [{ name: 'product', from: root }, ...others]
/** The folder of generated files. */
export const scratch = join(root, 'target', 'bench')
export const program = join(root, 'target', 'release', `omnichannel-link-bench${process.platform === 'win32' ? '.exe' : ''}`)
export const isPinned = availableParallelism() > 1 && spawnSync('taskset', ['--version']).status === 0

const SERVER_CPU = 0
export const CLIENT_CPU = 1
const children = new Set()
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})
for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]]) process.once(signal, () => process.exit(code)) // prettier-ignore

function start(cpu, command, args, options) {
  const [file, ...rest] = isPinned && cpu !== undefined ? ['taskset', '-c', String(cpu), command, ...args] : [command, ...args]
  const child = spawn(file, rest, options)
  children.add(child)
  child.once('close', () => children.delete(child))
  return child
}

/** Runs a client to its end, on this processor only if one is named. Returns the JSON that it prints. */
export function run(command, args, { cpu, env } = {}) {
  const child = start(cpu, command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
  const output = ['', '']
  child.stdout.setEncoding('utf8').on('data', text => (output[0] += text))
  child.stderr.setEncoding('utf8').on('data', text => (output[1] += text))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', code => {
      if (code === 0) resolve(JSON.parse(output[0]))
      else reject(new Error(`${command} ${args.join(' ')} ended with ${code}:\n${output[1]}`))
    })
  })
}

/** Runs one of the scripts in this folder. */
export const runScript = (script, settings, options) =>
  run(process.execPath, [fileURLToPath(new URL(script, import.meta.url)), JSON.stringify(settings)], options)

/** Starts the server. Each line that it prints answers a line of its input; the first one tells its ports. */
export async function startServer() {
  const child = start(SERVER_CPU, program, ['serve'], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async () => JSON.parse((await lines.next()).value)
  const { http, tls, certificate } = await next()
  mkdirSync(scratch, { recursive: true })
  const certificateFile = join(scratch, 'authority.pem')
  writeFileSync(certificateFile, certificate)
  return {
    certificate,
    certificateFile,
    port: ({ isTls, latencyInMs }) => (isTls ? tls : http)[latencyInMs > 0 ? 1 : 0],
    /** Requests answered so far. */
    counts: () => {
      child.stdin.write('\n')
      return next()
    },
    close: () => child.stdin.end()
  }
}
