'use strict'

// Separated values as RFC 4180 and Excel have them: commas, semicolons or tabs, told by the first row, or whatever the line `sep=;` of
// Excel's names; quotes, with separators and line breaks within; CRLF, LF or CR.

const { failure } = require('../lib/link-error.js')

const SEPARATORS = [',', ';', '\t']

/** The line in which Excel is told the separator. Programs that do not know it quote it, and fill it up with separators. */
const NAMED = /^"?sep=([^\w"\r\n])"?\1*\s*$/i
const LONGEST_NAMED = 4096

/** Characters of a row: memory has an end. */
const LONGEST = 1024 * 1024

const NOT_BEGUN = { hint: 'Nothing from that line on was begun. A quote that nothing closes makes one row of all that follows.' }

/**
 * The rows of a text that comes in pieces, each with the number of the line it begins in, with `end`, the characters up to its end, and
 * with `form`, which `format` writes it back in, behind `form.opening`. Empty lines are no rows.
 */
async function* parse(pieces, name) {
  const state = { text: '', line: 1, end: 0, form: undefined }
  for await (const piece of pieces) {
    state.text += piece
    yield* rows(state, false)
    if (state.text.length > LONGEST) throw tooLong(name, state.line)
  }
  yield* rows(state, true)
  if (state.text !== '') throw failure('INVALID_ARGUMENT', `${name}, line ${state.line}: a quote is never closed.`, NOT_BEGUN)
}

/** Takes whole rows off the text. */
function* rows(state, isLast) {
  const { text } = state
  let at = 0
  while (at < text.length) {
    const form = state.form ?? formOf(text, at, isLast)
    const row = form && rowAt(text, at, form.separator, isLast)
    if (!row) break
    const { fields, eol, next } = row
    state.end += next - at
    const [, separator] = (!state.form && next - at < LONGEST_NAMED && NAMED.exec(text.slice(at, next - eol.length))) || []
    if (separator !== undefined) state.form = { ...form, separator, opening: text.slice(at, next) }
    else if (next - at > eol.length) {
      // A row of nothing but separators does not say which they are in the others.
      if (fields.some(field => field.trim() !== '')) state.form = form
      yield { line: state.line, end: state.end, fields, form }
    }
    state.line += breaks(text, at, next)
    at = next
  }
  state.text = text.slice(at)
}

/** The separator is the one that makes the most of the first row. */
function formOf(text, at, isLast) {
  const found = SEPARATORS.map(separator => [rowAt(text, at, separator, isLast), separator])
  // With the wrong one, a line break within quotes may look like the row's end.
  if (found.some(([row]) => !row)) return undefined
  const [[{ eol }, separator]] = found.toSorted(([one], [other]) => other.fields.length - one.fields.length)
  return { separator, eol: eol || '\r\n', opening: '' }
}

/** The row that begins here, or nothing if it ends behind the text. */
function rowAt(text, at, separator, isLast) {
  const plain = new RegExp(`[^\\${separator}\r\n]*`, 'y')
  const fields = []
  for (;;) {
    let field = ''
    if (text[at] === '"') {
      const close = closing(text, at)
      // A quote at the end of the text may be the first half of two.
      if (close === -1 || (close + 1 === text.length && !isLast)) return undefined
      field = text.slice(at + 1, close).replaceAll('""', '"')
      at = close + 1
    }
    plain.lastIndex = at
    const [more] = plain.exec(text)
    fields.push(field + more)
    at += more.length
    if (text[at] === separator) at++
    else break
  }
  // So may a carriage return.
  const isEnd = at === text.length || (text[at] === '\r' && at + 1 === text.length)
  if (isEnd && !isLast) return undefined
  const eol = text.startsWith('\r\n', at) ? '\r\n' : (text[at] ?? '')
  return { fields, eol, next: at + eol.length }
}

/** The quote that closes the one here, or -1. */
function closing(text, at) {
  let close = text.indexOf('"', at + 1)
  while (close !== -1 && text[close + 1] === '"') close = text.indexOf('"', close + 2)
  return close
}

function breaks(text, from, to) {
  return text.slice(from, to).match(/\r\n|\r|\n/g)?.length ?? 0
}

const tooLong = (name, line) => failure('INVALID_ARGUMENT', `${name}, line ${line}: a row of more than ${LONGEST} characters.`, NOT_BEGUN)

/** What a spreadsheet takes for a formula, or for white space before one; and what was such a text. */
const FORMULA = /^'*(?:[\t\r\n]|\s*[=+\-@＝＋－＠])/

/** A text that a spreadsheet shows as it is, behind an apostrophe. `restored` takes that away again. */
const inert = text => (FORMULA.test(text) ? `'${text}` : text)
const restored = text => (text.startsWith("'") && FORMULA.test(text) ? text.slice(1) : text)

/** One row, with its line break. */
function format(fields, { separator, eol }) {
  const quoted = text => (text.includes(separator) || /["\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
  return fields.map(quoted).join(separator) + eol
}

module.exports = { LONGEST, format, inert, parse, restored, tooLong }
