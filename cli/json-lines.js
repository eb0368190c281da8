'use strict'

// JSON Lines: one object per line. Lines may end with a comma, as lines copied from an array do, or be separated by the record separators of
// RFC 7464. A document that spans several lines is rejected as a whole, because some of its lines could be taken for items.

const { failure } = require('../lib/link-error.js')
const csv = require('./csv.js')

/** Separates lines. RFC 7464 puts the second character in front of each value. */
// oxlint-disable-next-line no-control-regex
const BREAK = /([\n\x1e])/

/** Yields the lines that are not blank: `raw` is the trimmed line, `text` is the same without leading and trailing commas. */
async function* parse(chunks, name) {
  const ahead = []
  const document = new Document()
  let isDecided = false
  for await (const { text: whole, ...place } of lines(chunks, name)) {
    const raw = whole.trim()
    const text = withoutCommas(raw)
    if (text === '') continue
    ahead.push({ ...place, raw, text, eol: whole.endsWith('\r') ? '\r\n' : '\n' })
    isDecided ||= document.read(raw, text)
    if (document.kind) throw notJsonLines(name, document.kind)
    if (isDecided) yield* ahead.splice(0)
  }
  if (!isDecided) document.end()
  if (document.kind) throw notJsonLines(name, document.kind)
  yield* ahead
}

const isPadding = character => character === ',' || character.trim() === ''

/** Goes character by character, because a regular expression would take quadratic time for a long run of white space. */
function withoutCommas(text) {
  let [from, to] = [0, text.length]
  while (from < to && isPadding(text[from])) from++
  while (from < to && isPadding(text[to - 1])) to--
  return text.slice(from, to)
}

function notJsonLines(name, kind) {
  const hint = 'bulk expects one object per line: `jq -c ".[]"` converts an array, `jq -c .` converts objects that span several lines.'
  return failure('INVALID_ARGUMENT', `${name} is ${kind}, not JSON Lines: no item was started.`, { hint })
}

const ARRAY = 'a JSON array'
const OBJECT = 'a JSON object over several lines'

/** Detects from the first lines whether the list is one JSON document instead of JSON Lines. */
class Document {
  /** `ARRAY` or `OBJECT` once that is certain. */
  kind
  #value = new Value()
  #lines = 0
  #characters = 0

  /** Reads a line, with and without its outer commas. Returns whether it is now certain that these are JSON Lines. */
  read(raw, text) {
    this.#lines++
    this.#characters += raw.length
    if (this.#lines === 1) {
      const value = parsed(text)
      const isOfObjects = Array.isArray(value) && (value.length === 0 || value.some(isObject))
      if (isOfObjects || (value === undefined && text.startsWith('['))) this.kind = ARRAY
      if (value !== undefined || !text.startsWith('{')) return this.kind === undefined
    }
    if (!this.#value.accepts(raw)) return true
    if (this.#value.isComplete || this.#characters > csv.MAX_ROW) this.kind = OBJECT
    return false
  }

  /** Called if the list ends inside an object. Two lines are more likely a truncated item and a complete one. */
  end() {
    if (this.#lines > 2) this.kind = OBJECT
  }
}

const TOKEN = /\s*([{}[\],:]|"[^"\\]*(?:\\.[^"\\]*)*"|[^\s{}[\],:"]+)/y

/** A JSON value read line by line. Checks only whether its tokens are in a possible order. */
class Value {
  isComplete = false
  #open = []
  /** Tokens allowed next: a value, a key, a colon, a comma, or the closing bracket. */
  #next = ['value']

  accepts(line) {
    TOKEN.lastIndex = 0
    const end = line.trimEnd().length
    while (TOKEN.lastIndex < end) {
      const [, token] = TOKEN.exec(line) ?? []
      if (token === undefined || !this.#take(token)) return false
    }
    return true
  }

  #take(token) {
    const may = token => this.#next.includes(token)
    const inObject = this.#open.at(-1) === '{'
    if (token === '{' || token === '[') {
      if (!may('value')) return false
      this.#open.push(token)
      this.#next = [token === '{' ? 'key' : 'value', 'end']
    } else if (token === '}' || token === ']') {
      if (!may('end') || inObject !== (token === '}')) return false
      this.#open.pop()
      this.#hasValue()
    } else if (token === ':' || token === ',') {
      if (!may(token)) return false
      this.#next = [token === ',' && inObject ? 'key' : 'value']
    } else if (may('key')) {
      if (!token.startsWith('"')) return false
      this.#next = [':']
    } else {
      if (!may('value')) return false
      this.#hasValue()
    }
    return true
  }

  #hasValue() {
    this.isComplete = this.#open.length === 0
    this.#next = this.isComplete ? [] : [',', 'end']
  }
}

/** The value of a JSON string; undefined if it is not JSON. */
function parsed(text) {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const isObject = value => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Splits at line breaks and record separators. Yields each string with its line number and the characters up to its end. */
async function* lines(chunks, name) {
  let [line, end, rest, isBlank] = [1, 0, '', true]
  for await (const chunk of chunks) {
    const parts = (rest + chunk).split(BREAK)
    rest = parts.pop() ?? ''
    for (let at = 0; at < parts.length; at += 2) {
      end += parts[at].length + 1
      isBlank &&= parts[at].trim() === ''
      yield { line, end, text: parts[at] }
      if (parts[at + 1] === '\n') line++
    }
    if (rest.length > csv.MAX_ROW) throw isBlank && rest.trimStart().startsWith('[') ? notJsonLines(name, ARRAY) : csv.tooLong(name, line)
  }
  yield { line, end: end + rest.length, text: rest }
}

module.exports = { isObject, parse, parsed }
