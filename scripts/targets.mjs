// The platforms that have packages, as in their names, and what Rust calls them.

export const TRIPLES = {
  'darwin-arm64': 'aarch64-apple-darwin',
  'darwin-x64': 'x86_64-apple-darwin',
  'linux-arm64-gnu': 'aarch64-unknown-linux-gnu',
  'linux-arm64-musl': 'aarch64-unknown-linux-musl',
  'linux-x64-gnu': 'x86_64-unknown-linux-gnu',
  'linux-x64-musl': 'x86_64-unknown-linux-musl',
  'win32-arm64-msvc': 'aarch64-pc-windows-msvc',
  'win32-x64-msvc': 'x86_64-pc-windows-msvc'
}

export const addonOf = target => `omnichannel-link.${target}.node`

/** File of the emulator's binary: with its target in a folder of artifacts, without in a package or a checkout. */
export const emulatorOf = (target, isArtifact) =>
  `omnichannel-link-emulator${isArtifact ? `.${target}` : ''}${target.startsWith('win32') ? '.exe' : ''}`

/** The target that the head of an executable file is for, without its C library, such as linux-x64; undefined for any other file. */
export function platformOf(bytes) {
  if (bytes.length < 64) return undefined
  if (bytes.toString('latin1', 0, 4) === '\x7fELF') return cpu('linux', bytes.readUInt16LE(18), 0x3e, 0xb7)
  if (bytes.readUInt32LE(0) === 0xfeedfacf) return cpu('darwin', bytes.readUInt32LE(4), 0x1000007, 0x100000c)
  const pe = bytes.readUInt32LE(0x3c)
  if (bytes.toString('latin1', 0, 2) !== 'MZ' || pe + 6 > bytes.length) return undefined
  return cpu('win32', bytes.readUInt16LE(pe + 4), 0x8664, 0xaa64)
}

const cpu = (os, machine, x64, arm64) => ({ [x64]: `${os}-x64`, [arm64]: `${os}-arm64` })[machine]
