// Python programs with the packages of a requirements file, in a virtual environment that is made once and kept below target/.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { operations } from '../operations.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
const kept = fileURLToPath(new URL('../../../target/python-clients/', import.meta.url))
const inside = process.platform === 'win32' ? ['Scripts', 'python.exe'] : ['bin', 'python']

function run(program, ...args) {
  const { status, error, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  return status === 0 ? { stdout } : { failed: error?.message ?? stderr.trim().split('\n').at(-1) }
}

/** The Python of a virtual environment with these packages, or why there is none. */
function environment(name) {
  const requirements = join(here, 'requirements', `${name}.txt`)
  const base = ['python3', 'python'].find(name => run(name, '--version').stdout)
  if (!base) return { skip: 'python3 was not found' }
  const pinned = createHash('sha256').update(readFileSync(requirements)).update(run(base, '--version').stdout).digest('hex').slice(0, 16)
  const folder = join(kept, `${name}-${pinned}`)
  const python = join(folder, ...inside)
  if (existsSync(folder)) return { python }
  // Another run may make the same one meanwhile: each makes its own, and the first that is complete is kept.
  mkdirSync(kept, { recursive: true })
  const made = mkdtempSync(join(kept, 'new-'))
  const steps = [
    [base, '-m', 'venv', made],
    [join(made, ...inside), '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--requirement', requirements]
  ]
  for (const [program, ...args] of steps) {
    const { failed } = run(program, ...args)
    if (failed === undefined) continue
    rmSync(made, { recursive: true, force: true })
    return { skip: `the packages of ${name}.txt cannot be installed: ${failed}` }
  }
  try {
    renameSync(made, folder)
  } catch {
    rmSync(made, { recursive: true, force: true })
  }
  return { python }
}

/** The suite of a program in this folder: one test for each of its operations. */
export async function suite(client, { requirements, program, atLeast, tls = false }) {
  const { python, skip } = environment(requirements)
  if (skip) {
    test(client, { skip }, () => {})
    return
  }
  let perform
  const { emulator, operation, report } = await operations(client, () => perform, { tls })
  const { url, credential, caCertificate } = emulator
  const env = { ...process.env, PYTHONUTF8: '1', EMULATOR: JSON.stringify({ url, credential }) }
  if (tls) {
    const folder = mkdtempSync(join(tmpdir(), 'clients-'))
    after(() => rmSync(folder, { recursive: true }))
    const authority = join(folder, 'authority.pem')
    writeFileSync(authority, caCertificate)
    // The first is for requests, the second for aiohttp, which reads it only when it is imported.
    Object.assign(env, { REQUESTS_CA_BUNDLE: authority, SSL_CERT_FILE: authority })
  }
  const child = spawn(python, [join(here, program)], { stdio: ['pipe', 'pipe', 'inherit'], env })
  after(() => child.kill())
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const answer = async () => {
    const { value, done } = await answers.next()
    if (done) throw new Error(`${program} ended`)
    return JSON.parse(value)
  }
  perform = async title => {
    child.stdin.write(`${JSON.stringify(title)}\n`)
    const { error } = await answer()
    if (error) throw new Error(error)
  }
  for (const title of await answer()) operation(title, run => run(title))
  report(atLeast)
}
