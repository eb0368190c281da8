// Fresh processes: `require`, the first link, threads, and the size of the native file.
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { SETS, writePage } from './data.mjs'
import { CLIENT_CPU, products, root, runScript, scratch, startServer } from './processes.mjs'
import { Progress } from './progress.mjs'

const CONTACTS = ['6c1b3f1e-0000-4000-8000-000000000001', '6c1b3f1e-0000-4000-8000-000000000002']
const SIZE = 1000
/** Far from each other, so that no run repeats a link. */
const LINKS_PER_RUN = 5 * SIZE

/** Bytes of the addon of a checkout. */
function addonSize(from) {
  const name = readdirSync(from).find(name => name.endsWith('.node'))
  return name ? statSync(join(from, name)).size : null
}

function rows(others) {
  const modules = join(root, 'bench', 'node_modules')
  const peer = name => ({ name, client: name, package: join(modules, name) })
  return [
    { name: 'node alone', client: 'idle' },
    ...products(others).flatMap(({ name, from }) => [
      { name, client: 'product', package: from, from, bytes: addonSize(from) },
      { name: `${name}, embedded`, client: 'embedded', from, isEmbedded: true }
    ]),
    { name: 'fetch', client: 'fetch' },
    ...['undici', 'axios', 'dynamics-web-api'].map(peer),
    {
      ...peer('better-sqlite3'),
      isEmbedded: true,
      bytes: statSync(join(modules, 'better-sqlite3', 'build', 'Release', 'better_sqlite3.node')).size
    }
  ].map(row => Object.assign(row, { rounds: [] }))
}

/** Measures every row in turn, round by round. */
export async function measureStart({ isQuick, others }) {
  const rounds = isQuick ? 3 : 31
  const all = rows(others)
  const server = await startServer()
  const url = `http://127.0.0.1:${server.port({ isTls: false, latencyInMs: 0 })}`
  const databases = await prepare(all.filter(({ client }) => client === 'embedded'))
  const progress = new Progress(rounds)
  const onOne = { cpu: CLIENT_CPU }
  for (let round = 1; round <= rounds; round++) {
    progress.show(`fresh processes, round ${round}`)
    for (const row of all) {
      const settings = { client: row.client, from: row.from, url, contacts: CONTACTS, inFlight: 1, trips: 2 }
      const number = round * all.length + all.indexOf(row)
      const target = row.isEmbedded
        ? { operation: 'link', size: SIZE, database: databases.get(row.from ?? root), firstLink: number * LINKS_PER_RUN }
        : { firstConversation: number }
      const required = row.package ? await runScript('start-client.mjs', { package: row.package }, onOne) : {}
      const first = await runScript('start-client.mjs', { ...settings, ...target }, onOne)
      row.rounds.push({ requireInMs: required.requireInMs, threadsOfRequire: required.threads, ...first })
    }
  }
  progress.end()
  server.close()
  for (const file of databases.values()) for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true })
  return all
}

/** A small file of the embedded store for each checkout. */
async function prepare(rows) {
  mkdirSync(scratch, { recursive: true })
  const databases = new Map(rows.map(({ from, name }) => [from, join(scratch, `start-${name.replace(', embedded', '')}.db`)]))
  for (const set of SETS) {
    const file = join(scratch, `${set}.json`)
    writePage(file, set, 0, SIZE)
    for (const [from, database] of databases) await runScript('import.mjs', { from, database, file })
    rmSync(file)
  }
  return databases
}
