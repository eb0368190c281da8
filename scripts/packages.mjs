// Assembles what is published into dist/: both packages without their binaries, and for each target a package with the addon and one with
// the emulator's binary. It publishes nothing.
//
//   npm run packages                                    all targets, from artifacts/; an error if one is missing
//   npm run packages -- --only linux-x64-gnu[,TARGET…]  these targets, from this checkout's build, for trials: npm refuses to publish them
//
// `--artifacts FOLDER` names another folder.
import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { addonOf, platformOf, emulatorOf, TRIPLES } from './targets.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const MEGABYTE = 1e6
// A release build has about 80 % of this.
const BUDGETS = { addon: 12.5 * MEGABYTE, emulator: 8 * MEGABYTE, scripts: 1.5 * MEGABYTE }
// The glibc of Debian 10, RHEL 8 and Ubuntu 20.04 has it.
const NEWEST_GLIBC = 28
// Properties of package.json that only a checkout needs. A published package runs no script.
const CHECKOUT_ONLY = new Set(['devDependencies', 'prettier', 'scripts', 'workspaces'])
// Files of a checkout's build, which are published in packages of their own.
const BINARIES = new Set(['*.node', 'bin/'])

const read = (...path) => readFileSync(join(root, ...path), 'utf8')

/** Writes the packages to `out` and returns their names. If anything is wrong with them, it throws and leaves none behind. */
export function assemble({
  artifacts,
  only,
  out,
  manifests = [JSON.parse(read('package.json')), JSON.parse(read('emulator/package.json'))]
}) {
  const targets = only ?? Object.keys(TRIPLES)
  const unknown = targets.filter(target => !TRIPLES[target])
  if (unknown.length > 0) throw new Error(`unknown target ${unknown.join(', ')}; known are ${Object.keys(TRIPLES).join(', ')}`)
  const [main, emulator] = manifests
  const binaries = targets.flatMap(target => [
    { target, parent: main, kind: 'addon', what: 'The addon', file: addonOf(target), from: join(artifacts ?? root, addonOf(target)) },
    {
      target,
      parent: emulator,
      kind: 'emulator',
      what: 'The binary',
      file: emulatorOf(target),
      from: artifacts ? join(artifacts, emulatorOf(target, true)) : join(root, 'emulator', 'bin', emulatorOf(target))
    }
  ])
  const problems = [...versions(manifests), ...binaries.flatMap(binary => defects(binary, main.version, only))]
  rmSync(out, { recursive: true, force: true })
  if (problems.length === 0) {
    const isTrial = only ? true : undefined
    for (const binary of binaries) platformPackage(out, binary, isTrial)
    scriptPackage(out, root, main, targets, isTrial)
    scriptPackage(out, join(root, 'emulator'), emulator, targets, isTrial)
    const names = readdirSync(out)
    for (const { name } of manifests) problems.push(...overBudget(name, sizeOf(join(out, name)), BUDGETS.scripts))
    if (problems.length === 0) return names
    rmSync(out, { recursive: true })
  }
  throw new Error(problems.join('\n'))
}

function versions([main, emulator]) {
  const crates = /^version = "(.*)"$/m.exec(read('Cargo.toml'))[1]
  if (main.version === emulator.version && main.version === crates) return []
  return [`versions differ: ${main.version} in package.json, ${emulator.version} in emulator/package.json, ${crates} in Cargo.toml`]
}

/** Reasons not to publish a binary. */
function defects({ target, kind, from }, version, isTrial) {
  if (!existsSync(from)) return [`${target} lacks its ${kind}: ${from}`]
  const bytes = readFileSync(from)
  const problems = overBudget(from, bytes.length, BUDGETS[kind])
  const [os, arch, abi] = target.split('-')
  if (platformOf(bytes) !== `${os}-${arch}`) problems.push(`${from} is for ${platformOf(bytes) ?? 'no known platform'}`)
  else if (os === 'linux' && bytes.includes('libc.so.6\0') !== (abi === 'gnu')) problems.push(`${from} is for another C library`)
  const glibc = newestGlibc(bytes)
  // A trial is for this machine.
  if (abi === 'gnu' && glibc > NEWEST_GLIBC && !isTrial) problems.push(`${from} needs glibc 2.${glibc}, newer than 2.${NEWEST_GLIBC}`)
  if (bytes.includes('VCRUNTIME140')) problems.push(`${from} needs VCRUNTIME140.dll, which a bare Windows lacks`)
  // The addon contains its version as the user agent.
  if (kind === 'addon' && !bytes.includes(`omnichannel-link/${version}`)) problems.push(`${from} is not of version ${version}`)
  return problems
}

