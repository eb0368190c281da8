'use strict'

// Finds the addon: in the root of a checkout or a tarball, or in the package of its platform.

const { platform, arch } = system()
const libcs = { __proto__: null, linux: ['-gnu', '-musl'], win32: ['-msvc'] }[platform] ?? ['']

/** What else `require` fails with in a bundle: Bun's, and that of a single executable; others only throw, without a code. */
const OF_BUNDLES = new Set(['ERR_MODULE_NOT_FOUND', 'ERR_UNKNOWN_BUILTIN_MODULE', undefined])

/** A page-like environment has no global `process`, and a bundle may not be able to require it. */
function system() {
  try {
    return require('node:process')
  } catch {
    return process
  }
}

/** The first that is there. What is there and does not load is reported as it is. */
function load() {
  for (const libc of libcs) {
    const target = `${platform}-${arch}${libc}`
    for (const name of [`../omnichannel-link.${target}.node`, `omnichannel-link-${target}`]) {
      try {
        return require(name)
      } catch (error) {
        if (error.code !== 'MODULE_NOT_FOUND' && !(OF_BUNDLES.has(error.code) && isBundled())) throw error
      }
    }
  }
  throw new Error(isBundled() ? bundled() : missing())
}

/** Whether a bundler has put this code into another file, to which no addon belongs. What fails here fails in bundles alone. */
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
  'without --omit=optional, on the platform it shall run on. A program that was bundled must keep the package outside of its bundle.'

const bundled = () =>
  `omnichannel-link was bundled without its addon, a .node file for ${platform}-${arch}, which a bundler cannot take in. ` +
  'Keep the package outside of the bundle (esbuild: --external:omnichannel-link; webpack: externals; Rollup and Vite: external), and ' +
  'install it beside the program.'

module.exports = load()
