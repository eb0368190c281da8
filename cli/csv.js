'use strict'

// CSV as in RFC 4180 and Excel. Separators are commas, semicolons or tabs, detected from the first row, or the one that Excel's line `sep=;`
// names. Quoted fields may contain separators and line breaks. Rows end with CRLF, LF or CR.

const { failure } = require('../lib/link-error.js')

const SEPARATORS = [',', ';', '\t']

/** Excel's separator line. Programs that do not know it may quote it and append separators. */
const SEPARATOR_LINE = /^"?sep=([^\w"\r\n])"?\1*\s*$/i
const MAX_SEPARATOR_LINE = 4096

/** Characters of a row, to bound memory. */
const MAX_ROW = 1024 * 1024

const NOT_STARTED = { hint: 'No item from that line on was started. A quote that is never closed turns the rest of the file into one row.' }

/**
 * Parses rows from chunks of a string. Each row has the number of its first line, `end` (the characters up to its end) and `form`, with which
 * `format` writes it back after `form.opening`. Empty lines are skipped.
 */
async function* parse(chunks, name) {
  const state = { text: '', line: 1, end: 0, form: undefined }
  for await (const chunk of chunks) {
    state.text += chunk
    yield* rows(state, false)
    if (state.text.length > MAX_ROW) throw tooLong(name, state.line)
  }
  yield* rows(state, true)
  if (state.text !== '') throw failure('INVALID_ARGUMENT', `${name}, line ${state.line}: a quote is never closed.`, NOT_STARTED)
}

/** Removes complete rows from the buffered text. */
function* rows(state, isLast) {
  const { text } = state
  let at = 0
  while (at < text.length) {
    const form = state.form ?? formOf(text, at, isLast)
    const row = form && rowAt(text, at, form.separator, isLast)
    if (!row) break
    const { fields, eol, next } = row
    state.end += next - at
    const [, separator] = (!state.form && next - at < MAX_SEPARATOR_LINE && SEPARATOR_LINE.exec(text.slice(at, next - eol.length))) || []
    if (separator !== undefined) state.form = { ...form, separator, opening: text.slice(at, next) }
    else if (next - at > eol.length) {
      // A row that contains only separators does not show which one the other rows use.
      if (fields.some(field => field.trim() !== '')) state.form = form
      yield { line: state.line, end: state.end, fields, form }
    }
    state.line += text.slice(at, next).match(/\r\n|\r|\n/g)?.length ?? 0
    at = next
  }
  state.text = text.slice(at)
}

/** The separator is the one that splits the first row into the most fields. */
function formOf(text, at, isLast) {
  const found = SEPARATORS.flatMap(separator => {
    const row = rowAt(text, at, separator, isLast)
    return row ? [{ separator, eol: row.eol || '\r\n', count: row.fields.length }] : []
  })
  // With the wrong separator, a line break inside quotes may look like the end of the row.
  if (found.length < SEPARATORS.length) return undefined
  const [{ separator, eol }] = found.toSorted((one, other) => other.count - one.count)
  return { separator, eol, opening: '' }
}

/** The row that begins here; undefined if the text ends before it does. */
function rowAt(text, at, separator, isLast) {
  const plain = new RegExp(`[^\\${separator}\r\n]*`, 'y')
  const fields = []
  for (;;) {
    let field = ''
    if (text[at] === '"') {
      const close = closing(text, at)
      // A quote at the end of the text may be the first half of an escaped quote.
      if (close === -1 || (close + 1 === text.length && !isLast)) return undefined
      field = text.slice(at + 1, close).replaceAll('""', '"')
      at = close + 1
    }
    plain.lastIndex = at
    const [more] = plain.exec(text) ?? ['']
    fields.push(field + more)
    at += more.length
    if (text[at] === separator) at++
    else break
  }
  // A carriage return at the end of the text may be the first half of CRLF.
  const isEnd = at === text.length || (text[at] === '\r' && at + 1 === text.length)
  if (isEnd && !isLast) return undefined
  const eol = text.startsWith('\r\n', at) ? '\r\n' : (text[at] ?? '')
  return { fields, eol, next: at + eol.length }
}

/** Index of the quote that closes the one here, or -1. */
function closing(text, at) {
  let close = text.indexOf('"', at + 1)
  while (close !== -1 && text[close + 1] === '"') close = text.indexOf('"', close + 2)
  return close
}

const tooLong = (name, line) =>
  failure('INVALID_ARGUMENT', `${name}, line ${line}: the row is longer than ${MAX_ROW} characters.`, NOT_STARTED)

/** Matches a value that a spreadsheet would run as a formula, also behind white space, and one that `inert` has escaped. */
const FORMULA = /^'*(?:[\t\r\n]|\s*[=+\-@＝＋－＠])/

/** Escapes a formula with an apostrophe, so that a spreadsheet shows it as text. `restored` removes the apostrophe. */
const inert = value => (FORMULA.test(value) ? `'${value}` : value)
const restored = value => (value.startsWith("'") && FORMULA.test(value) ? value.slice(1) : value)

/** Formats one row, including its line break. */
function format(fields, { separator, eol }) {
  const quoted = value => (value.includes(separator) || /["\r\n]|^\s|\s$/.test(value) ? `"${value.replaceAll('"', '""')}"` : value)
  return fields.map(quoted).join(separator) + eol
}

module.exports = { MAX_ROW, format, inert, parse, restored, tooLong }
