// Tables and colours; colours only on a terminal without NO_COLOR.
import { stripVTControlCharacters } from 'node:util'

const colours = process.stdout.isTTY && !process.env.NO_COLOR
const style = code => text => (colours ? `\x1b[${code}m${text}\x1b[0m` : text)

export const bold = style('1')
export const dim = style('2')
export const green = style('32')
export const red = style('31')

/** Formats a table with a header. Columns with the header `ms` are right-aligned. */
export function table(header, rows) {
  const widths = header.map((_, column) => Math.max(...[header, ...rows].map(row => length(row[column]))))
  const line = (row, paint = cell => cell) =>
    `  │ ${row.map((cell, column) => pad(paint(cell), widths[column] - length(cell), header[column] === 'ms')).join(' │ ')} │`
  const rule = (left, middle, right) => `  ${left}${widths.map(width => '─'.repeat(width + 2)).join(middle)}${right}`
  return [rule('┌', '┬', '┐'), line(header, bold), rule('├', '┼', '┤'), ...rows.map(row => line(row)), rule('└', '┴', '┘')].join('\n')
}

const length = cell => [...stripVTControlCharacters(cell)].length
const pad = (cell, missing, right) => (right ? ' '.repeat(missing) + cell : cell + ' '.repeat(missing))
