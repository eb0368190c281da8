'use strict'

// Loads the addon from the root of a checkout or a tarball, or from the package for its platform.

const { platform, arch } = system()
const libcs = { __proto__: null, linux: ['-gnu', '-musl'], win32: ['-msvc'] }[platform] ?? ['']

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

/** Loads the first addon that exists. An addon that exists but does not load is an error. */
function load() {
  for (const libc of libcs) {
    const target = `${platform}-${arch}${libc}`
    for (const name of [`../omnichannel-link.${target}.node`, `omnichannel-link-${target}`]) {
      try {
        return require(name)
      } catch (error) {
        if (error.code !== 'MODULE_NOT_FOUND' && !(BUNDLE_CODES.has(error.code) && isBundled())) throw error
      }
    }
  }
  throw new Error(isBundled() ? bundled() : missing())
}

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

const missing = () =>
  `omnichannel-link has no addon for ${platform}-${arch}. In a checkout \`npm run build\` makes it; otherwise reinstall ` +
  'without --omit=optional, on the platform that runs the program. A bundled program must keep the package outside of its bundle.'

const bundled = () =>
  `omnichannel-link was bundled without its addon, a .node file for ${platform}-${arch}, which a bundler cannot include. ` +
  'Keep the package outside of the bundle (esbuild: --external:omnichannel-link; webpack: externals; Rollup and Vite: external), and ' +
  'install it beside the program.'

module.exports = load()
