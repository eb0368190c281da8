// Python programs with the packages of a requirements file, in a virtual environment that is made once and kept below target/.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { kept, run } from '../kept.mjs'
import { operations } from '../operations.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
const inside = process.platform === 'win32' ? ['Scripts', 'python.exe'] : ['bin', 'python']

/** The Python of a virtual environment with these packages, or why there is none. */
function environment(name) {
  const requirements = join(here, 'requirements', `${name}.txt`)
  const base = ['python3', 'python'].find(name => run(name, ['--version']).stdout)
  if (!base) return { skip: 'python3 was not found' }
  const { folder, skip } = kept(`python-${name}`, [readFileSync(requirements), run(base, ['--version']).stdout], made => {
    const { failed } = run(base, ['-m', 'venv', made])
    const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--requirement', requirements]
    return failed ?? run(join(made, ...inside), install).failed
  })
  return skip ? { skip } : { python: join(folder, ...inside) }
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
  const env = { ...process.env, NO_PROXY: '*', PYTHONUTF8: '1', EMULATOR: JSON.stringify({ url, credential }) }
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
