'use strict'

// JSON Lines: one object on each line, also with a comma behind it, as lines out of an array have one, or with the record separators of
// RFC 7464. A document that spans several lines is refused as a whole: its lines would look like items, and some of them would be.

const { failure } = require('../lib/link-error.js')
const csv = require('./csv.js')

/** Between lines; RFC 7464 has the second one, in front of each text. */
// oxlint-disable-next-line no-control-regex
const BREAK = /([\n\x1e])/

/** The lines that are not blank: `raw`, as it is, and `text`, without commas around it. */
async function* parse(pieces, name) {
  const ahead = []
  const document = new Document()
  let isDecided = false
  for await (const { text: whole, ...place } of lines(pieces, name)) {
    const raw = whole.trim()
    const text = withoutCommas(raw)
    if (text === '') continue
    ahead.push({ ...place, raw, text, eol: whole.endsWith('\r') ? '\r\n' : '\n' })
    isDecided ||= document.read(raw, text)
    if (document.what) throw refusal(name, document.what)
    if (isDecided) yield* ahead.splice(0)
  }
  if (!isDecided) document.end()
  if (document.what) throw refusal(name, document.what)
  yield* ahead
}

const isOutside = character => character === ',' || character.trim() === ''

/** Character by character: an expression would go through a long run of white space once for each character of it. */
function withoutCommas(text) {
  let [from, to] = [0, text.length]
  while (from < to && isOutside(text[from])) from++
  while (from < to && isOutside(text[to - 1])) to--
  return text.slice(from, to)
}

const refusal = (name, what) => failure('INVALID_ARGUMENT', `${name} is ${what}, not JSON Lines: nothing of it was begun.`, {
  hint: 'bulk takes one object on each line: `jq -c ".[]"` makes such lines of an array, `jq -c .` of objects that span lines.'
})

const ARRAY = 'a JSON array'
const OBJECT = 'a JSON object over several lines'

/** What the first lines of a list may be the beginning of, instead of JSON Lines. */
class Document {
  /** Known when it is certain. */
  what
  #value = new Value()
  #lines = 0
  #characters = 0

  /** Takes a line, with and without commas around it. Returns whether it is certain by now that these are JSON Lines. */
  read(raw, text) {
    this.#lines++
    this.#characters += raw.length
    if (this.#lines === 1) {
      const value = parsed(text)
      const isOfObjects = Array.isArray(value) && (value.length === 0 || value.some(isObject))
      if (isOfObjects || (value === undefined && text.startsWith('['))) this.what = ARRAY
      if (value !== undefined || !text.startsWith('{')) return this.what === undefined
    }
    if (!this.#value.goesOn(raw)) return true
    if (this.#value.isWhole || this.#characters > csv.LONGEST) this.what = OBJECT
    return false
  }

  /** The list ends within an object. With two lines it looks like a torn one, and a whole one after it. */
  end() {
    if (this.#lines > 2) this.what = OBJECT
  }
}

const TOKEN = /\s*([{}[\],:]|"[^"\\]*(?:\\.[^"\\]*)*"|[^\s{}[\],:"]+)/y

/** A JSON value that comes line by line, as far as its brackets, commas and colons say whether it can go on like that. */
class Value {
  isWhole = false
  #open = []
  /** Which may come next: a value, a key, a colon, a comma, the end of what is open. */
  #next = ['value']

  goesOn(text) {
    TOKEN.lastIndex = 0
    const end = text.trimEnd().length
    while (TOKEN.lastIndex < end) {
      const [, token] = TOKEN.exec(text) ?? []
      if (token === undefined || !this.#take(token)) return false
    }
    return true
  }

  #take(token) {
    const may = what => this.#next.includes(what)
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
    this.isWhole = this.#open.length === 0
    this.#next = this.isWhole ? [] : [',', 'end']
  }
}

/** The value that a text is, if it is JSON. */
function parsed(text) {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const isObject = value => typeof value === 'object' && value !== null && !Array.isArray(value)

/** What stands between line breaks and record separators, with its line and the characters up to its end. */
async function* lines(texts, name) {
  let [line, end, rest, isBlank] = [1, 0, '', true]
  for await (const text of texts) {
    const whole = (rest + text).split(BREAK)
    rest = whole.pop()
    for (let at = 0; at < whole.length; at += 2) {
      end += whole[at].length + 1
      isBlank &&= whole[at].trim() === ''
      yield { line, end, text: whole[at] }
      if (whole[at + 1] === '\n') line++
    }
    if (rest.length > csv.LONGEST) throw isBlank && rest.trimStart().startsWith('[') ? refusal(name, ARRAY) : csv.tooLong(name, line)
  }
  yield { line, end: end + rest.length, text: rest }
}

module.exports = { isObject, parse, parsed }
