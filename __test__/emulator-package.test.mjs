// The published emulator package: its licence, typings without further requirements, and its binary.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { folder } from './support/afterwards.mjs'
import { install } from './support/packed.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const source = join(root, 'emulator')
const read = (...path) => readFileSync(join(...path), 'utf8')
const require = createRequire(import.meta.url)

test('it includes the licence', t => {
  const place = folder(t)
  install(place, source)
  assert.equal(read(place, 'node_modules', 'omnichannel-link-emulator', 'LICENSE'), read(root, 'LICENSE'))
})

test('its binary is unpacked under Yarn, which cannot run files inside archives', t => {
  const place = folder(t)
  install(place, source)
  assert.equal(JSON.parse(read(place, 'node_modules', 'omnichannel-link-emulator', 'package.json')).preferUnplugged, true)
})

for (const compiler of ['typescript', 'typescript-7']) {
  test(`${compiler} compiles its typings with ES2022 and without Node's types`, { timeout: 120_000 }, t => {
    const place = folder(t)
    install(place, source)
    const compilerOptions = {
      module: 'nodenext',
      target: 'es2022',
      lib: ['es2022'],
      types: [],
      strict: true,
      skipLibCheck: false,
      noEmit: true
    }
    writeFileSync(join(place, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
    writeFileSync(
      join(place, 'program.mts'),
      `import { startEmulator, type Conditions } from 'omnichannel-link-emulator'
       const conditions: Conditions = { alternateKeys: { account: ['accountnumber'], contact: ['emailaddress1'] } }
       await using emulator = await startEmulator()
       await emulator.faults.conditions(conditions)
       // @ts-expect-error A table has a list of keys.
       await emulator.faults.conditions({ alternateKeys: { lead: 'subject' } })`
    )
    const tsc = join(require.resolve(`${compiler}/package.json`), '..', 'bin', 'tsc')
    const { status, stdout } = spawnSync(process.execPath, [tsc, '--pretty', 'false'], { cwd: place, encoding: 'utf8' })
    assert.deepEqual({ status, stdout }, { status: 0, stdout: '' })
  })
}

/** The C library of the binary that is found, for a Node whose file begins like this. */
function found(t, libcs, node) {
  const place = folder(t)
  cpSync(join(source, 'binary.js'), join(place, 'binary.cjs'))
  writeFileSync(join(place, 'node'), node)
  for (const libc of libcs) {
    const name = `omnichannel-link-emulator-linux-${process.arch}-${libc}`
    mkdirSync(join(place, 'node_modules', name), { recursive: true })
    for (const file of ['package.json', 'omnichannel-link-emulator']) writeFileSync(join(place, 'node_modules', name, file), '{}')
  }
  const code = `process.execPath = './node'; console.log(require('./binary.cjs').findBinary())`
  const { stdout, stderr } = spawnSync(process.execPath, ['--eval', code], { cwd: place, encoding: 'utf8' })
  return /linux-\w+-(\w+)\/omnichannel-link-emulator\n$/.exec(stdout)?.[1] ?? stderr
}
describe('on Linux, where both C libraries may have their binary', { skip: process.platform !== 'linux' }, () => {
  const glibc = '\x7fELF/lib64/ld-linux-x86-64.so.2\0'
  const musl = '\x7fELF/lib/ld-musl-x86_64.so.1\0'

  test('the one for the C library of Node comes first', { timeout: 60_000 }, t => {
    assert.equal(found(t, ['gnu', 'musl'], glibc), 'gnu')
    assert.equal(found(t, ['gnu', 'musl'], musl), 'musl')
    assert.equal(found(t, ['musl'], glibc), 'musl')
  })

  test('without either the error names the one to install', { timeout: 60_000 }, t => {
    assert.match(found(t, [], musl), /its package omnichannel-link-emulator-linux-\w+-musl is not installed\. .*--omit=optional/)
  })
})
