// Installs the packages of this checkout's build with every package manager, in empty folders, from a registry of its own, with a PATH that
// has Node and no compiler. There it links on both stores, runs the command line and starts the emulator. It also bundles the client.
//
//   npm run try-packages
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assemble } from './packages.mjs'
import { here, npm, root, run, tool } from './tools.mjs'

const arch = { x64: 'x64', arm64: 'aarch64' }[process.arch]

const yarn4 = { tool: '@yarnpkg/cli-dist@4.18.1', program: 'bin/yarn.js', install: ['add'], exec: ['run'] }

/**
 * Package managers. `tool` is its own package, or npm itself, which runs this script. `exec` runs a command of an installed package, with
 * the programs `shell` needs besides `sh`. `node` are options of Node for a program beside them.
 */
const MANAGERS = {
  npm: { install: ['install'], exec: ['exec', '--'] },
  'npm --ignore-scripts': { install: ['install', '--ignore-scripts'], exec: ['exec', '--'] },
  pnpm: { tool: 'pnpm@10.34.8', program: 'bin/pnpm.cjs', install: ['add'], exec: ['exec'], shell: ['dirname', 'sed', 'uname'] },
  'Yarn 1': { tool: 'yarn@1.22.22', program: 'bin/yarn.js', install: ['add'], exec: ['run', '--silent'] },
  'Yarn 4': { ...yarn4, linker: 'node-modules' },
  "Yarn 4 with Plug'n'Play": { ...yarn4, linker: 'pnp', node: ['--require', './.pnp.cjs'] },
  Bun: { tool: `@oven/bun-${process.platform}-${arch}@1.4.5`, program: 'bin/bun', install: ['add'], exec: ['x'], isRuntime: true }
}

/** Packs the packages, and serves them as npm's registry does. */
async function serve(packages, place) {
  const files = new Map()
  const server = createServer(({ url }, response) => {
    const file = files.get(decodeURIComponent(url))
    response.writeHead(file ? 200 : 404).end(file ?? '{}')
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const registry = `http://127.0.0.1:${server.address().port}`
  for (const name of readdirSync(packages)) {
    const [{ filename }] = JSON.parse(await run(process.execPath, [npm, 'pack', join(packages, name), '--json'], { cwd: place }))
    const tarball = readFileSync(join(place, filename))
    const path = `/${name}/-/${filename}`
    const manifest = JSON.parse(readFileSync(join(packages, name, 'package.json'), 'utf8'))
    const { version } = manifest
    const dist = { tarball: registry + path, integrity: `sha512-${createHash('sha512').update(tarball).digest('base64')}` }
    const versions = { [version]: { ...manifest, dist } }
    files.set(path, tarball)
    files.set(`/${name}`, JSON.stringify({ name, 'dist-tags': { latest: version }, versions, time: { [version]: '2026-01-01T00:00:00Z' } }))
  }
  return { registry, stop: () => server.close() }
}

/** The command of a package manager; undefined if it cannot be had. */
async function commandOf({ tool: spec, program, isRuntime }) {
  if (!spec) return [process.execPath, npm]
  const file = await tool(spec, program)
  return file && (isRuntime ? [file] : [process.execPath, file])
}

/** Installs the packages in an empty project, and uses them. */
async function install(manager, [program, ...first], registry, place) {
  const bin = join(place, 'bin')
  const cwd = join(place, 'project')
  for (const folder of [bin, cwd]) mkdirSync(folder)
  symlinkSync(process.execPath, join(bin, 'node'))
  for (const name of ['sh', ...(manager.shell ?? [])]) symlinkSync(found(name), join(bin, name))
  writeFileSync(join(cwd, 'package.json'), '{ "name": "project", "private": true }')
  if (manager.linker) {
    const settings = {
      nodeLinker: manager.linker,
      npmRegistryServer: registry,
      unsafeHttpWhitelist: ['127.0.0.1'],
      enableGlobalCache: false
    }
    writeFileSync(join(cwd, '.yarnrc.yml'), JSON.stringify(settings))
    // Otherwise Yarn takes a folder above for the project.
    writeFileSync(join(cwd, 'yarn.lock'), '')
  }
  const caches = { npm_config_cache: join(place, 'cache'), YARN_CACHE_FOLDER: join(place, 'cache'), BUN_INSTALL: place }
  const env = { PATH: bin, HOME: place, npm_config_registry: registry, ...caches }
  const call = (...args) => run(program, [...first, ...args], { cwd, env })
  await call(...manager.install, 'omnichannel-link', 'omnichannel-link-emulator')

  cpSync(join(root, '__test__/support/installed.cjs'), join(cwd, 'installed.cjs'))
  const links = [await run('node', [...(manager.node ?? []), 'installed.cjs'], { cwd, env })]
  if (manager.isRuntime) links.push(await call('run', 'installed.cjs'))
  for (const printed of links) expect(printed, /^replaced replaced\n$/)
  expect(await call(...manager.exec, 'omnichannel-link', '--version'), /^\d+\.\d+\.\d+\S*\n/)
  expect(await call(...manager.exec, 'omnichannel-link-emulator', '--stdin-seed'), /"url":"http:/)
}

/** Puts a program with the client and its addon into a bundle, which needs no package afterwards. */
async function bundle(_, [program, ...first], registry, place) {
  const options = { cwd: place }
  cpSync(join(place, '../packages'), join(place, 'node_modules'), { recursive: true })
  writeFileSync(
    join(place, 'program.js'),
    `const { OmnichannelClient } = require('omnichannel-link')
    new OmnichannelClient({ embedded: { path: 'links.db' } }).getConversations().next().then(({ done }) => console.log(done))`
  )
  await run(program, [...first, 'program.js', '--bundle', '--platform=node', '--loader:.node=copy', '--outdir=bundle'], options)
  rmSync(join(place, 'node_modules'), { recursive: true })
  expect(await run('node', ['bundle/program.js'], options), /^true\n$/)
}

/** The file of a program of this machine. */
function found(name) {
  const folders = process.env.PATH.split(':')
  return join(folders.find(folder => existsSync(join(folder, name))) ?? '/bin', name)
}

function expect(printed, pattern) {
  if (!pattern.test(printed)) throw new Error(`expected ${pattern}, got:\n${printed}`)
}

const TRIALS = [
  ...Object.entries(MANAGERS).map(([name, manager]) => ({ name, manager, attempt: install })),
  { name: 'esbuild', manager: { tool: 'esbuild@0.28.2', program: 'bin/esbuild' }, attempt: bundle }
]
if (!npm || !here) throw new Error('Build the checkout, then start this with `npm run try-packages`.')
const place = mkdtempSync(join(tmpdir(), 'omnichannel-try-'))
try {
  const packages = join(place, 'packages')
  assemble({ only: [here], out: packages })
  const { registry, stop } = await serve(packages, place)
  for (const { name, manager, attempt } of TRIALS) {
    const started = performance.now()
    const command = await commandOf(manager)
    const result = command
      ? await attempt(manager, command, registry, mkdtempSync(join(place, 'try-'))).then(
          () => 'works',
          error => `FAILED: ${error.message}`
        )
      : `skipped: ${manager.tool} cannot be installed`
    console.log(
      `${`${name} (${manager.tool ?? 'the one that runs this'})`.padEnd(60)} ${result}, ${((performance.now() - started) / 1000).toFixed(1)} s`
    )
    if (result.startsWith('FAILED')) process.exitCode = 1
  }
  stop()
} finally {
  rmSync(place, { recursive: true, force: true, maxRetries: 10 })
}
