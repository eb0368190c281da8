'use strict'

// Finds the addon: beside this file, in a checkout or a tarball, or in the package of its platform.

const { platform, arch } = require('node:process')
const libcs = { linux: ['-gnu', '-musl'], win32: ['-msvc'] }[platform] ?? ['']

/** The first that is there. What is there and does not load is reported as it is. */
function load() {
  for (const libc of libcs) {
    const target = `${platform}-${arch}${libc}`
    for (const name of [`./omnichannel-link.${target}.node`, `omnichannel-link-${target}`]) {
      try {
        return require(name)
      } catch (error) {
        if (error.code !== 'MODULE_NOT_FOUND') throw error
      }
    }
  }
  throw new Error(
    `omnichannel-link has no addon for ${platform}-${arch}. In a checkout \`npm run build\` makes it; otherwise reinstall ` +
      'without --omit=optional, on the platform it shall run on.'
  )
}

module.exports = load()
