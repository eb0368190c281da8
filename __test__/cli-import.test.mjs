// `import`: files and folders, and the report of each file.
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { folder } from './support/afterwards.mjs'
import { cli } from './support/cli.mjs'
import { data, pages } from './support/sample.mjs'
import { filesOf } from './support/stores.mjs'

const files = pages.map(page => join(data, `${page}.json`))

test('import reports each file, also those before a file that fails', { timeout: 120_000 }, async t => {
  const cwd = folder(t)
  const { stdout } = await cli(t, ['import', ...files], { cwd })
  assert.match(stdout, /accounts\.json: 90 accounts inserted, 0 updated\n[^]*2 links point to missing records\n$/)
  assert.ok(filesOf(cwd).includes('omnichannel-link.db'))
  const partly = await cli(t, ['import', files[0], join(cwd, 'missing.json'), '--json'], { cwd })
  assert.equal(partly.code, 2)
  assert.deepEqual(
    JSON.parse(partly.stdout).imports.map(({ entitySet, updated }) => [entitySet, updated]),
    [['accounts', 90]]
  )
  assert.equal(JSON.parse(partly.stderr).error.code, 'INVALID_ARGUMENT')
})

test('import takes the JSON files of a folder, by name', { timeout: 120_000 }, async t => {
  const cwd = folder(t)
  mkdirSync(join(cwd, 'exported'))
  for (const name of ['b.JSON', 'a.json', 'notes.txt']) writeFileSync(join(cwd, 'exported', name), readFileSync(files[0]))
  mkdirSync(join(cwd, 'empty'))
  const { stdout } = await cli(t, ['import', 'exported/', files[1]], { cwd })
  const [first, second, third, ...rest] = stdout.split('\n')
  assert.equal(first, 'exported/a.json: 90 accounts inserted, 0 updated')
  assert.equal(second, 'exported/b.JSON: 0 accounts inserted, 90 updated')
  assert.match(third, /contacts\.json: 140 contacts inserted/)
  assert.deepEqual(rest, [''])
  const { code, stderr } = await cli(t, ['import', 'exported', 'empty', '--db', 'other.db'], { cwd })
  assert.equal(code, 2)
  assert.match(stderr, /^INVALID_ARGUMENT <file>: the folder 'empty' has no \.json file\.\n/)
  assert.ok(!filesOf(cwd).includes('other.db'))
})
