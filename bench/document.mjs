// docs/performance.md and its plots.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { plots } from './plots.mjs'
import { root } from './processes.mjs'
import { dataverseTables, embeddedTables, startTable, targetTable } from './tables.mjs'

const READING = `## How to read it

Compare figures within this document only: machines differ, ratios hardly do. Every figure is the median of the rounds, and ± is half the distance
between the slowest and the fastest round. In a round every client has its turn, so that all of them meet the same state of the machine. Each
client runs in a process of its own, one at a time, after a warm-up.

* **links/s**: links that settled per second.
* **p50, p99**: the time that half, and 99 of 100, of the links took at most. With more in flight a link waits longer for its turn.
* **CPU**: processor time per link of the whole process. **main CPU**: that of the thread that runs JavaScript, which the rest of the program needs.
* **loop delay p99**: how late the event loop runs a timer of 1 ms, in a time of its own after the links were counted.
* **RSS**: the largest resident memory of the process.

**Rust** rows are limits, not peers: they do the work of a link without retries, deadlines, order, cancellation and Node.`

const LINKS = `## Links to Dataverse

The server is a program of its own. It answers at once, or after 5 ms, from memory over HTTP/1.1, with a row of 1 KB and the headers of Dataverse. A PATCH
stores the record and is answered with the row, and every client checks that the row holds the record. Two records take turns. The server counts the writes,
and a run fails if the client counts others.

* **two trips**: GET with \`$select\`, check of the status, PATCH with \`If-Match\`.
* **one trip**: PATCH with the ETag of the last answer.
* **product, warm**: it remembers the row, so one trip. **cold**: each link is to a conversation that it has not seen, so two. **linkMany**: one list, warm.
* undici has a connection per link in flight and no pipelining; fetch is Node's own; axios and dynamics-web-api have agents that keep connections open. The
  product sends at most 48 requests at once, as it does to Dataverse.`

const EMBEDDED = `## Links in the embedded store

A file with as many contacts as conversations, imported by this package; other clients use the same file. Every link is durable when it settles (WAL,
\`synchronous = FULL\`): it reads the conversation, checks that the record exists, and updates the row.

* **per link**: one IMMEDIATE transaction for each. **batched**: written by hand, one transaction for all links in flight.
* **tuned**: a page cache of 64 MB, and a checkpoint at 16,384 pages instead of 2 MB and 1,000.`

const START = `## Start

Medians of fresh processes. **first link** is the time from the start of the process to its first settled link, with two trips for HTTP clients. The
*node alone* row does nothing but load the harness.`

const image = name => `![${name.replace('.svg', '').replaceAll('-', ' ')}](performance/${name})`

/** Writes the document and the plots, and removes older plots. */
export function writeDocument(results, machine, others) {
  const folder = join(root, 'docs', 'performance')
  mkdirSync(folder, { recursive: true })
  for (const name of readdirSync(folder)) rmSync(join(folder, name))
  const files = plots(results)
  for (const [name, svg] of Object.entries(files)) writeFileSync(join(folder, name), svg)
  const images = start =>
    Object.keys(files)
      .filter(name => name.startsWith('embedded') === start)
      .map(image)
      .join('\n\n')
  const parts = [
    '# Performance',
    '<!-- Written by `npm run bench`. Do not edit. -->',
    'This package, the clients that a program would use instead, and plain Rust as the limit, measured in one run of `npm run bench`.',
    READING,
    '## Machine and versions',
    ['| | |', '|---|---|', ...machine.map(([name, text]) => `| ${name} | ${text} |`)].join('\n'),
    '## Targets',
    'Ratios of medians within the rounds of this run.',
    targetTable(results, others),
    LINKS,
    images(false),
    ...dataverseTables(results.dataverse),
    EMBEDDED,
    images(true),
    ...embeddedTables(results.embedded),
    START,
    startTable(results.start)
  ]
  writeFileSync(join(root, 'docs', 'performance.md'), `${parts.join('\n\n')}\n`)
}
