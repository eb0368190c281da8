'use strict'

// Loads the addon from the root of a checkout or a tarball, or else from the package for its platform.

const { platform, arch, execPath } = system()

/**
 * How each platform loads its addon. Bundlers and tracing tools see only a literal name, and let only a `require` directly inside of a
 * `try` be missing.
 * @type {Record<string, (failed: (error: any) => void) => any>}
 */
const ADDONS = {
  'darwin-arm64'(failed) {
    try {
      return require('../omnichannel-link.darwin-arm64.node')
    } catch (error) {
      failed(error)
    }
    try {
      return require('omnichannel-link-darwin-arm64')
    } catch (error) {
      failed(error)
    }
  },
  'darwin-x64'(failed) {
    try {
      return require('../omnichannel-link.darwin-x64.node')
    } catch (error) {
      failed(error)
    }
    try {
      return require('omnichannel-link-darwin-x64')
    } catch (error) {
      failed(error)
    }
  },
  'linux-arm64-gnu'(failed) {
    try {
      return require('../omnichannel-link.linux-arm64-gnu.node')
    } catch (error) {
      failed(error)
    }
    try {
      return require('omnichannel-link-linux-arm64-gnu')
    } catch (error) {
      failed(error)
    }
  },
  'linux-arm64-musl'(failed) {
    try {
      return require('../omnichannel-link.linux-arm64-musl.node')
    } catch (error) {
      failed(error)
    }
    try {
      return require('omnichannel-link-linux-arm64-musl')
    } catch (error) {
      failed(error)
    }
  },
  'linux-x64-gnu'(failed) {
    try {
      return require('../omnichannel-link.linux-x64-gnu.node')
    } catch (error) {
      failed(error)
    }
    try {
      return require('omnichannel-link-linux-x64-gnu')
    } catch (error) {
      failed(error)
    }
  },
  'linux-x64-musl'(failed) {
    try {
      return require('../omnichannel-link.linux-x64-musl.node')
    } catch (error) {
      failed(error)
    }
    try {
      return require('omnichannel-link-linux-x64-musl')
    } catch (error) {
      failed(error)
    }
  },
  'win32-arm64-msvc'(failed) {
    try {
      return require('../omnichannel-link.win32-arm64-msvc.node')
    } catch (error) {
      failed(error)
    }
    try {
      return require('omnichannel-link-win32-arm64-msvc')
    } catch (error) {
      failed(error)
    }
  },
  'win32-x64-msvc'(failed) {
    try {
      return require('../omnichannel-link.win32-x64-msvc.node')
    } catch (error) {
      failed(error)
    }
    try {
      return require('omnichannel-link-win32-x64-msvc')
    } catch (error) {
      failed(error)
    }
  }
}

/** Error codes of a failed `require` in a bundle, besides MODULE_NOT_FOUND: Bun's, that of a single executable, and none. */
const BUNDLE_CODES = new Set(['ERR_MODULE_NOT_FOUND', 'ERR_UNKNOWN_BUILTIN_MODULE', undefined])

/** Node's `process`. A page-like environment has no global one, and a bundle may not be able to require it. */
function system() {
  try {
    return require('node:process')
  } catch {
    return process
  }
}

/** Names of this platform's addons, the one for the C library of this program first. Yarn 1 installs those for both libraries. */
function targets() {
  if (platform === 'win32') return [`win32-${arch}-msvc`]
  if (platform !== 'linux') return [`${platform}-${arch}`]
  const [first, second] = isMusl() ? ['musl', 'gnu'] : ['gnu', 'musl']
  return [`linux-${arch}-${first}`, `linux-${arch}-${second}`]
}

/** Whether this program is linked with musl: the head of its file names the dynamic linker. */
function isMusl() {
  try {
    const { closeSync, openSync, readSync } = require('node:fs')
    const head = Buffer.alloc(4096)
    const file = openSync(execPath, 'r')
    readSync(file, head, 0, head.length, 0)
    closeSync(file)
    return head.includes('/ld-musl-')
  } catch {
    return false
  }
}

/** Loads the first addon that can be loaded. Otherwise the error of the one that is meant for this program counts. */
function load() {
  const [target, other] = targets()
  if (!ADDONS[target]) throw new Error(unsupported())
  const failures = []
  const addon = ADDONS[target](error => failures.push(error)) ?? ADDONS[other]?.(() => {})
  if (addon) return addon
  const broken = failures.find(error => !isMissing(error))
  if (broken) throw broken
  throw new Error(isBundled() ? bundled(target) : missing(target), { cause: failures.at(-1) })
}

const isMissing = ({ code }) => code === 'MODULE_NOT_FOUND' || (BUNDLE_CODES.has(code) && isBundled())

/** Whether a bundler has put this code into another file, without the addon. Its code throws only in a bundle. */
function isBundled() {
  try {
    const { readFileSync } = require('node:fs')
    const manifest = require('node:path').join(__dirname, '..', 'package.json')
    return JSON.parse(readFileSync(manifest, 'utf8')).name !== 'omnichannel-link'
  } catch {
    return true
  }
}

const unsupported = () => `omnichannel-link has no addon for ${platform}-${arch}, only for ${Object.keys(ADDONS).join(', ')}.`

const missing = target =>
  `omnichannel-link has no addon here: its package omnichannel-link-${target} is not installed. Install omnichannel-link again on the platform ` +
  'that runs the program, without --omit=optional. If a lock file of another platform leaves the package out, delete that file and ' +
  'node_modules first. In a checkout, `npm run build` builds the addon. A bundled program must keep omnichannel-link outside of its bundle.'

const bundled = target =>
  `omnichannel-link was bundled without its addon, the .node file of the package omnichannel-link-${target}. Keep omnichannel-link outside ` +
  'of the bundle (esbuild: --external:omnichannel-link; webpack: externals; Rollup and Vite: external), and install it beside the program; ' +
  'or let the bundler copy the file (esbuild: --loader:.node=copy).'

module.exports = load()
