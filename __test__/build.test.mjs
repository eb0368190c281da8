// scripts/build.mjs, with programs in the places of cargo and rustc that build nothing.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { folder } from './support/afterwards.mjs'

const scripts = fileURLToPath(new URL('../scripts', import.meta.url))
const withShebang = { skip: process.platform === 'win32', timeout: 60_000 }

const CARGO = `#!/usr/bin/env node
const { writeFileSync } = require('node:fs')
writeFileSync('asked', process.argv.slice(2).join(' '))
writeFileSync('library.so', 'addon')
writeFileSync('program', 'emulator')
const artifact = (kind, name, rest) => console.log(JSON.stringify({ reason: 'compiler-artifact', target: { kind: [kind], name }, ...rest }))
artifact('cdylib', 'omnichannel_link', { filenames: ['library.so'] })
artifact('bin', 'omnichannel-link-emulator', { executable: 'program' })
`

/** Builds in a checkout of nothing but the scripts; on a machine with Rust for musl, if so. */
function build(t, args, isMusl = false) {
  const place = folder(t)
  cpSync(scripts, join(place, 'scripts'), { recursive: true })
  mkdirSync(join(place, 'bin'))
  writeFileSync(join(place, 'bin/cargo'), CARGO, { mode: 0o755 })
  writeFileSync(join(place, 'bin/rustc'), `#!/bin/sh\necho host: x86_64-unknown-linux-${isMusl ? 'musl' : 'gnu'}\n`, { mode: 0o755 })
  const env = { ...process.env, PATH: join(place, 'bin') + delimiter + process.env.PATH }
  const { status, stderr } = spawnSync(process.execPath, ['scripts/build.mjs', ...args], { cwd: place, env, encoding: 'utf8' })
  const asked = existsSync(join(place, 'asked')) ? readFileSync(join(place, 'asked'), 'utf8') : undefined
  const files = readdirSync(place, { recursive: true }).filter(file => /\.node$|omnichannel-link-emulator/.test(file))
  return { status, stderr, asked, files: files.sort() }
}

const { platform, arch } = process

test('without a target the addon and the emulator come to where a checkout has them', withShebang, t => {
  for (const isMusl of [false, true]) {
    const { asked, files, stderr } = build(t, [], isMusl)
    const libc = platform === 'linux' ? `-${isMusl ? 'musl' : 'gnu'}` : ''
    assert.deepEqual(files, ['emulator/bin/omnichannel-link-emulator', `omnichannel-link.${platform}-${arch}${libc}.node`], stderr)
    assert.match(asked, /^build --locked .* --release$/)
  }
  assert.doesNotMatch(build(t, ['--debug']).asked, /release/)
})

test('a target is built into artifacts, under its name', withShebang, t => {
  for (const name of ['linux-arm64-musl', 'aarch64-unknown-linux-musl']) {
    const { asked, files } = build(t, ['--target', name])
    assert.match(asked, /^build .* --target aarch64-unknown-linux-musl --release$/)
    assert.deepEqual(files, ['artifacts/omnichannel-link-emulator.linux-arm64-musl', 'artifacts/omnichannel-link.linux-arm64-musl.node'])
  }
  const windows = build(t, ['--target', 'win32-x64-msvc'])
  assert.deepEqual(windows.files, [
    'artifacts/omnichannel-link-emulator.win32-x64-msvc.exe',
    'artifacts/omnichannel-link.win32-x64-msvc.node'
  ])
})

test('with zig, programs for glibc run with an old one', withShebang, t => {
  assert.match(build(t, ['--zig', '--target', 'linux-x64-gnu']).asked, /^zigbuild .* --target x86_64-unknown-linux-gnu\.2\.17 /)
  assert.match(build(t, ['--zig', '--target', 'linux-x64-musl']).asked, /^zigbuild .* --target x86_64-unknown-linux-musl /)
})

test('an unknown target is rejected', withShebang, t => {
  const { status, asked, stderr } = build(t, ['--target', 'linux-x64'])
  assert.deepEqual([status, asked], [1, undefined])
  assert.match(stderr, /unknown target linux-x64; known are darwin-arm64, /)
})
