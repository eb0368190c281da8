// Which addon is loaded, and the errors without one: in an installed package, and in bundles of the form of esbuild and webpack.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
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
      /Error: omnichannel-link was bundled without its addon, .* Keep omnichannel-link outside of the bundle \(esbuild: --external:omnichannel-link; /
    )
  })
}

/** The loader in a folder of its own, with these files beside it: addons of targets, or packages. Runs it after some other code. */
function load(t, files, code = '') {
  const place = folder(t)
  const write = (path, content) => {
    mkdirSync(dirname(join(place, path)), { recursive: true })
    writeFileSync(join(place, path), content)
  }
  write('package.json', '{ "name": "omnichannel-link" }')
  write('lib/binding.js', source)
  for (const [path, content] of Object.entries(files)) write(path, content)
  const program = `${code}; console.log(Object.keys(require('./lib/binding.js')).join())`
  return spawnSync(process.execPath, ['--eval', program], { cwd: place, encoding: 'utf8' })
}

const { platform, arch } = process
const target = `${platform}-${arch}${{ linux: '-gnu', win32: '-msvc' }[platform] ?? ''}`

test('without the addon the error names the package and how to get it', { timeout: 60_000 }, t => {
  const { stderr } = load(t, {})
  assert.match(stderr, new RegExp(`Error: omnichannel-link has no addon here: its package omnichannel-link-${target} is not installed\\.`))
  for (const word of ['--omit=optional', 'lock file', '`npm run build`', 'bundle']) assert.ok(stderr.includes(word), word)
})

test('on a platform without an addon the error names those that have one', { timeout: 60_000 }, t => {
  const { stderr } = load(t, {}, `Object.defineProperty(process, 'arch', { value: 'mips' })`)
  assert.match(stderr, /Error: omnichannel-link has no addon for \w+-mips, only for darwin-arm64, .*, win32-x64-msvc\./)
})

test('the addon of the package is found', { timeout: 60_000 }, t => {
  const place = `node_modules/omnichannel-link-${target}`
  const { stdout, stderr } = load(t, { [`${place}/index.js`]: 'exports.addon = 1' })
  assert.equal(stdout, 'addon\n', stderr)
})

test('the error of an addon that does not load is passed on', { timeout: 60_000 }, t => {
  assert.match(load(t, { [`omnichannel-link.${target}.node`]: 'no library' }).stderr, /ERR_DLOPEN_FAILED/)
})

describe('on Linux, where both C libraries may have their addon', { skip: platform !== 'linux' }, () => {
  const [gnu, musl] = ['gnu', 'musl'].map(libc => `node_modules/omnichannel-link-linux-${arch}-${libc}/index.js`)
  const both = { [gnu]: 'exports.gnu = 1', [musl]: 'exports.musl = 1' }
  // Such a program's file begins like this.
  const onMusl = `process.execPath = './node'`
  const node = `\x7fELF/lib/ld-musl-${arch}.so.1\0`

  test('the one of the running program comes first', { timeout: 60_000 }, t => {
    assert.equal(load(t, both).stdout, 'gnu\n')
    assert.equal(load(t, { ...both, node }, onMusl).stdout, 'musl\n')
    assert.equal(load(t, both, `process.execPath = 'missing'`).stdout, 'gnu\n')
  })

  test('one that does not load is not the end', { timeout: 60_000 }, t => {
    assert.equal(load(t, { ...both, [gnu]: `throw Error('broken')` }).stdout, 'musl\n')
    assert.equal(load(t, { ...both, node, [musl]: `throw Error('broken')` }, onMusl).stdout, 'gnu\n')
  })

  test('if neither loads, the error is about the one of the running program', { timeout: 60_000 }, t => {
    const broken = { [gnu]: `throw Error('wrong glibc')`, [musl]: `throw Error('wrong musl')` }
    assert.match(load(t, broken).stderr, /Error: wrong glibc/)
    assert.match(load(t, { ...broken, node }, onMusl).stderr, /Error: wrong musl/)
    assert.match(load(t, { [musl]: broken[musl] }).stderr, /its package omnichannel-link-linux-\w+-gnu is not installed/)
  })
})
