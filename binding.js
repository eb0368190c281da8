'use strict'

// Finds the addon: beside this file, in a checkout or a tarball, or in the package of its platform.

const { platform, arch } = process
const libcs = { __proto__: null, linux: ['-gnu', '-musl'], win32: ['-msvc'] }[platform] ?? ['']

/** The first that is there. What is there and does not load is reported as it is. */
function load() {
  for (const libc of libcs) {
    const target = `${platform}-${arch}${libc}`
    for (const name of [`./omnichannel-link.${target}.node`, `omnichannel-link-${target}`]) {
      try {
        return require(name)
      } catch (error) {
        // The `require` of a bundle may be a function that only throws, and that without a code.
        if (error.code !== 'MODULE_NOT_FOUND' && (error.code !== undefined || !isBundled())) throw error
      }
    }
  }
  throw new Error(isBundled() ? bundled() : missing())
}

/** Whether a bundler has put this code into another file, beside which no addon is. What fails here fails in bundles alone. */
function isBundled() {
  try {
    const { readFileSync } = require('node:fs')
    const manifest = require('node:path').join(__dirname, 'package.json')
    return JSON.parse(readFileSync(manifest, 'utf8')).name !== 'omnichannel-link'
  } catch {
    return true
  }
}

const missing = () =>
  `omnichannel-link has no addon for ${platform}-${arch}. In a checkout \`npm run build\` makes it; otherwise reinstall ` +
  'without --omit=optional, on the platform it shall run on.'

const bundled = () =>
  `omnichannel-link was bundled without its addon, a .node file for ${platform}-${arch}, which a bundler cannot take in. ` +
  'Keep the package outside of the bundle (esbuild: --external:omnichannel-link; webpack: externals; Rollup and Vite: external), and ' +
  'install it beside the program.'

module.exports = load()
