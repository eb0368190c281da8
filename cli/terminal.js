'use strict'

// What people and programs see: colours only where somebody looks at them, results on stdout, everything else on stderr.

const { once } = require('node:events')
const { stripVTControlCharacters } = require('node:util')
const { own } = require('../lib/link-error.js')
const { detailsOf } = require('./errors.js')
const { eachString, printable } = require('./printable.js')

const COLOURS = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 }

/** Functions that colour a text, or leave it alone: on what is no terminal, and with NO_COLOR (https://no-color.org). */
function palette(stream, { NO_COLOR, TERM } = own(process.env)) {
  const isColoured = stream.isTTY === true && !NO_COLOR && TERM !== 'dumb'
  return Object.fromEntries(Object.entries(COLOURS).map(([name, code]) => [name, text => (isColoured ? `\x1b[${code}m${text}\x1b[0m` : text)]))
}

/** Writes a line, and waits while nobody reads. What happens when nobody ever will, cli/index.js decides. */
async function print(line, stream = process.stdout) {
  if (stream.errored || stream.write(`${line}\n`)) return
  await once(stream, 'drain').catch(() => {})
}

/** Rows with their columns aligned. */
function table(rows) {
  const widths = rows.map(lengths).reduce((widths, row) => row.map((length, column) => Math.max(length, widths[column] ?? 0)), [])
  const line = row => lengths(row).map((length, column) => row[column] + ' '.repeat(widths[column] - length)).join('  ')
  return rows.map(row => `  ${line(row).trimEnd()}`).join('\n')
}

const lengths = row => row.map(cell => [...stripVTControlCharacters(cell)].length)

/** An error for people, or for a program. */
function describe(error, isJson, { red, dim } = palette(process.stderr)) {
  const details = detailsOf(error)
  if (isJson) return JSON.stringify({ error: details })
  const { code, message, hint, requestId } = own(eachString(details, printable))
  const stack = error.toJSON ? [] : (error.stack ?? '').split('\n').map(printable)
  const lines = [`${code ? `${red(code)} ` : ''}${message}`, hint && `  ${hint}`, requestId && dim(`  request ${requestId}`), ...stack]
  return lines.filter(Boolean).join('\n')
}

/** A line on stderr that is written over, for a terminal; nothing for a file. */
function progressLine(stream = process.stderr) {
  const { dim } = palette(stream)
  const isSeen = stream.isTTY === true
  const clear = () => isSeen && stream.write('\r\x1b[K')
  /** A share from 0 to 1; none if nobody knows the whole. A line that wraps could not be written over. */
  const show = (share, text) => {
    if (!isSeen) return
    const room = (stream.columns || 80) - 1
    const full = Math.round(20 * Math.min(1, share))
    const bar = share === undefined ? '' : `${'█'.repeat(full)}${dim('░'.repeat(20 - full))} ${String(Math.floor(100 * Math.min(1, share))).padStart(3)} %  `
    stream.write(`\r\x1b[K${bar}${printable(text).slice(0, Math.max(0, room - (bar && 28)))}`)
  }
  return { clear, isSeen, show }
}

module.exports = { describe, palette, print, progressLine, table }
