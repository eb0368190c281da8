// Projects that use the published packages: compiled by every supported TypeScript and run by Node.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { install } from './support/packed.mjs'
import { conversation, incident } from './support/sample.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const programs = fileURLToPath(new URL('consumers/', import.meta.url))
const require = createRequire(import.meta.url)
const compilers = ['typescript', 'typescript-7'].map(name => {
  const manifest = require.resolve(`${name}/package.json`)
  return { version: JSON.parse(readFileSync(manifest, 'utf8')).version, tsc: join(manifest, '..', 'bin', 'tsc') }
})
const kinds = [
  // In TypeScript 5.9 this mode ignores `exports`.
  ['commonjs', { module: 'commonjs' }],
  ['commonjs', { module: 'node16' }],
  ['commonjs', { module: 'nodenext' }],
  ['module', { module: 'node16' }],
  ['module', { module: 'nodenext' }],
  ['module', { module: 'esnext', moduleResolution: 'bundler' }]
]
// A page has no Node, a service has no DOM, and a library may have neither.
const surroundings = [
  [['es2020'], []],
  [['es2022'], []],
  [['es2022', 'dom'], []],
  [['es2022'], ['node']]
]
const options = {
  target: 'es2022',
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noEmit: true,
  skipLibCheck: false,
  types: ['node']
}
const documents = [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter(name => name.endsWith('.md'))
    .map(name => `docs/${name}`)
]
/** Complete modules from README and guides, by name. */
const blocks = documents
  .flatMap(path =>
    [...readFileSync(join(root, path), 'utf8').matchAll(/```[jt]s\n(.*?)```/gs)].map(([, code], index) => [
      `${basename(path, '.md')}-${index}.ts`,
      code
    ])
  )
  .filter(([, code]) => code.includes('import ') && !code.includes('require('))
/** A JavaScript function's parameters have no types. */
const untyped = /error TS70(?:06|31): (?:Parameter|Binding element) /
let folder
let count = 0

before(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'omnichannel-consumers-')))
  install(folder)
  install(folder, join(root, 'emulator'))
})

after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }))

/** A project with the installed packages and these programs, with or without Node's types. */
function project(type, compilerOptions = {}, files = readdirSync(programs)) {
  const place = join(folder, `${type}-${count++}`)
  for (const file of files) cpSync(join(programs, file), join(place, file))
  const { types } = { ...options, ...compilerOptions }
  for (const name of types) {
    mkdirSync(join(place, 'node_modules', '@types'), { recursive: true })
    symlinkSync(join(require.resolve(`@types/${name}/package.json`), '..'), join(place, 'node_modules', '@types', name), 'junction')
  }
  // A bundler has no `require`.
  if (compilerOptions.moduleResolution === 'bundler') rmSync(join(place, 'required.cts'))
  writeFileSync(join(place, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type }))
  writeFileSync(join(place, 'tsconfig.json'), JSON.stringify({ compilerOptions: { ...options, ...compilerOptions } }))
  return place
}

/** Runs a program with Node to its end. */
async function run(cwd, ...args) {
  const { DATAVERSE_URL: _, ...env } = process.env
  const child = spawn(process.execPath, args, { cwd, env })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', piece => (text += piece))
  const [code] = await once(child, 'close')
  return { code, text }
}

test('both TypeScript 5.9 and TypeScript 7 are installed', () => {
  assert.deepEqual(
    compilers.map(({ version }) => version.match(/^(5\.9|7)\./)?.[1]),
    ['5.9', '7']
  )
})

for (const { version, tsc } of compilers) {
  describe(`TypeScript ${version}`, { concurrency: true }, () => {
    for (const [type, compilerOptions] of kinds) {
      test(`${type}, ${Object.values(compilerOptions).join(', ')}`, { timeout: 120_000 }, async () => {
        assert.deepEqual(await run(project(type, compilerOptions), tsc), { code: 0, text: '' })
      })
    }

    for (const [lib, types] of surroundings) {
      test(`lib ${lib.join(' and ')}, ${types.length > 0 ? 'and' : 'without'} Node's types`, { timeout: 120_000 }, async () => {
        const place = project('module', { module: 'nodenext', lib, types }, ['desktop.ts', 'errors.ts', 'signals.ts'])
        assert.deepEqual(await run(place, tsc), { code: 0, text: '' })
      })
    }

    test('README and guides', { timeout: 120_000 }, async () => {
      const place = project('module', { module: 'nodenext', exactOptionalPropertyTypes: false }, [])
      for (const [name, code] of blocks) writeFileSync(join(place, name), code)
      symlinkSync(join(root, 'node_modules', 'dynamics-web-api'), join(place, 'node_modules', 'dynamics-web-api'), 'junction')
      const { text } = await run(place, tsc, '--pretty', 'false')
      assert.deepEqual(
        text.split('\n').filter(line => line && !untyped.test(line)),
        []
      )
    })

    test('a switch with a missing or an unknown code does not compile', { timeout: 120_000 }, async () => {
      const place = project('module', { module: 'nodenext' })
      const file = join(place, 'errors.ts')
      const whole = readFileSync(file, 'utf8')
      writeFileSync(file, whole.replace("    case 'OCCUPIED':\n", ''))
      writeFileSync(join(place, 'more.ts'), whole.replace("'OCCUPIED'", "'OCCUPATED'"))
      const { code, text } = await run(place, tsc, '--pretty', 'false')
      assert.notEqual(code, 0)
      assert.match(text, /errors\.ts.*TS1360: Type '"OCCUPIED"' does not satisfy the expected type 'never'/)
      assert.match(text, /more\.ts.*TS2678: Type '"OCCUPATED"' is not comparable/)
    })
  })
}

