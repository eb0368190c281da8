// Errors of a bundled program that lacks the addon. The bundles have the form of esbuild and webpack.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { folder } from './support/afterwards.mjs'

const source = readFileSync(new URL('../lib/binding.js', import.meta.url), 'utf8')

const bundles = {
  CommonJS: ['out.cjs', source],
  'CommonJS, in a file of the same name': ['binding.js', source],
  'a module whose `require` only throws': [
    'out.mjs',
    `const require = x => { throw Error('Dynamic require of "' + x + '" is not supported') }, module = {};\n${source}`
  ],
  'a module with a `require` of its own': [
    'out.mjs',
    `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url), module = {};\n${source}`
  ],
  'a single executable, which requires nothing but what is built in': [
    'out.cjs',
    `{ const require = x => { throw Object.assign(Error('No such built-in module: ' + x), { code: 'ERR_UNKNOWN_BUILTIN_MODULE' }) };\n${source.replace("'use strict'", '')} }`
  ],
  'webpack, with names that it makes up': [
    'out.cjs',
    `{ const __dirname = '/', __filename = '/index.js';\n${source.replace("'use strict'", '')} }`
  ]
}

for (const [what, [name, code]] of Object.entries(bundles)) {
  test(`a bundle without the addon gets an error with a hint: ${what}`, { timeout: 60_000 }, t => {
    const place = folder(t)
    writeFileSync(join(place, name), code)
    writeFileSync(join(place, 'package.json'), '{ "name": "program" }')
    const { status, stderr } = spawnSync(process.execPath, [name], { cwd: place, encoding: 'utf8' })
    assert.equal(status, 1)
    assert.match(
      stderr,
      /Error: omnichannel-link was bundled without its addon, .* Keep the package outside of the bundle \(esbuild: --external:omnichannel-link; /
    )
  })
}

test('without the addon the error asks to build or install it', { timeout: 60_000 }, t => {
  const place = folder(t)
  mkdirSync(join(place, 'lib'))
  writeFileSync(join(place, 'lib', 'binding.js'), source)
  writeFileSync(join(place, 'package.json'), '{ "name": "omnichannel-link" }')
  const { stderr } = spawnSync(process.execPath, ['lib/binding.js'], { cwd: place, encoding: 'utf8' })
  assert.match(stderr, /Error: omnichannel-link has no addon for .*`npm run build`/)
})

test('the error of an addon that does not load is passed on', { timeout: 60_000 }, t => {
  const place = folder(t)
  const { platform, arch } = process
  const libc = { linux: '-gnu', win32: '-msvc' }[platform] ?? ''
  mkdirSync(join(place, 'lib'))
  writeFileSync(join(place, 'lib', 'out.cjs'), source)
  writeFileSync(join(place, `omnichannel-link.${platform}-${arch}${libc}.node`), 'no library')
  const { stderr } = spawnSync(process.execPath, ['lib/out.cjs'], { cwd: place, encoding: 'utf8' })
  assert.match(stderr, /ERR_DLOPEN_FAILED/)
})
