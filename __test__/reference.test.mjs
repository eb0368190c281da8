// docs/api: the reference that TypeDoc makes of the typings. `UPDATE_DOCS=1` writes it; otherwise it must be up to date. TypeDoc's warnings
// are errors (typedoc.json), so every public item is documented and no link leads nowhere.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { folder } from './support/afterwards.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const reference = join(root, 'docs', 'api')

/** The files of a folder, by their paths in it. */
const files = directory =>
  Object.fromEntries(readdirSync(directory, { recursive: true }).filter(path => statSync(join(directory, path)).isFile()).toSorted()
    .map(path => [path, readFileSync(join(directory, path), 'utf8')]))

test('the reference says what the typings say', { timeout: 120_000 }, t => {
  const out = process.env.UPDATE_DOCS ? reference : folder(t)
  execFileSync(process.execPath, ['node_modules/typedoc/bin/typedoc', '--logLevel', 'Warn', '--out', out], { cwd: root })
  assert.deepEqual(files(out), files(reference))
})
