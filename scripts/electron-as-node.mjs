#!/usr/bin/env node
// Runs the JavaScript suites in the Node of an Electron: `ELECTRON=$(node scripts/electron.mjs) npm run electron-as-node`. It fails if a test
// fails that is not in EXPECTED, or if one of those passes. Arguments such as `bulk` are suites to run instead of all.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, join } from 'node:path'
import { run } from 'node:test'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'

/** Suites that are not run, because another runtime than this one is what they test, or none. */
const LEFT_OUT = {
  'chromium, console, electron-smoke, electron-windows': 'they start a browser',
  'clients-dataverse-api, clients-dataverse-ify, clients-dynamics-web-api, clients-metadata, clients-powerplatform, clients-python-odata':
    'they test the emulator with clients of others, which never run in Electron',
  'consumers, reference': 'they run TypeScript',
  'docs, examples, readme, recording': 'they test documents',
  probe: 'it starts the program without the environment, so Electron would open a window'
}

/** Tests that cannot pass: inside Electron, where the working directory is arbitrary, a client has no default file. */
const EXPECTED = {
  addon: [
    'sample data is imported, linked and unlinked',
    'the process environment of the caller chooses the store, and a worker has its own'
  ],
  cli: [
    'wrong usage exits with 2 and an explanation, and touches nothing',
    'messages use the names of the command line, not of the library',
    'a failed command creates no file'
  ],
  'cli-import': ['import reports each file, also those before a file that fails', 'import takes the JSON files of a folder, by name'],
  configuration: ['without options the default store is used', 'variables may be inherited, but never come from Object.prototype'],
  'default-client': [
    'the default is an embedded store in the working directory, created by an import',
    'its errors name the file and the store, and state that DATAVERSE_URL is not set',
    'configure() after any use is an error',
    'there is one default client, and all functions use it',
    'an invalid DATAVERSE_URL is named',
    'each worker has its own default client'
  ],
  diagnose: ['the default client can be diagnosed'],
  process: ['an unhandled rejection ends the process as usual', 'the default file is in the working directory, wherever the package is']
}

/** Milliseconds until a suite counts as failed. */
const MOST_MS = 180_000

const suites = fileURLToPath(new URL('../__test__', import.meta.url))
const suffix = '.test.mjs'

const nameOf = ({ file, name }) => `${basename(file ?? name, suffix)}: ${name}`

/**
 * Compiling in the thread that runs the code. If another thread of V8 still compiles at the end of a process, Node 20 sometimes waits for it
 * forever. An import passes this on to all processes, because V8's flags are not allowed in NODE_OPTIONS.
 */
const ONE_THREAD = "data:text/javascript,import{setFlagsFromString}from'node:v8';setFlagsFromString('--no-concurrent-recompilation')"

/** Runs this script in Electron, which then behaves like Node. The processes that it starts inherit that. */
function startElectron() {
  const electron = process.env.ELECTRON
  if (!electron) throw new Error('Set ELECTRON to the path of an Electron: ELECTRON=$(node scripts/electron.mjs)')
  const { status, error } = spawnSync(electron, ['--single-threaded', fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    env: { ...process.env, ELECTRON_RUN_AS_NODE: '1', NODE_OPTIONS: `--import=${ONE_THREAD}` },
    stdio: 'inherit'
  })
  if (error) throw error
  process.exitCode = status ?? 1
}

async function runSuites(given) {
  const leftOut = new Set(Object.keys(LEFT_OUT).flatMap(names => names.split(', ')))
  const names = readdirSync(suites).flatMap(file => (file.endsWith(suffix) ? basename(file, suffix) : []))
  const chosen = given.length > 0 ? given : names.filter(name => !leftOut.has(name))
  const files = chosen.map(name => join(suites, name + suffix))
  const expected = new Set(chosen.flatMap(suite => (EXPECTED[suite] ?? []).map(test => `${suite}: ${test}`)))
  let passed = 0
  const failed = new Map()
  const events = run({ files, concurrency: availableParallelism(), timeout: MOST_MS })
  events.on('test:pass', data => {
    if (data.details.type !== 'suite' && data.skip === undefined) passed += 1
  })
  events.on('test:fail', data => {
    // A suite fails with its tests, and a file with its suites.
    if (data.details.error.failureType !== 'subtestsFailed') failed.set(nameOf(data), data.details.error)
  })
  for await (const _ of events);
  const surprises = [...failed].filter(([name]) => !expected.has(name))
  const stale = [...expected].filter(name => !failed.has(name))
  for (const [name, error] of surprises) console.error(`failed: ${name}\n${inspect(error.cause ?? error)}`)
  for (const name of stale) console.error(`did not fail, so take it out of EXPECTED: ${name}`)
  const { electron, node } = process.versions
  console.log(
    `Electron ${electron} as Node ${node}: ${passed} tests passed, ${surprises.length} failed, ${expected.size - stale.length} need a default file`
  )
  if (given.length === 0) for (const [names, reason] of Object.entries(LEFT_OUT)) console.log(`not run: ${names}: ${reason}`)
  process.exitCode = surprises.length + stale.length > 0 ? 1 : 0
}

if (process.versions.electron) await runSuites(process.argv.slice(2))
else startElectron()
