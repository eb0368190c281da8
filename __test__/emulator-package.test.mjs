// The published emulator package: its licence, and typings without further requirements.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
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
       // @ts-expect-error There is no such table.
       await emulator.faults.conditions({ alternateKeys: { lead: ['subject'] } })`
    )
    const tsc = join(require.resolve(`${compiler}/package.json`), '..', 'bin', 'tsc')
    const { status, stdout } = spawnSync(process.execPath, [tsc, '--pretty', 'false'], { cwd: place, encoding: 'utf8' })
    assert.deepEqual({ status, stdout }, { status: 0, stdout: '' })
  })
}
