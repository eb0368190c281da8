// The targets: ratios of medians of one run, for this checkout and the others.
import { median, rate, ratio } from './statistics.mjs'

const p50 = ({ p50InUs }) => p50InUs
const cpu = ({ cpuInUs }) => cpuInUs
const mainCpu = ({ mainCpuInUs }) => mainCpuInUs
const delay = ({ delayP99InMs }) => delayP99InMs

/** A measure, its bound, and the figure of a product. */
export function targets({ dataverse = [], embedded, start = [] }) {
  const { links = [], reads = [], imports = [] } = embedded ?? {}
  const at = (inFlight, latencyInMs, name) =>
    dataverse.find(cell => cell.inFlight === inFlight && cell.latencyInMs === latencyInMs && !cell.isTls && cell.name === name)
  const stored = (size, inFlight, name) => links.find(cell => cell.size === size && cell.inFlight === inFlight && cell.name === name)
  const warm = (product, inFlight = 52) => at(inFlight, 0, `${product}, warm`)
  const overPeer =
    (peer, pick = rate) =>
    product =>
      ratio(warm(product), at(52, 0, peer), pick)
  const alone = peer => product => ratio(warm(product, 1), at(1, 0, peer), p50)
  const embeddedOver = (size, peer) => product => ratio(stored(size, 256, product), stored(size, 256, peer), rate)
  const readCpu = operation => product => {
    const cell = reads.find(cell => cell.size === 1_000_000 && cell.operation === operation && cell.name === product)
    return cell ? median(cell.rounds.map(cpu)) / 1000 : null
  }
  const many = product => {
    const latency = at(256, 0, `${product}, linkMany`) ? 0 : 5
    return ratio(at(256, latency, `${product}, linkMany`), at(256, latency, `${product}, warm`), mainCpu)
  }
  const importPeak = product => {
    const cells = imports.filter(cell => cell.size === 1_000_000 && cell.name === product)
    return cells.length > 0 ? Math.max(...cells.map(({ rounds: [{ peakOverFile }] }) => peakOverFile)) : null
  }
  const requireTime = product => {
    const row = start.find(({ name }) => name === product)
    return row ? median(row.rounds.map(({ requireInMs }) => requireInMs)) : null
  }
  return [
    ['warm at 52, links/s over dynamics-web-api', '>=', 15, overPeer('dynamics-web-api')],
    ['warm at 52, links/s over fetch', '>=', 50, overPeer('fetch')],
    ['warm at 52, links/s over undici, two trips', '>=', 3.5, overPeer('undici, two trips')],
    ['warm at 52, links/s over undici, one trip', '>=', 2.2, overPeer('undici, one trip')],
    [
      'cold at 52, links/s over undici, two trips',
      '>=',
      1.6,
      product => ratio(at(52, 0, `${product}, cold`), at(52, 0, 'undici, two trips'), rate)
    ],
    ['warm at 52, CPU over Rust reqwest, one trip', '<=', 1.15, overPeer('Rust reqwest, one trip', cpu)],
    ['warm at 52, CPU over Rust hyper connections, one trip', '<=', 1.9, overPeer('Rust hyper connections, one trip', cpu)],
    ['warm at 52, main-thread CPU over undici, two trips', '<=', 1 / 30, overPeer('undici, two trips', mainCpu)],
    ['warm at 52, main-thread CPU over dynamics-web-api', '<=', 1 / 100, overPeer('dynamics-web-api', mainCpu)],
    ['warm alone, p50 over undici, two trips', '<=', 0.45, alone('undici, two trips')],
    ['warm alone, p50 over undici, one trip', '<=', 0.8, alone('undici, one trip')],
    [
      'loop delay p99 at 256 in flight and 5 ms over idle',
      '<=',
      1.5,
      product => ratio(at(256, 5, `${product}, warm`), at(256, 5, 'idle'), delay)
    ],
    ['embedded 100k, 256 in flight, links/s over better-sqlite3 per link', '>=', 12, embeddedOver(100_000, 'better-sqlite3, per link')],
    [
      'embedded 100k, 256 in flight, links/s over better-sqlite3 batched and tuned',
      '>=',
      1.4,
      embeddedOver(100_000, 'better-sqlite3, batched, tuned')
    ],
    [
      'embedded 100k, 256 in flight, links/s over rusqlite batched and tuned',
      '>=',
      0.85,
      embeddedOver(100_000, 'Rust rusqlite, batched, tuned')
    ],
    ['embedded 1k, 256 in flight, links/s over better-sqlite3 batched', '>=', 1.2, embeddedOver(1000, 'better-sqlite3, batched')],
    [
      'embedded 100k alone, p50 over better-sqlite3',
      '<=',
      1.15,
      product => ratio(stored(100_000, 1, product), stored(100_000, 1, 'better-sqlite3, per link'), p50)
    ],
    [
      'embedded 10M, 256 in flight, time per link over rusqlite batched and tuned',
      '<=',
      1.2,
      product => ratio(stored(10_000_000, 256, 'Rust rusqlite, batched, tuned'), stored(10_000_000, 256, product), rate)
    ],
    ['findRecord at 1M rows, CPU ms', '<=', 0.1, readCpu('findRecord')],
    ['getConversations({ record }) at 1M rows, CPU ms', '<=', 0.1, readCpu('listOfRecord')],
    ['linkMany, main-thread CPU of an item over a single call', '<=', 0.5, many],
    ['import of 1M rows, peak memory over size of the file', '<=', 0.3, importPeak],
    ['require, ms', '<=', 3, requireTime]
  ].map(([measure, sign, bound, figure]) => ({ measure, sign, bound, figure }))
}

/** Whether a figure is within its bound; null if it was not measured. */
export const isMet = ({ sign, bound }, figure) => (figure === null ? null : sign === '>=' ? figure >= bound : figure <= bound)
