// The API reference that TypeDoc makes of the typings. Its warnings are errors (scripts/typedoc.json), so this fails if a public item
// lacks a description or a link leads nowhere.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { folder } from './support/afterwards.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))

test('every public item is described, and every link in a description works', { timeout: 120_000 }, t => {
  const out = folder(t)
  const options = ['--options', 'scripts/typedoc.json', '--logLevel', 'Warn', '--out', out]
  execFileSync(process.execPath, ['node_modules/typedoc/bin/typedoc', ...options], { cwd: root })
  assert.deepEqual(readdirSync(out).toSorted(), ['README.md', 'omnichannel-link', 'omnichannel-link-emulator.md', 'omnichannel-link.md'])
})
