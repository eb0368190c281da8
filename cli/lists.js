'use strict'

// Lists of requests: CSV with a header, or JSON Lines. Read as they are needed; what failed is written back in the same form.

const { extname } = require('node:path')
const { failure, own } = require('../lib/link-error.js')
const csv = require('./csv.js')
const jsonLines = require('./json-lines.js')
const { Source } = require('./source.js')

const COLUMNS = ['entityLogicalName', 'recordId', 'conversationId']

/** The column, or property, that items written back have besides their own: a name that no list has by chance. */
const ERROR = 'bulkError'

/** The first character that is not white space or a record separator, if it begins JSON or if it does not. */
// oxlint-disable-next-line no-control-regex
const BEGINNING = /^[\s\x1e]*(?:([{[])|[^\s\x1e])/

const FORMS = { __proto__: null, '.csv': fromCsv, '.jsonl': fromJsonLines, '.ndjson': fromJsonLines }

/**
 * A list. `requests()` are its items, each with the `line` it begins in, with `end`, the characters up to its end, and with
 * `source(error)`, the text that gives it to another bulk. One that is malformed has `broken`, which says why, and nothing to call with.
 */
class List {
  /** What stands before the items that are written back. Known with the first of them. */
  head = ''
  #source
  #extension

  constructor(path) {
    this.#source = new Source(path)
    this.#extension = extname(path)
    this.name = this.#source.name
    this.isFile = this.#source.isFile
    /** Where failed items go by default; nowhere if the list is no file. */
    this.failedPath = this.#source.isFile ? `${path.slice(0, path.length - this.#extension.length)}.failed${this.#extension}` : undefined
  }

  async *requests() {
    const source = this.#source
    const texts = source.pieces()
    const known = FORMS[this.#extension.toLowerCase()]
    const first = await opening(texts)
    const form = known ?? (BEGINNING.exec(first)?.[1] ? fromJsonLines : fromCsv)
    yield* form(this, behind(first, texts), source)
  }

  share(characters) {
    return this.#source.share(characters)
  }

  close() {
    this.#source.close()
  }
}

/** As many pieces as it takes to see more than white space, which tells the form. */
async function opening(texts) {
  let text = ''
  while (!BEGINNING.test(text) && text.length < csv.LONGEST) {
    const { done, value } = await texts.next()
    if (done) break
    text += value
  }
  return text
}

async function* behind(first, others) {
  yield first
  yield* others
}

const mark = ({ hasMark }) => (hasMark ? '\ufeff' : '')

async function* fromCsv(list, texts, source) {
  let header
  for await (const { line, end, fields, form } of csv.parse(texts, source.name)) {
    if (fields.every(isBlank)) continue
    if (!header) {
      header = headerOf(fields, source.name)
      list.head = mark(source) + form.opening + csv.format([ERROR, ...header.names].map(csv.inert), form)
      continue
    }
    // The error comes first, so that it stands in its column also where the fields are too few or too many for theirs.
    const own = header.error === -1 ? fields : fields.toSpliced(header.error, 1).map(csv.restored)
    if (own.every(isBlank)) continue
    const back = error => csv.format([error, ...own].map(csv.inert), form)
    if (own.length === header.names.length) yield { ...header.read(own), line, end, source: back }
    else yield { line, end, source: back, broken: `The row has ${own.length} fields, but the header ${header.names.length}.` }
  }
}

/** Spreadsheets write such rows for what was cleared in them. */
const isBlank = field => field.trim() === ''

/** Column names are compared without case and spaces. */
const plain = text => text.replaceAll(/\s/g, '').toLowerCase()

/** What the first row says: the list's own columns, which of them make a request, and where an earlier bulk wrote its errors. */
function headerOf(fields, name) {
  const wrong = what => failure('INVALID_ARGUMENT', `${name}: the header ${what}.`, {
    hint: `The first line names the columns: ${COLUMNS.join(',')}. Others may follow.`
  })
  const places = fields.map(plain)
  const repeated = [...COLUMNS, ERROR].filter(column => places.indexOf(plain(column)) !== places.lastIndexOf(plain(column)))
  if (repeated.length > 0) throw wrong(`repeats ${repeated.join(', ')}`)
  const missing = COLUMNS.filter(column => !places.includes(plain(column)))
  if (missing.length > 0) throw wrong(`lacks ${missing.join(', ')}`)
  const error = places.indexOf(plain(ERROR))
  const own = error === -1 ? places : places.toSpliced(error, 1)
  return {
    error,
    names: error === -1 ? fields : fields.toSpliced(error, 1).map(csv.restored),
    read: row => Object.fromEntries(COLUMNS.map(column => [column, row[own.indexOf(plain(column))].trim()]))
  }
}

async function* fromJsonLines(list, texts, source) {
  list.head = mark(source)
  for await (const { line, end, ...item } of jsonLines.parse(texts, source.name)) yield { line, end, ...fromJson(item) }
}

function fromJson({ raw, text, eol }) {
  const value = jsonLines.parsed(text)
  if (!jsonLines.isObject(value)) return { source: () => raw + eol, broken: value === undefined ? 'The line is not JSON.' : 'The line is not a JSON object.' }
  // Only what the line itself says.
  const { entityLogicalName, recordId, conversationId, [ERROR]: error } = own(value)
  return { entityLogicalName, recordId, conversationId, source: told => withError(text, error, told) + eol }
}

const property = error => `${JSON.stringify(ERROR)}:${JSON.stringify(error)}}`

/** The text itself, and the error behind its last property: numbers that JavaScript cannot hold stay as they are. */
function withError(text, before, error) {
  const last = property(before)
  if (text === `{${last}`) return `{${property(error)}`
  const earlier = `,${last}`
  const own = text.endsWith(earlier) ? text.slice(0, -earlier.length) : text.slice(0, -1).trimEnd()
  return own + (own === '{' ? '' : ',') + property(error)
}

module.exports = { List }
