'use strict'

// Lists of requests: CSV with a header, or JSON Lines. Items are read on demand; failed ones are written back in the same format.

const { extname } = require('node:path')
const { failure, own } = require('../lib/link-error.js')
const csv = require('./csv.js')
const jsonLines = require('./json-lines.js')
const { Source } = require('./source.js')

const COLUMNS = ['entityLogicalName', 'recordId', 'conversationId']

/** Column or property for the error of an item that is written back. A name that no list has by accident. */
const ERROR = 'bulkError'

/** Matches up to the first character that is not white space or a record separator. Captures it if it begins JSON. */
// oxlint-disable-next-line no-control-regex
const FIRST_CHARACTER = /^[\s\x1e]*(?:([{[])|[^\s\x1e])/

const FORMATS = { __proto__: null, '.csv': fromCsv, '.jsonl': fromJsonLines, '.ndjson': fromJsonLines }

/**
 * A list. `requests()` yields its items. Each has `line`, the line it begins in; `end`, the characters up to its end; and `source(error)`, which
 * returns the item as a string for the file of failed items. A malformed item has only `broken`, the reason, instead of the arguments of a call.
 */
class List extends Source {
  /** The start of the file of failed items: byte order mark and header. Known once the first item is. */
  head = ''
  #extension

  constructor(path) {
    super(path)
    this.#extension = extname(path)
    /** Default path of the file of failed items; undefined if the list is stdin. */
    this.failedPath = this.isFile ? `${path.slice(0, path.length - this.#extension.length)}.failed${this.#extension}` : undefined
  }

  async *requests() {
    const chunks = this.chunks()
    const known = FORMATS[this.#extension.toLowerCase()]
    const first = await beginning(chunks)
    const read = known ?? (FIRST_CHARACTER.exec(first)?.[1] ? fromJsonLines : fromCsv)
    yield* read(this, prepend(first, chunks))
  }
}

/** Reads chunks until they contain the character that shows the format. */
async function beginning(chunks) {
  let text = ''
  while (!FIRST_CHARACTER.test(text) && text.length < csv.MAX_ROW) {
    const { done, value } = await chunks.next()
    if (done) break
    text += value
  }
  return text
}

async function* prepend(first, rest) {
  yield first
  yield* rest
}

const mark = ({ hasMark }) => (hasMark ? '\ufeff' : '')

async function* fromCsv(list, chunks) {
  let header
  for await (const { line, end, fields, form } of csv.parse(chunks, list.name)) {
    if (fields.every(isBlank)) continue
    if (!header) {
      header = headerOf(fields, list.name)
      list.head = mark(list) + form.opening + csv.format([ERROR, ...header.names].map(csv.inert), form)
      continue
    }
    // The error comes first, so that it is in its column even if the row has too few or too many fields.
    const values = header.error === -1 ? fields : fields.toSpliced(header.error, 1).map(csv.restored)
    if (values.every(isBlank)) continue
    const back = error => csv.format([error, ...values].map(csv.inert), form)
    if (values.length === header.names.length) yield { ...header.read(values), line, end, source: back }
    else yield { line, end, source: back, broken: `The row has ${values.length} fields, but the header has ${header.names.length}.` }
  }
}

/** Spreadsheets write rows of blank fields for cells that were cleared. */
const isBlank = field => field.trim() === ''

/** Column names are compared without case and spaces. */
const plain = name => name.replaceAll(/\s/g, '').toLowerCase()

/** Interprets the first row: the column names, how to read a request, and the index of the error column of an earlier run. */
function headerOf(fields, name) {
  const hint = `The first line must name the columns ${COLUMNS.join(', ')}. Other columns are allowed.`
  const wrong = what => failure('INVALID_ARGUMENT', `${name}: the header ${what}.`, { hint })
  const places = fields.map(plain)
  const repeated = [...COLUMNS, ERROR].filter(column => places.indexOf(plain(column)) !== places.lastIndexOf(plain(column)))
  if (repeated.length > 0) throw wrong(`repeats ${repeated.join(', ')}`)
  const missing = COLUMNS.filter(column => !places.includes(plain(column)))
  if (missing.length > 0) throw wrong(`lacks ${missing.join(', ')}`)
  const error = places.indexOf(plain(ERROR))
  const columns = error === -1 ? places : places.toSpliced(error, 1)
  return {
    error,
    names: error === -1 ? fields : fields.toSpliced(error, 1).map(csv.restored),
    read: row => Object.fromEntries(COLUMNS.map(column => [column, row[columns.indexOf(plain(column))].trim()]))
  }
}

async function* fromJsonLines(list, chunks) {
  list.head = mark(list)
  for await (const { line, end, ...item } of jsonLines.parse(chunks, list.name)) yield { line, end, ...fromJson(item) }
}

function fromJson({ raw, text, eol }) {
  const value = jsonLines.parsed(text)
  if (!jsonLines.isObject(value))
    return { source: () => raw + eol, broken: value === undefined ? 'The line is not JSON.' : 'The line is not a JSON object.' }
  // `own`, so that nothing is read from a prototype.
  const { entityLogicalName, recordId, conversationId, [ERROR]: error } = own(value)
  return { entityLogicalName, recordId, conversationId, source: failed => withError(text, error, failed) + eol }
}

const property = error => `${JSON.stringify(ERROR)}:${JSON.stringify(error)}}`

/** Appends the error as the last property, instead of an earlier one. Works on the string, so that large numbers keep their digits. */
function withError(text, before, error) {
  const last = property(before)
  if (text === `{${last}`) return `{${property(error)}`
  const earlier = `,${last}`
  const object = text.endsWith(earlier) ? text.slice(0, -earlier.length) : text.slice(0, -1).trimEnd()
  return object + (object === '{' ? '' : ',') + property(error)
}

module.exports = { List }
