// Publishes the packages in dist/, those of the platforms first: a package must never be there before those that it installs. Stops at the
// first failure; a second run leaves out what is published already.
//
//   node scripts/publish.mjs [--dry-run]
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const dist = fileURLToPath(new URL('../dist', import.meta.url))
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'

function manifest(name) {
  return JSON.parse(readFileSync(join(dist, name, 'package.json'), 'utf8'))
}

const isPublished = ({ name, version }) =>
  spawnSync(npm, ['view', `${name}@${version}`, 'version'], { encoding: 'utf8' }).stdout.trim() === version

const packages = readdirSync(dist).map(manifest)
const [platforms, parents] = [packages.filter(({ os }) => os), packages.filter(({ os }) => !os)]
if (!parents.every(({ repository }) => repository)) {
  console.error('publish: package.json needs a `repository`, because the provenance of a package names it')
  process.exit(1)
}
for (const pkg of [...platforms, ...parents]) {
  const what = `${pkg.name} ${pkg.version}`
  if (isPublished(pkg)) {
    console.log(`${what}: published already`)
    continue
  }
  const args = ['publish', join(dist, pkg.name), '--access', 'public', '--provenance', ...process.argv.slice(2)]
  if (spawnSync(npm, args, { stdio: 'inherit' }).status !== 0) {
    console.error(`publish: ${what} failed, and those after it were not published`)
    process.exit(1)
  }
  console.log(`${what}: published`)
}
