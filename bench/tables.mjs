// Tables in Markdown, with columns aligned so that a terminal shows them, too.
import { isSame, title } from './dataverse.mjs'
import { median, rate, spread } from './statistics.mjs'

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
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value >= 0.995 ? value.toFixed(2) : value.toPrecision(2)
}

export const middle = (cell, pick) => number(median(cell.rounds.map(pick)))

/** Links per second with the spread of the rounds. */
export const rates = cell => {
  const values = cell.rounds.map(rate)
  return median(values) ? `${number(median(values))} ±${Math.round(spread(values) * 100)}%` : '-'
}

/** One table per scenario. */
export function dataverseTables(cells) {
  const scenarios = cells.filter((cell, at) => cells.findIndex(other => isSame(other, cell)) === at)
  return scenarios.map(scenario => {
    const shown = cells.filter(cell => isSame(cell, scenario))
    const head = ['', 'links/s', 'p50 µs', 'p99 µs', 'CPU µs', 'main CPU µs', 'loop delay p99 ms', 'RSS MB']
    const rows = shown.map(cell => [
      cell.name,
      rates(cell),
      middle(cell, ({ p50InUs }) => p50InUs),
      middle(cell, ({ p99InUs }) => p99InUs),
      middle(cell, ({ cpuInUs }) => cpuInUs),
      middle(cell, ({ mainCpuInUs }) => mainCpuInUs),
      middle(cell, ({ delayP99InMs }) => delayP99InMs),
      middle(cell, ({ rssInMb }) => rssInMb)
    ])
    return `### ${title(scenario)}\n\n${table([head, ...rows])}`
  })
}
