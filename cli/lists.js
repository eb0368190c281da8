'use strict'

// Files of requests: CSV with a header, or JSON Lines. Read as they are needed; what failed is written back in the same form.

const { createReadStream, openSync, closeSync, rmSync, statSync, writeSync } = require('node:fs')
const { extname } = require('node:path')
const { failure } = require('../lib/link-error.js')
const csv = require('./csv.js')

const COLUMNS = ['entityLogicalName', 'recordId', 'conversationId']

/** A column that the file of failed items has besides those of the list. */
const ERROR = 'error'

const FORMS = { '.csv': fromCsv, '.jsonl': fromJsonLines, '.ndjson': fromJsonLines }

/**
 * Opens a list. `requests()` are its items, each with its `line`, with `source` to write it back from and, if it is malformed, with
 * `broken`; `share()` is how much of the file was read.
 */
function openList(path) {
  const extension = extname(path)
  const form = FORMS[extension.toLowerCase()]
  if (!form) throw failure('INVALID_ARGUMENT', `'${path}': expected a file that ends in ${Object.keys(FORMS).join(', ')}.`)
  const size = sizeOf(path)
  let stream
  const failedPath = `${path.slice(0, path.length - extension.length)}.failed${extension}`
  const requests = () => {
    stream = createReadStream(path, 'utf8')
    return form(path, pieces(path, stream))
  }
  return { requests, share: () => (stream?.bytesRead ?? 0) / (size || 1), failed: failedItems(failedPath) }
}

async function* fromCsv(path, texts) {
  let header
  for await (const { line, fields } of csv.parse(texts)) {
    if (!header) {
      header = fields.map(field => field.trim())
      const missing = COLUMNS.filter(name => !header.includes(name))
      if (missing.length > 0) throw failure('INVALID_ARGUMENT', `'${path}': the header lacks ${missing.join(', ')}.`, { hint: `The first line names the columns: ${COLUMNS.join(',')}. Others may follow.` })
      continue
    }
    const broken = fields.length === header.length ? undefined : `${fields.length} fields, but the header has ${header.length}`
    const values = Object.fromEntries(COLUMNS.map(name => [name, fields[header.indexOf(name)]?.trim()]))
    const source = { head: csv.format(withError(header, header, ERROR)), item: text => csv.format(withError(header, fields, text)) }
    yield { ...values, line, source, broken }
  }
}

/** The fields with the error in its column, which is new unless the list is one of failed items. A row that is too short is filled up. */
function withError(header, fields, text) {
  const filled = [...fields, ...Array(Math.max(0, header.length - fields.length)).fill('')]
  const own = header.indexOf(ERROR)
  return own === -1 ? [...filled, text] : filled.with(own, text)
}

async function* fromJsonLines(_path, texts) {
  let line = 0
  for await (const text of lines(texts)) {
    line++
    const json = line === 1 ? text.replace(/^\ufeff/, '') : text
    if (json.trim() !== '') yield { line, ...fromJson(json) }
  }
}

function fromJson(text) {
  const asItIs = { head: '', item: () => `${text}\n` }
  try {
    const value = JSON.parse(text)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return { source: asItIs, broken: 'not a JSON object' }
    const { entityLogicalName, recordId, conversationId } = value
    return { entityLogicalName, recordId, conversationId, source: { head: '', item: error => `${JSON.stringify({ ...value, [ERROR]: error })}\n` } }
  } catch {
    return { source: asItIs, broken: 'not JSON' }
  }
}

/** Where failed items go: a file that is made when the first comes, and that no earlier run has left. */
function failedItems(path) {
  let file
  const begin = () => rmSync(path, { force: true })
  const add = (source, error) => {
    if (file === undefined) {
      try {
        file = openSync(path, 'w')
      } catch ({ code, message }) {
        throw failure('INVALID_ARGUMENT', `'${path}' cannot be written: ${code ?? message}.`)
      }
      writeSync(file, source.head)
    }
    // At once, so that it is there however the program ends.
    writeSync(file, source.item(`${error.code}: ${error.message}`))
  }
  return { path, begin, add, end: () => file !== undefined && closeSync(file) }
}

async function* lines(texts) {
  let rest = ''
  for await (const text of texts) {
    const whole = (rest + text).split('\n')
    rest = whole.pop()
    yield* whole
  }
  if (rest !== '') yield rest
}

async function* pieces(path, stream) {
  try {
    yield* stream
  } catch (error) {
    throw unreadable(path, error)
  }
}

function sizeOf(path) {
  try {
    return statSync(path).size
  } catch (error) {
    throw unreadable(path, error)
  }
}

const unreadable = (path, { code, message }) => failure('INVALID_ARGUMENT', `'${path}' cannot be read: ${code ?? message}.`)

module.exports = { openList }
