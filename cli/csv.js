'use strict'

// Comma-separated values as RFC 4180 has them: quotes, commas and line breaks within quotes, CRLF or LF, a byte order mark or none.

const { failure } = require('../lib/link-error.js')

/** The rows of a text that comes in pieces, each with the number of the line it begins in. Empty lines are no rows. */
async function* parse(pieces) {
  let [line, begun, fields, field] = [1, 1, [], '']
  // Within quotes; right behind a quote that may have closed them; whether there were any, for a field that is empty but there.
  let [isQuoted, mayBeClosed, hadQuotes] = [false, false, false]
  let isFirst = true
  for await (const piece of pieces) {
    for (const char of isFirst ? piece.replace(/^\ufeff/, '') : piece) {
      if (char === '\n') line++
      if (isQuoted) {
        if (mayBeClosed && char !== '"') isQuoted = mayBeClosed = false
        else {
          mayBeClosed = char === '"' && !mayBeClosed
          if (!mayBeClosed) field += char
          continue
        }
      }
      if (char === '"' && field === '') isQuoted = hadQuotes = true
      else if (char === ',' || char === '\n') {
        fields.push(field)
        field = ''
        if (char === ',') continue
        if (fields.length > 1 || fields[0] !== '' || hadQuotes) yield { line: begun, fields }
        fields = []
        begun = line
        hadQuotes = false
      } else if (char !== '\r') field += char
    }
    isFirst = false
  }
  if (isQuoted && !mayBeClosed) throw failure('INVALID_ARGUMENT', `The row of line ${begun} has a quote that is never closed.`)
  if (fields.length > 0 || field !== '' || hadQuotes) yield { line: begun, fields: [...fields, field] }
}

/** One row, with its line break. */
function format(fields) {
  return `${fields.map(quoted).join(',')}\r\n`
}

const quoted = text => (/[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

module.exports = { format, parse }
