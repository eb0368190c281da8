// Links over HTTP: this product, other clients for Node, and plain Rust as the limit.
import { CLIENT_CPU, products, program, run, runScript, startServer } from './processes.mjs'
import { Progress } from './progress.mjs'

const CONTACTS = ['6c1b3f1e-0000-4000-8000-000000000001', '6c1b3f1e-0000-4000-8000-000000000002']
/** Conversations of one run: more than it can link. */
const PER_RUN = 2 ** 28
/** Links in flight of `linkMany`, and of the idle process whose event loop is compared. */
const MANY = 256

/** All clients, in the order of the table. */
export function clients(others) {
  return [
    ...products(others).flatMap(({ name, from }) => [
      { name: `${name}, warm`, client: 'product', mode: 'warm', from, trips: 1 },
      { name: `${name}, cold`, client: 'product', mode: 'cold', from, trips: 2 },
      { name: `${name}, linkMany`, client: 'product', mode: 'many', from, trips: 1, inFlight: MANY }
    ]),
    { name: 'undici, two trips', client: 'undici', trips: 2 },
    { name: 'undici, one trip', client: 'undici', trips: 1 },
    { name: 'fetch', client: 'fetch', trips: 2 },
    { name: 'axios', client: 'axios', trips: 2 },
    { name: 'dynamics-web-api', client: 'dynamics-web-api', trips: 2 },
    { name: 'Rust reqwest, two trips', rust: 'reqwest', trips: 2 },
    { name: 'Rust reqwest, one trip', rust: 'reqwest', trips: 1 },
    { name: 'Rust hyper connections, one trip', rust: 'hyper', trips: 1 },
    { name: 'Rust sockets, one trip', rust: 'sockets', trips: 1 },
    { name: 'idle', client: 'idle', trips: 0, inFlight: MANY }
  ]
}

const FULL = [false, true].flatMap(isTls =>
  [0, 5].flatMap(latencyInMs => [1, 16, 52, 256].map(inFlight => ({ inFlight, isTls, latencyInMs })))
)
const QUICK = [
  { inFlight: 1, isTls: false, latencyInMs: 0 },
  { inFlight: 52, isTls: false, latencyInMs: 0 },
  { inFlight: 256, isTls: false, latencyInMs: 5 }
]

const takesPart = (client, { inFlight }) => !client.inFlight || client.inFlight === inFlight
const cellOf = (scenario, client) => ({ ...scenario, name: client.name, client, rounds: [] })

/** Measures all clients in turn, round by round. Returns one cell per scenario and client, with the reports of its rounds. */
export async function measureDataverse({ isQuick, rounds, others }) {
  const scenarios = isQuick ? QUICK : FULL
  const times = isQuick ? { warmUpInMs: 400, measuredInMs: 300 } : { warmUpInMs: 800, measuredInMs: 800 }
  const delayInMs = isQuick ? 250 : 400
  const all = clients(others)
  const cells = scenarios.flatMap(scenario => all.filter(client => takesPart(client, scenario)).map(client => cellOf(scenario, client)))
  const progress = new Progress(cells.length * rounds)
  let runs = 0
  for (const scenario of scenarios) {
    // A new server for each scenario, so that the rows of cold links do not pile up.
    const server = await startServer()
    const port = server.port(scenario)
    const url = `http${scenario.isTls ? 's' : ''}://127.0.0.1:${port}`
    for (let round = 1; round <= rounds; round++) {
      for (const cell of cells.filter(cell => isSame(cell, scenario))) {
        progress.show(`${title(scenario)}, round ${round}: ${cell.name}`)
        const settings = {
          ...cell.client,
          ...times,
          // Without a compiler that learns while it runs, less warms up.
          ...(cell.client.rust ? { warmUpInMs: times.warmUpInMs / 2 } : {}),
          delayInMs: scenario.inFlight === MANY ? delayInMs : 0,
          url,
          inFlight: scenario.inFlight,
          firstConversation: ++runs * PER_RUN,
          contacts: CONTACTS,
          certificate: server.certificate
        }
        const { rust, trips } = cell.client
        const before = await server.counts()
        const options = { cpu: CLIENT_CPU, env: { NODE_EXTRA_CA_CERTS: server.certificateFile } }
        const report = rust
          ? await run(program, ['http', JSON.stringify({ ...settings, client: rust, trips, tls: scenario.isTls, port })], options)
          : await runScript('client.mjs', settings, options)
        const after = await server.counts()
        if (after.writes - before.writes !== report.links)
          throw new Error(`${cell.name} reports ${report.links} links, but the server counted ${after.writes - before.writes}`)
        cell.rounds.push(report)
      }
    }
    server.close()
  }
  progress.end()
  return cells
}

export const isSame = (a, b) => a.inFlight === b.inFlight && a.isTls === b.isTls && a.latencyInMs === b.latencyInMs

export const title = ({ inFlight, isTls, latencyInMs }) => `${inFlight} in flight, ${isTls ? 'TLS' : 'http'}, ${latencyInMs} ms latency`
