// Tables in Markdown, with columns aligned so that a terminal shows them, too.
import { isSame, title } from './dataverse.mjs'
import { READS } from './embedded.mjs'
import { median, rate, spread } from './statistics.mjs'
import { isMet, targets } from './targets.mjs'

/** A table of rows of strings; the first row is the head. Columns after the first are numbers. */
export function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(3, ...rows.map(row => row[column].length)))
  const line = row =>
    `| ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join(' | ')} |`
  const rule = `|${widths.map((width, column) => (column === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`
  return [line(rows[0]), rule, ...rows.slice(1).map(line)].join('\n')
}

/** A number with three significant digits, and separators of thousands. */
export function number(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return '-'
  if (value >= 1000) return Math.round(value).toLocaleString('en')
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value >= 1 ? value.toFixed(2) : value.toPrecision(2)
}

/** Links per second with the spread of the rounds. */
function rates({ rounds }) {
  const values = rounds.map(rate)
  return median(values) ? number(median(values)) + (values.length > 1 ? ` ±${Math.round(spread(values) * 100)}%` : '') : '-'
}

/** Columns: a head, and the figure of a round. */
const LATENCY = [
  ['p50 µs', ({ p50InUs }) => p50InUs],
  ['p99 µs', ({ p99InUs }) => p99InUs]
]
const CPU = [
  ['CPU µs', ({ cpuInUs }) => cpuInUs],
  ['main CPU µs', ({ mainCpuInUs }) => mainCpuInUs]
]
const DELAY = ['loop delay p99 ms', ({ delayP99InMs }) => delayP99InMs]
const MEMORY = ['RSS MB', ({ rssInMb }) => rssInMb]

const figures = (cell, columns) => columns.map(([, pick]) => number(median(cell.rounds.map(pick))))
const heads = columns => columns.map(([head]) => head)
const distinct = (cells, same) => cells.filter((cell, at) => cells.findIndex(other => same(other, cell)) === at)

/** One table per scenario. */
export function dataverseTables(cells) {
  return distinct(cells, isSame).map(scenario => {
    const columns = [...LATENCY, ...CPU, ...(scenario.inFlight === 256 ? [DELAY] : []), MEMORY]
    const rows = cells.filter(cell => isSame(cell, scenario)).map(cell => [cell.name, rates(cell)].concat(figures(cell, columns)))
    return `### ${title(scenario)}\n\n${table([['', 'links/s', ...heads(columns)], ...rows])}`
  })
}

const isSameFile = (a, b) => a.size === b.size && a.inFlight === b.inFlight
const rowsOf = size => `${size.toLocaleString('en')} conversations`

const CALLS = {
  getConversation: 'getConversation',
  findRecord: 'findRecord by emailaddress1',
  listOfRecord: 'getConversations({ record })',
  listOfAgent: 'getConversations({ agentId, top: 50 })',
  firstPage: 'getConversations({ top: 50 })'
}

/** A table of links per size and concurrency, then one of reads and one of imports. */
export function embeddedTables({ links, reads, imports }) {
  const columns = [...LATENCY, ...CPU, MEMORY]
  const linkTables = distinct(links, isSameFile).map(shape => {
    const rows = links.filter(cell => isSameFile(cell, shape)).map(cell => [cell.name, rates(cell)].concat(figures(cell, columns)))
    return `### ${rowsOf(shape.size)}, ${shape.inFlight} in flight\n\n${table([['', 'links/s', ...heads(columns)], ...rows])}`
  })
  const readColumns = [...LATENCY, ...CPU]
  const readRows = READS.flatMap(operation =>
    reads
      .filter(cell => cell.operation === operation)
      .map(cell =>
        [`${CALLS[operation]}, ${rowsOf(cell.size)}, ${cell.inFlight} in flight, ${cell.name}`].concat(figures(cell, readColumns))
      )
  )
  const importRows = imports.map(({ name, set, size, rounds: [report] }) => [
    `${name}, ${size.toLocaleString('en')} ${set}`,
    number(report.rows / report.seconds),
    number((report.cpuInSeconds / report.rows) * 1e6),
    number(report.bytes / 2 ** 20),
    number(report.peakInBytes / 2 ** 20),
    number(report.peakOverFile)
  ])
  return [
    ...linkTables,
    `### Reads\n\n${table([['', ...heads(readColumns)], ...readRows])}`,
    `### Import of one page\n\n${table([['', 'rows/s', 'CPU µs per row', 'file MB', 'peak memory MB', 'peak over file'], ...importRows])}`
  ]
}

export function startTable(rows) {
  const columns = [
    ['require ms', ({ requireInMs }) => requireInMs],
    ['first link ms', ({ firstLinkInMs }) => firstLinkInMs],
    ['threads by require', ({ threadsOfRequire }) => threadsOfRequire],
    ['threads after a link', ({ threads }) => threads],
    ['RSS MB', ({ rssInMb }) => rssInMb]
  ]
  const cells = rows.map(row => [row.name].concat(figures(row, columns), number(row.bytes ? row.bytes / 2 ** 20 : null)))
  return table([['', ...heads(columns), 'native file MB'], ...cells])
}

/** The targets, with a column per checkout. Only this one's figures are compared with them. */
export function targetTable(results, others) {
  const names = [...others.map(({ name }) => name), 'product']
  const rows = targets(results).map(target => {
    const figure = target.figure('product')
    const met = { true: 'met', false: 'missed', null: 'not measured' }[String(isMet(target, figure))]
    const bound = `${target.sign === '>=' ? 'at least' : 'at most'} ${number(target.bound)}`
    return [target.measure].concat(
      names.map(name => number(target.figure(name))),
      bound,
      met
    )
  })
  return table([['', ...names, 'target', ''], ...rows])
}
