// Bar charts as SVG, for light and dark pages.
import { median, rate } from './statistics.mjs'
import { number } from './tables.mjs'

const WIDTH = 760
const LABEL = 250
const BAR = 22
const TOP = 46
const STYLE = `text{font:13px system-ui,sans-serif;fill:#1f2328}.title{font-size:15px;font-weight:600}.note{font-size:11px;fill:#59636e}
.ours{fill:#0969da}.peer{fill:#9aa4af}.limit{fill:#d4a72c}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.note{fill:#9198a1}.ours{fill:#4493f8}.peer{fill:#6e7681}.limit{fill:#bb8009}}`
const escape = text => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
const classOf = name => (name.startsWith('product') ? 'ours' : name.startsWith('Rust') ? 'limit' : 'peer')

/** One horizontal bar per pair of a label and a value. */
function bars(title, note, pairs) {
  const longest = Math.max(...pairs.map(([, value]) => value))
  const rows = pairs.map(([name, value], at) => {
    const y = TOP + at * BAR
    const length = Math.max(1, (value / longest) * (WIDTH - LABEL - 90))
    return `<text x="${LABEL - 8}" y="${y + 14}" text-anchor="end">${escape(name)}</text>
<rect class="${classOf(name)}" x="${LABEL}" y="${y + 2}" width="${length.toFixed(1)}" height="${BAR - 6}" rx="2"/>
<text x="${(LABEL + length + 6).toFixed(1)}" y="${y + 14}">${number(value)}</text>`
  })
  const height = TOP + pairs.length * BAR + 8
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escape(title)}">
<style>${STYLE}</style>
<text class="title" x="8" y="18">${escape(title)}</text>
<text class="note" x="8" y="35">${escape(note)}</text>
${rows.join('\n')}
</svg>
`
}

const medians = (cells, pick) => cells.map(({ name, rounds }) => [name, median(rounds.map(pick))]).filter(([, value]) => value > 0)

/** Charts by file name. */
export function plots({ dataverse, embedded }) {
  const at52 = dataverse.filter(cell => cell.inFlight === 52 && !cell.isTls && cell.latencyInMs === 0)
  const sizes = [...new Set(embedded.links.map(({ size }) => size))]
  const at256 = size => embedded.links.filter(cell => cell.size === size && cell.inFlight === 256)
  return Object.fromEntries([
    ['links.svg', bars('Links per second', '52 in flight, http, no latency; more is better', medians(at52, rate))],
    [
      'cpu.svg',
      bars(
        'Processor time per link, in µs',
        '52 in flight, http, no latency; less is better',
        medians(at52, ({ cpuInUs }) => cpuInUs)
      )
    ],
    [
      'main-thread.svg',
      bars(
        "Main thread's time per link, in µs",
        '52 in flight, http, no latency; less is better',
        medians(
          at52.filter(({ name }) => !name.startsWith('Rust')),
          ({ mainCpuInUs }) => mainCpuInUs
        )
      )
    ],
    ...sizes.map(size => [
      `embedded-${size}.svg`,
      bars(
        `Embedded store: durable links per second, ${size.toLocaleString('en')} conversations`,
        '256 in flight; more is better',
        medians(at256(size), rate)
      )
    ])
  ])
}
