// The packages that scripts/packages.mjs assembles for npm, and its refusals.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import binding from '../lib/binding.js'
import { assemble } from '../scripts/packages.mjs'
import { addonOf, emulatorOf, TRIPLES } from '../scripts/targets.mjs'
import { folder } from './support/afterwards.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = path => readFileSync(join(root, path), 'utf8')
const targets = Object.keys(TRIPLES)
const manifests = ['package.json', 'emulator/package.json'].map(path => JSON.parse(read(path)))
const [{ version }] = manifests

/** The head of an executable file for a target, then some text. */
function executable(target, text = '') {
  const [os, cpu, abi] = target.split('-')
  const head = Buffer.alloc(128)
  if (os === 'linux') {
    head.write('\x7fELF')
    head.writeUInt16LE({ x64: 0x3e, arm64: 0xb7 }[cpu], 18)
  } else if (os === 'darwin') {
    head.writeUInt32LE(0xfeedfacf)
    head.writeUInt32LE({ x64: 0x1000007, arm64: 0x100000c }[cpu], 4)
  } else {
    head.write('MZ')
    head.writeUInt32LE(64, 0x3c)
    head.writeUInt16LE({ x64: 0x8664, arm64: 0xaa64 }[cpu], 68)
  }
  return Buffer.concat([head, Buffer.from(`${abi === 'gnu' ? 'libc.so.6\0GLIBC_2.17\0GLIBC_2.2.5\0' : ''}${text}`)])
}

/** A folder with artifacts of all targets, and one for the packages. */
function built(t) {
  const place = folder(t)
  const artifacts = join(place, 'artifacts')
  mkdirSync(artifacts)
  for (const target of targets) {
    writeFileSync(join(artifacts, addonOf(target)), executable(target, `omnichannel-link/${version}`))
    writeFileSync(join(artifacts, emulatorOf(target, true)), executable(target))
  }
  return { artifacts, out: join(place, 'dist') }
}

/** Makes a file as large as that. */
const grow = (dir, file, size) => writeFileSync(join(dir, file), Buffer.concat([readFileSync(join(dir, file))], size))

test('two packages without binaries and two for each platform, all of one version', t => {
  const { artifacts, out } = built(t)
  const names = assemble({ artifacts, out })
  assert.deepEqual(names, readdirSync(out))
  assert.equal(names.length, 2 + 2 * targets.length)
  for (const name of names) {
    const pkg = JSON.parse(readFileSync(join(out, name, 'package.json'), 'utf8'))
    assert.deepEqual([pkg.name, pkg.version, pkg.private, pkg.preferUnplugged], [name, version, undefined, true])
    for (const key of ['scripts', 'workspaces', 'devDependencies', 'dependencies']) assert.equal(pkg[key], undefined, key)
    const isMain = manifests.some(manifest => manifest.name === name)
    const expected = isMain ? Object.fromEntries(targets.map(target => [`${name}-${target}`, version])) : undefined
    assert.deepEqual(pkg.optionalDependencies, expected)
    const files = readdirSync(join(out, name), { recursive: true })
    assert.equal(
      files.some(file => /\.node$|\.exe$|(^|\/)omnichannel-link-emulator$/.test(file)),
      !isMain,
      files.join()
    )
    assert.ok(files.includes('LICENSE') && files.includes('README.md'))
  }
})

test('a package for a platform is installed there only', t => {
  const { artifacts, out } = built(t)
  assemble({ artifacts, out })
  const pkg = name => JSON.parse(readFileSync(join(out, name, 'package.json'), 'utf8'))
  const { os, cpu, libc, main } = pkg('omnichannel-link-linux-arm64-musl')
  assert.deepEqual(
    { os, cpu, libc, main },
    { os: ['linux'], cpu: ['arm64'], libc: ['musl'], main: 'omnichannel-link.linux-arm64-musl.node' }
  )
  const windows = pkg('omnichannel-link-emulator-win32-x64-msvc')
  assert.deepEqual(
    [windows.os, windows.cpu, windows.libc, windows.files],
    [['win32'], ['x64'], undefined, ['omnichannel-link-emulator.exe']]
  )
  if (process.platform !== 'win32') {
    const { mode } = statSync(join(out, 'omnichannel-link-emulator-linux-x64-gnu', 'omnichannel-link-emulator'))
    assert.equal(mode & 0o111, 0o111)
  }
})

