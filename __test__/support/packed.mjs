// The published files of the package, in a folder or in an Electron archive.
import { copyFileSync, cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Copies the published files of this package, or of the one in `source`, into the `node_modules` of a folder. */
export function install(folder, source = root) {
  const { name, files } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8'))
  const listed = files.flatMap(file => (file === '*.node' ? readdirSync(source).filter(found => found.endsWith('.node')) : file))
  for (const file of ['package.json', 'README.md', ...listed]) {
    const place = join(folder, 'node_modules', name, file)
    mkdirSync(dirname(place), { recursive: true })
    cpSync(join(source, file), place, { recursive: true })
  }
}

/**
 * Packs a folder for Electron: an asar archive, with the addons beside it in `<archive>.unpacked`. The header is two of Chromium's
 * pickles: the size of the second one, and the tree of files as JSON.
 */
export function pack(folder, archive) {
  const contents = []
  let size = 0
  const tree = path => ({
    files: Object.fromEntries(
      readdirSync(join(folder, path), { withFileTypes: true }).map(entry => {
        const inside = join(path, entry.name)
        if (entry.isDirectory()) return [entry.name, tree(inside)]
        const content = readFileSync(join(folder, inside))
        if (entry.name.endsWith('.node')) {
          const beside = join(`${archive}.unpacked`, inside)
          mkdirSync(dirname(beside), { recursive: true })
          copyFileSync(join(folder, inside), beside)
          return [entry.name, { size: content.length, unpacked: true }]
        }
        contents.push(content)
        const offset = String(size)
        size += content.length
        return [entry.name, { size: content.length, offset }]
      })
    )
  })
  const json = Buffer.from(JSON.stringify(tree('')))
  const padding = Buffer.alloc((4 - (json.length % 4)) % 4)
  const payload = 4 + json.length + padding.length
  const head = Buffer.alloc(16)
  for (const [index, number] of [4, payload + 4, payload, json.length].entries()) head.writeUInt32LE(number, index * 4)
  writeFileSync(archive, Buffer.concat([head, json, padding, ...contents]))
}
