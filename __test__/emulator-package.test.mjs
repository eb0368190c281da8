// The emulator's package as it is published: its licence.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { folder } from './support/afterwards.mjs'
import { install } from './support/packed.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const source = join(root, 'emulator')
const read = (...path) => readFileSync(join(...path), 'utf8')

test('it brings the licence', t => {
  const place = folder(t)
  install(place, source)
  assert.equal(read(place, 'node_modules', 'omnichannel-link-emulator', 'LICENSE'), read(root, 'LICENSE'))
})
