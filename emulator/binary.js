'use strict'

// Finds the emulator's binary: in bin/ of a checkout or a tarball, or else in the package for its platform.

const { closeSync, existsSync, openSync, readSync } = require('node:fs')
const path = require('node:path')

const { arch, execPath, platform } = process
const FILE = `omnichannel-link-emulator${platform === 'win32' ? '.exe' : ''}`

/** The path of the binary. Throws if it is not installed. */
function findBinary() {
  const [target, other] = targets()
  const found = [path.join(__dirname, 'bin', FILE), installed(target), other && installed(other)].find(file => file && existsSync(file))
  if (found) return found
  throw new Error(
    `The emulator's binary is missing: its package omnichannel-link-emulator-${target} is not installed. Install omnichannel-link-emulator ` +
      'again on the platform that runs it, without --omit=optional. If a lock file of another platform leaves the package out, delete that ' +
      'file and node_modules first. In a checkout, `npm run build` builds the binary. A bundled program must keep omnichannel-link-emulator ' +
      'outside of its bundle.'
  )
}

function installed(target) {
  try {
    return path.join(require.resolve(`omnichannel-link-emulator-${target}/package.json`), '..', FILE)
  } catch {
    return undefined
  }
}

/**
 * Names of this platform's binaries, the one for the C library of Node first. Yarn 1 installs those for both libraries. As in lib/binding.js,
 * with which this package shares no file: each is installed without the other.
 */
function targets() {
  if (platform === 'win32') return [`win32-${arch}-msvc`]
  if (platform !== 'linux') return [`${platform}-${arch}`]
  const [first, second] = isMusl() ? ['musl', 'gnu'] : ['gnu', 'musl']
  return [`linux-${arch}-${first}`, `linux-${arch}-${second}`]
}

/** Whether Node is linked with musl: the head of its file names the dynamic linker. */
function isMusl() {
  try {
    const head = Buffer.alloc(4096)
    const file = openSync(execPath, 'r')
    readSync(file, head, 0, head.length, 0)
    closeSync(file)
    return head.includes('/ld-musl-')
  } catch {
    return false
  }
}

module.exports = { findBinary }