/** The minor version of the newest glibc 2 that a binary needs; -Infinity if it needs none. */
export function newestGlibc(bytes) {
  return Math.max(...[...bytes.toString('latin1').matchAll(/GLIBC_2\.(\d+)/g)].map(([, minor]) => Number(minor)))
}

function overBudget(what, size, budget) {
  return size > budget ? [`${what} has ${inMegabytes(size)}, over its budget of ${inMegabytes(budget)}`] : []
}

const inMegabytes = size => `${(size / MEGABYTE).toFixed(2)} MB`

function sizeOf(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  return files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0)
}

const nameFor = (parent, target) => `${parent.name}-${target}`

/** A package without code: one binary for one platform. */
function platformPackage(out, { target, parent, kind, what, file, from }, isTrial) {
  const { version, license, engines } = parent
  const [os, cpu, abi] = target.split('-')
  const name = nameFor(parent, target)
  const description = `${what} of ${parent.name} for ${target}`
  write(join(out, name), {
    name,
    version,
    description,
    license,
    type: 'commonjs',
    os: [os],
    cpu: [cpu],
    libc: { gnu: ['glibc'], musl: ['musl'] }[abi],
    main: kind === 'addon' ? file : undefined,
    files: [file],
    engines,
    // Yarn must not leave it in an archive, from which the system can neither load nor start it.
    preferUnplugged: true,
    private: isTrial
  })
  cpSync(from, join(out, name, file))
  chmodSync(join(out, name, file), 0o755)
  writeFileSync(join(out, name, 'README.md'), `# ${name}\n\n${description}. Install ${parent.name}, which depends on it.\n`)
}

/** A package as in the checkout, with packages of the platforms instead of binaries. */
function scriptPackage(out, source, manifest, targets, isTrial) {
  const files = manifest.files.filter(file => !BINARIES.has(file))
  const optionalDependencies = Object.fromEntries(targets.map(target => [nameFor(manifest, target), manifest.version]))
  const kept = Object.entries(manifest).filter(([key]) => !CHECKOUT_ONLY.has(key))
  const folder = join(out, manifest.name)
  write(folder, { ...Object.fromEntries(kept), files, optionalDependencies, private: isTrial })
  for (const file of ['README.md', ...files]) cpSync(join(source, file), join(folder, file), { recursive: true })
}

function write(folder, manifest) {
  mkdirSync(folder, { recursive: true })
  cpSync(join(root, 'LICENSE'), join(folder, 'LICENSE'))
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`)
}

/** Runs a tool of the checkout. */
function run(tool, ...args) {
  const { status } = spawnSync(process.execPath, [join(root, 'node_modules', tool), ...args], { cwd: root, stdio: 'inherit' })
  if (status !== 0) throw new Error(`${tool} found errors`)
}

/** Fails if npm, Node or TypeScript would read a package differently than it says. */
async function check(folder) {
  const { publint } = await import('publint')
  const { formatMessage } = await import('publint/utils')
  const pkg = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const { messages } = await publint({ pkgDir: folder, strict: true })
  if (messages.length > 0) throw new Error(messages.map(message => `${pkg.name}: ${formatMessage(message, pkg)}`).join('\n'))
  if (pkg.types) run('@arethetypeswrong/cli/dist/index.js', '--quiet', '--pack', folder)
}

async function main(out) {
  const { values } = parseArgs({ options: { artifacts: { type: 'string' }, only: { type: 'string' } } })
  const only = values.only?.split(',')
  const artifacts = values.artifacts ?? (only ? undefined : join(root, 'artifacts'))
  run('typedoc/bin/typedoc', '--options', 'scripts/typedoc.json', '--logLevel', 'Warn')
  for (const name of assemble({ artifacts, only, out })) {
    const folder = join(out, name)
    console.log(`${inMegabytes(sizeOf(folder)).padStart(9)}  ${name}`)
    await check(folder)
  }
  if (only) console.log(`For trials: dist/ has packages for ${only.join(', ')} only, and npm refuses to publish them.`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const out = join(root, 'dist')
  try {
    await main(out)
  } catch (error) {
    rmSync(out, { recursive: true, force: true })
    console.error(`packages: ${error.message}`)
    process.exitCode = 1
  }
}