test('missing typings are noticed', { timeout: 120_000 }, async () => {
  const place = project('module', { module: 'nodenext' })
  const file = join(folder, 'node_modules', 'omnichannel-link', 'types', 'outcomes.d.ts')
  renameSync(file, `${file}.hidden`)
  try {
    const { text } = await run(place, compilers[1].tsc, '--pretty', 'false')
    assert.match(text, /TS2307: Cannot find module '\.\/outcomes'/)
  } finally {
    renameSync(`${file}.hidden`, file)
  }
})

const names = ['omnichannel-link', 'omnichannel-link/electron', 'omnichannel-link-emulator']
const use = `
  async function use({ OmnichannelClient, LinkError }, { startEmulator }, data) {
    const { url, credential, close } = await startEmulator({ seed: data })
    const client = new OmnichannelClient({ dataverse: { url, credential } })
    const { status } = await client.linkToConversation('incident', '${incident.recordId}', '${conversation}')
    const failed = await client.linkToConversation('lead', '', '').catch(error => error instanceof LinkError && error.code)
    await client.close()
    await close()
    return [status, failed]
  }`

test('Node requires and imports the published files with the same names', { timeout: 120_000 }, async () => {
  const place = project('commonjs')
  writeFileSync(
    join(place, 'required.cjs'),
    `${use}
    const { join } = require('node:path')
    const modules = ${JSON.stringify(names)}.map(name => require(name))
    require.resolve('omnichannel-link/preload')
    const data = join(require.resolve('omnichannel-link/package.json'), '../examples/data')
    use(modules[0], modules[2], data).then(did => console.log(JSON.stringify([modules.map(module => Object.keys(module).sort()), did])))`
  )
  writeFileSync(
    join(place, 'imported.mjs'),
    `${use}
    import { fileURLToPath } from 'node:url'
    const modules = []
    for (const name of ${JSON.stringify(names)}) modules.push(await import(name))
    import.meta.resolve('omnichannel-link/preload')
    const data = fileURLToPath(new URL('examples/data', import.meta.resolve('omnichannel-link/package.json')))
    const own = module => Object.keys(module).filter(name => name !== 'default' && name !== 'module.exports').sort()
    console.log(JSON.stringify([modules.map(own), await use(modules[0], modules[2], data)]))`
  )
  const [required, imported] = await Promise.all(['required.cjs', 'imported.mjs'].map(file => run(place, file)))
  assert.equal(required.code, 0, required.text)
  assert.deepEqual(imported, required)
  const [[main], did] = JSON.parse(required.text)
  assert.deepEqual(did, ['linked', 'INVALID_ARGUMENT'])
  assert.ok(main.includes('LinkError') && main.includes('createOmnichannel'), main.join())
})

test('no link in a published document is dead', () => {
  for (const name of ['omnichannel-link', 'omnichannel-link-emulator']) {
    const place = join(folder, 'node_modules', name)
    const dead = readdirSync(place, { recursive: true })
      .filter(file => file.endsWith('.md'))
      .flatMap(file =>
        [...readFileSync(join(place, file), 'utf8').matchAll(/\]\((?!https?:|#)([^)#]+)/g)]
          .map(([, path]) => join(dirname(file), path))
          .filter(path => path.startsWith('..') || !existsSync(join(place, path)))
          .map(path => `${file} -> ${path}`)
      )
    assert.deepEqual(dead, [])
  }
})

test('the published commands run', { timeout: 120_000 }, async () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  assert.deepEqual(await run(folder, 'node_modules/omnichannel-link/cli/index.js', '--version'), { code: 0, text: `${version}\n` })
  const help = await run(folder, 'node_modules/omnichannel-link-emulator/index.js', '--help')
  assert.equal(help.code, 0, help.text)
})