describe('nothing is assembled', () => {
  const damage = {
    'without an addon': [/^linux-arm64-musl lacks its addon: /, dir => rmSync(join(dir, addonOf('linux-arm64-musl')))],
    'without a binary of the emulator': [
      /^win32-x64-msvc lacks its emulator: /,
      dir => rmSync(join(dir, emulatorOf('win32-x64-msvc', true)))
    ],
    'if a file grew': [/\.node has 13\.00 MB, over its budget of /, dir => grow(dir, addonOf('darwin-x64'), 13e6)],
    'if the emulator grew': [/ has 9\.00 MB, over its budget of /, dir => grow(dir, emulatorOf('darwin-x64', true), 9e6)],
    'with an addon of another version': [
      /linux-x64-gnu\.node is not of version /,
      dir => writeFileSync(join(dir, addonOf('linux-x64-gnu')), executable('linux-x64-gnu', 'omnichannel-link/0.0.9'))
    ],
    'with a file of another platform': [
      /linux-x64-gnu\.node is for darwin-arm64$/,
      dir => cpSync(join(dir, addonOf('darwin-arm64')), join(dir, addonOf('linux-x64-gnu')))
    ],
    'with a file for another C library': [
      /linux-x64-musl\.node is for another C library$/,
      dir => cpSync(join(dir, addonOf('linux-x64-gnu')), join(dir, addonOf('linux-x64-musl')))
    ],
    'with a file that needs a new glibc': [
      /linux-x64-gnu needs glibc 2\.34, newer than 2\.28$/,
      dir => writeFileSync(join(dir, emulatorOf('linux-x64-gnu', true)), executable('linux-x64-gnu', 'GLIBC_2.34'))
    ],
    'with a file that needs the runtime of Visual C++': [
      /\.exe needs VCRUNTIME140\.dll, /,
      dir => writeFileSync(join(dir, emulatorOf('win32-x64-msvc', true)), executable('win32-x64-msvc', 'VCRUNTIME140.dll'))
    ],
    'with a file that is no executable': [
      / is for no known platform$/,
      dir => writeFileSync(join(dir, emulatorOf('linux-x64-gnu', true)), 'Not found'.repeat(100))
    ]
  }
  for (const [what, [message, spoil]] of Object.entries(damage)) {
    test(what, t => {
      const { artifacts, out } = built(t)
      assemble({ artifacts, out })
      spoil(artifacts)
      assert.throws(() => assemble({ artifacts, out }), { message })
      assert.throws(() => readdirSync(out), { code: 'ENOENT' })
    })
  }

  test('if versions differ', t => {
    const [main, emulator] = manifests
    const changed = [main, { ...emulator, version: '0.0.9' }]
    assert.throws(() => assemble({ ...built(t), manifests: changed }), /^Error: versions differ: .*, 0\.0\.9 in emulator\/package\.json/)
  })

  test('for an unknown target', t => {
    assert.throws(() => assemble({ ...built(t), only: ['linux-x64'] }), /unknown target linux-x64; known are darwin-arm64, /)
  })
})

test('the loaders know the same targets', () => {
  const loader = read('lib/binding.js')
  const known = [...loader.matchAll(/require\('(?:\.\.\/omnichannel-link\.(.*)\.node|omnichannel-link-(.*))'\)/g)]
  assert.deepEqual(
    known.map(([, file, name]) => file ?? name),
    targets.flatMap(target => [target, target])
  )
})

const { platform, arch } = process
const here = targets.find(target => target.startsWith(`${platform}-${arch}`) && readdirSync(root).includes(addonOf(target)))

test('the packages of this platform work, and npm refuses to publish them', { timeout: 120_000 }, t => {
  if (!here || binding.Client.buildProfile() === 'debug') return t.skip('needs a release build')
  const place = folder(t)
  const out = join(place, 'node_modules')
  assemble({ only: [here], out })
  const pkg = JSON.parse(readFileSync(join(out, 'omnichannel-link', 'package.json'), 'utf8'))
  assert.deepEqual([pkg.private, pkg.optionalDependencies], [true, { [`omnichannel-link-${here}`]: version }])
  cpSync(new URL('support/installed.cjs', import.meta.url), join(place, 'installed.cjs'))
  const printed = execFileSync(process.execPath, ['installed.cjs'], { cwd: place, encoding: 'utf8' })
  assert.match(printed, /^replaced replaced\n$/)
})
