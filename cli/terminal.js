'use strict'

// Output: colours on terminals only, results on stdout, everything else on stderr.

const { once } = require('node:events')
const { stripVTControlCharacters } = require('node:util')
const { own } = require('../lib/link-error.js')
const { detailsOf } = require('./errors.js')
const { eachString, printable } = require('./printable.js')

const COLOURS = { bold: 1, dim: 2, red: 31, green: 32 }

/** Functions that colour a string. They return it unchanged off a terminal and with NO_COLOR (https://no-color.org). */
function palette(stream, { NO_COLOR, TERM } = own(process.env)) {
  const isColoured = stream.isTTY === true && !NO_COLOR && TERM !== 'dumb'
  const colour = code => text => (isColoured ? `\x1b[${code}m${text}\x1b[0m` : text)
  return Object.fromEntries(Object.entries(COLOURS).map(([name, code]) => [name, colour(code)]))
}

/** Writes a line, and waits until the stream can take more. cli/index.js handles a stream that was closed. */
async function print(line, /** @type {import('node:stream').Writable} */ stream = process.stdout) {
  if (stream.errored || stream.write(`${line}\n`)) return
  await once(stream, 'drain').catch(() => {})
}

/** Formats rows with aligned columns. */
function table(rows) {
  const widths = rows.map(lengths).reduce((widths, row) => row.map((length, column) => Math.max(length, widths[column] ?? 0)), [])
  const padded = row => lengths(row).map((length, column) => row[column] + ' '.repeat(widths[column] - length))
  return rows.map(row => `  ${padded(row).join('  ')}`.trimEnd()).join('\n')
}

const lengths = row => row.map(cell => [...stripVTControlCharacters(cell)].length)

/** Formats an error for people, or as JSON. */
function describe(error, isJson, { red, dim } = palette(process.stderr)) {
  const details = detailsOf(error)
  if (isJson) return JSON.stringify({ error: details })
  const { code, message, hint, requestId } = own(eachString(details, printable))
  const stack = error.toJSON ? [] : (error.stack ?? '').split('\n').map(printable)
  const lines = [`${code ? `${red(code)} ` : ''}${message}`, hint && `  ${hint}`, requestId && dim(`  request ${requestId}`), ...stack]
  return lines.filter(Boolean).join('\n')
}

/** A line on a terminal that overwrites itself. Writes nothing if stderr is not a terminal. */
function progressLine(stream = process.stderr) {
  const { dim } = palette(stream)
  const isVisible = stream.isTTY === true
  const clear = () => isVisible && stream.write('\r\x1b[K')
  /** `share` is between 0 and 1, or undefined if the total is unknown. The line is cut to the width: a wrapped one could not be overwritten. */
  const show = (share, text) => {
    if (!isVisible) return
    const room = (stream.columns || 80) - 1
    const part = Math.min(1, share)
    const full = Math.round(20 * part)
    const bar = `${'█'.repeat(full)}${dim('░'.repeat(20 - full))} ${String(Math.floor(100 * part)).padStart(3)} %  `
    const [start, width] = share === undefined ? ['', 0] : [bar, 28]
    stream.write(`\r\x1b[K${start}${printable(text).slice(0, Math.max(0, room - width))}`)
  }
  return { clear, isVisible, show }
}

module.exports = { describe, palette, print, progressLine, table }
