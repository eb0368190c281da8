// The scripts of .github/workflows/release.yml, with a program in the place of npm.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { plan } from '../scripts/release-plan.mjs'
import { TRIPLES, addonOf, emulatorOf } from '../scripts/targets.mjs'
import { folder } from './support/afterwards.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const withShebang = { skip: process.platform === 'win32', timeout: 60_000 }

/** Knows the packages in PUBLISHED, and publishes those that are not named in REFUSED. */
const NPM = `#!/usr/bin/env node
const { appendFileSync, readFileSync } = require('node:fs')
const [command, what] = process.argv.slice(2)
const { PUBLISHED = '', REFUSED = '', LOG } = process.env
if (command === 'view') {
  const [name, version] = what.split('@')
  if (PUBLISHED.split(' ').includes(name)) console.log(version)
} else {
  const { name } = JSON.parse(readFileSync(what + '/package.json', 'utf8'))
  appendFileSync(LOG, name + ' ')
  if (REFUSED === name) process.exit(1)
}
`

/** Publishes a main package, and its packages for two platforms. */
function publish(t, { repository = 'https://example.com/omnichannel-link', ...env } = {}) {
  const place = folder(t)
  cpSync(join(root, 'scripts/publish.mjs'), join(place, 'scripts/publish.mjs'))
  const add = manifest => {
    mkdirSync(join(place, 'dist', manifest.name), { recursive: true })
    writeFileSync(join(place, 'dist', manifest.name, 'package.json'), JSON.stringify({ version: '1.2.3', ...manifest }))
  }
  add({ name: 'link', repository })
  add({ name: 'link-a', os: ['linux'] })
  add({ name: 'link-z', os: ['darwin'] })
  mkdirSync(join(place, 'bin'))
  writeFileSync(join(place, 'bin/npm'), NPM, { mode: 0o755 })
  const log = join(place, 'log')
  writeFileSync(log, '')
  const { status, stderr } = spawnSync(process.execPath, [join(place, 'scripts/publish.mjs')], {
    env: { ...process.env, PATH: join(place, 'bin') + delimiter + process.env.PATH, LOG: log, ...env },
    encoding: 'utf8'
  })
  return { status, stderr, published: readFileSync(log, 'utf8').trim() }
}

test('a package is published after those that it installs', withShebang, t => {
  assert.deepEqual(publish(t), { status: 0, stderr: '', published: 'link-a link-z link' })
})

test('a failure stops it, and a second run leaves out what is published', withShebang, t => {
  const { status, stderr, published } = publish(t, { REFUSED: 'link-z' })
  assert.deepEqual([status, published], [1, 'link-a link-z'])
  assert.match(stderr, /link-z 1\.2\.3 failed/)
  assert.equal(publish(t, { PUBLISHED: 'link-a' }).published, 'link-z link')
})

test('nothing is published without a repository for the provenance', withShebang, t => {
  const { status, stderr, published } = publish(t, { repository: '' })
  assert.deepEqual([status, published], [1, ''])
  assert.match(stderr, /repository/)
})

test('a release builds and tests every target', () => {
  const { build, test } = plan()
  for (const jobs of [build, test]) {
    assert.deepEqual([...new Set(jobs.map(({ target }) => target))].toSorted(), Object.keys(TRIPLES))
    assert.ok(jobs.every(({ runner }) => runner))
  }
})

test('a tag that is not the version is refused', () => {
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts/release-plan.mjs'), 'v0.0.0'], { encoding: 'utf8' })
  assert.equal(status, 1)
  assert.match(stderr, /the tag is v0\.0\.0/)
})

test('a build from another machine comes to where a checkout has it', t => {
  const place = folder(t)
  for (const script of ['use-build.mjs', 'targets.mjs']) cpSync(join(root, 'scripts', script), join(place, 'scripts', script))
  const target = 'linux-x64-musl'
  mkdirSync(join(place, 'artifacts'))
  writeFileSync(join(place, 'artifacts', addonOf(target)), 'addon')
  writeFileSync(join(place, 'artifacts', emulatorOf(target, true)), 'emulator')
  assert.equal(spawnSync(process.execPath, [join(place, 'scripts/use-build.mjs'), target]).status, 0)
  assert.equal(readFileSync(join(place, addonOf(target)), 'utf8'), 'addon')
  assert.equal(readFileSync(join(place, 'emulator/bin', emulatorOf(target)), 'utf8'), 'emulator')
})
