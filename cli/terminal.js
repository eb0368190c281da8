'use strict'

// What people and programs see: colours only where somebody looks at them, results on stdout, everything else on stderr.

const { once } = require('node:events')
const { stripVTControlCharacters } = require('node:util')
const { eachText, printable, worded } = require('./wording.js')

const COLOURS = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 }

/** Functions that colour a text, or leave it alone: on what is no terminal, and with NO_COLOR (https://no-color.org). */
function palette(stream, { NO_COLOR, TERM } = process.env) {
  const isColoured = stream.isTTY === true && !NO_COLOR && TERM !== 'dumb'
  return Object.fromEntries(Object.entries(COLOURS).map(([name, code]) => [name, text => (isColoured ? `\x1b[${code}m${text}\x1b[0m` : text)]))
}

/** Writes a line, and waits if nobody reads. */
async function print(line, stream = process.stdout) {
  if (!stream.write(`${line}\n`)) await once(stream, 'drain')
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
  const details = eachText(error.toJSON?.() ?? { code: 'INTERNAL', message: error.message }, worded)
  if (isJson) return JSON.stringify({ error: details })
  const { code, message, hint, requestId } = eachText(details, printable)
  const stack = error.toJSON ? [] : (error.stack ?? '').split('\n').map(printable)
  const lines = [`${code ? `${red(code)} ` : ''}${message}`, hint && `  ${hint}`, requestId && dim(`  request ${requestId}`), ...stack]
  return lines.filter(Boolean).join('\n')
}

/** A line on stderr that is written over, for a terminal; nothing for a file. */
function progressLine(stream = process.stderr) {
  const { dim } = palette(stream)
  const clear = () => stream.isTTY && stream.write('\r\x1b[K')
  const show = (share, text) => {
    if (!stream.isTTY) return
    const full = Math.round(20 * Math.min(1, share))
    stream.write(`\r\x1b[K${'█'.repeat(full)}${dim('░'.repeat(20 - full))} ${String(Math.floor(100 * Math.min(1, share))).padStart(3)} %  ${text}`)
  }
  return { clear, show }
}

module.exports = { describe, palette, print, progressLine, table }
