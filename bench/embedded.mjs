// Links and reads on the embedded store, against better-sqlite3 and plain rusqlite on the same file.
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Links, SETS, writePage } from './data.mjs'
import { products, program, run, runScript, scratch } from './processes.mjs'
import { Progress } from './progress.mjs'

/** Rows of one imported page at most. */
const PAGE = 1_000_000
export const READS = ['getConversation', 'findRecord', 'listOfRecord', 'listOfAgent', 'firstPage']

/** A client per link and batched, with SQLite's defaults and tuned. `isCore` marks the clients of a quick run. */
const variants = (name, of) => [
  { name: `${name}, per link`, ...of, isBatched: false, isTuned: false, isCore: true },
  { name: `${name}, per link, tuned`, ...of, isBatched: false, isTuned: true },
  { name: `${name}, batched`, ...of, isBatched: true, isTuned: false, isCore: true },
  { name: `${name}, batched, tuned`, ...of, isBatched: true, isTuned: true, isCore: true }
]

const linkClients = others => [
  ...products(others).map(({ name, from }) => ({ name, client: 'embedded', from, isCore: true })),
  ...variants('better-sqlite3', { client: 'better-sqlite3' }),
  ...variants('Rust rusqlite', { rust: true })
]

function readClients(others) {
  return linkClients(others)
    .filter(({ isBatched, isTuned }) => !isBatched && !isTuned)
    .map(client => Object.assign(client, { name: client.name.replace(', per link', '') }))
}

/** Imports all rows into a file per checkout. Returns what the imports of the first page of each set took. */
async function importRows(size, others) {
  const imports = []
  for (const set of SETS) {
    for (let from = 0; from < size; from += PAGE) {
      const file = join(scratch, `${set}.json`)
      writePage(file, set, from, Math.min(size, from + PAGE))
      for (const product of products(others)) {
        const report = await runScript('import.mjs', { from: product.from, database: databaseOf(product.name, size), file })
        if (from === 0) imports.push({ name: product.name, set, size, rounds: [report] })
      }
      rmSync(file)
    }
  }
  return imports
}

const databaseOf = (name, size) => join(scratch, `${name}-${size}.db`)
const cellOf = (shape, client) => ({ ...shape, name: client.name, client, rounds: [] })

/** Cells of links. With one in flight there is nothing to batch. */
const linkCells = (size, concurrencies, clients) =>
  concurrencies.flatMap(inFlight =>
    clients.filter(({ isBatched }) => inFlight > 1 || !isBatched).map(client => cellOf({ size, inFlight, operation: 'link' }, client))
  )

/** Cells of reads. The peers have the first of them only, because it is a plain SELECT. */
const readCells = (size, concurrencies, clients) =>
  READS.flatMap((operation, at) =>
    (at === 0 ? concurrencies : [1]).flatMap(inFlight =>
      clients.filter(({ client }) => client === 'embedded' || at === 0).map(client => cellOf({ size, inFlight, operation }, client))
    )
  )

/** Measures links, then reads. Each file is used by all clients in turn, and each run continues after the links of the last one. */
export async function measureEmbedded({ isQuick, isHuge, rounds, others }) {
  const sizes = isQuick ? [1000, 100_000] : [1000, 100_000, 1_000_000, ...(isHuge ? [10_000_000] : [])]
  const concurrencies = isQuick ? [1, 256] : [1, 16, 256]
  // The warm-up fills the page cache, and the WAL up to its first checkpoint.
  const times = isQuick ? { warmUpInMs: 400, measuredInMs: 400 } : { warmUpInMs: 500, measuredInMs: 1000 }
  const clients = linkClients(others).filter(({ isCore }) => isCore || !isQuick)
  const links = sizes.flatMap(size => linkCells(size, concurrencies, clients))
  const reads = (isQuick ? [100_000] : sizes).flatMap(size => readCells(size, isQuick ? [1] : concurrencies, readClients(others)))
  const progress = new Progress((links.length + reads.length) * rounds)
  const imports = []
  mkdirSync(scratch, { recursive: true })
  for (const size of sizes) {
    remove(size, others)
    imports.push(...(await importRows(size, others)))
    const firstLinks = new Map()
    for (const cells of [links, reads])
      for (let round = 1; round <= rounds; round++)
        for (const cell of cells.filter(cell => cell.size === size)) {
          const { inFlight, operation, client } = cell
          progress.show(`${size} rows, ${inFlight} in flight, round ${round}: ${operation}, ${cell.name}`)
          const owner = client.from ? cell.name : 'product'
          const firstLink = firstLinks.get(owner) ?? 0
          const settings = { ...client, ...times, size, inFlight, operation, firstLink, database: databaseOf(owner, size) }
          const report = client.rust ? await run(program, ['sqlite', JSON.stringify(settings)]) : await runScript('client.mjs', settings)
          firstLinks.set(owner, Links.nextPass(size, firstLink + report.links))
          cell.rounds.push(report)
        }
    remove(size, others)
  }
  progress.end()
  return { links, reads, imports }
}

function remove(size, others) {
  for (const { name } of products(others))
    for (const suffix of ['', '-wal', '-shm']) rmSync(databaseOf(name, size) + suffix, { force: true })
}
