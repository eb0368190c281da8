'use strict'

// The source of a list: reads a file or stdin in chunks, and decodes them.

const { createReadStream, statSync } = require('node:fs')
const { LinkError, failure } = require('../lib/link-error.js')

const STDIN = '-'

/** Bytes of the longest byte order mark. */
const MAX_MARK = 3

/** @type {[string, number[]][]} Encodings and their byte order marks. */
const MARKS = [
  ['utf-8', [0xef, 0xbb, 0xbf]],
  ['utf-16le', [0xff, 0xfe]],
  ['utf-16be', [0xfe, 0xff]]
]

class Source {
  /** Its name in messages. */
  name
  /** Whether it is a file; otherwise it is stdin. */
  isFile
  /** Whether it begins with a byte order mark. Known once the first chunk is. */
  hasMark = false
  #path
  #size = 0
  #stream
  #bytes = 0
  #characters = 0
  #isClosed = false

  constructor(path) {
    this.#path = path
    this.isFile = path !== STDIN
    this.name = this.isFile ? `'${path}'` : 'stdin'
    if (this.isFile) this.#size = this.#regular().size
  }

  /** Yields decoded chunks, without the byte order mark. */
  async *chunks() {
    this.#stream = this.isFile ? createReadStream(this.#path) : process.stdin
    let decoder
    try {
      for await (const bytes of withStart(this.#stream)) {
        decoder ??= this.#decoder(bytes)
        this.#bytes += bytes.length
        // The last chunk of a file is known by its size, so an incomplete character is reported before any item of this chunk starts.
        yield this.#decoded(decoder, bytes, this.#bytes !== this.#size)
      }
      if (decoder) yield this.#decoded(decoder, undefined, false)
    } catch (error) {
      if (error instanceof LinkError) throw error
      if (!this.#isClosed) throw this.#unreadable(error)
    }
  }

  /** The share of the file that this many characters are, from 0 to 1; undefined for stdin, which has no size. */
  share(characters) {
    if (!this.isFile) return undefined
    return characters === 0 ? 0 : (characters / this.#characters) * (this.#bytes / this.#size)
  }

  /** Stops waiting for more of stdin, which may never end. */
  close() {
    if (this.isFile || !this.#stream) return
    this.#isClosed = true
    this.#stream.destroy()
  }

  /** Opening a pipe by its path would wait for its writer, and no signal could interrupt that. Waiting for stdin can be interrupted. */
  #regular() {
    let status
    try {
      status = statSync(this.#path)
    } catch (error) {
      throw this.#unreadable(error)
    }
    if (status.isDirectory()) throw this.#unreadable({ code: 'EISDIR' })
    if (status.isFile()) return status
    const hint = 'Pass the contents of a pipe as stdin: `omnichannel-link bulk - < pipe`.'
    throw failure('INVALID_ARGUMENT', `${this.name} is not a regular file.`, { hint })
  }

  #decoder(bytes) {
    const [encoding] = MARKS.find(([, mark]) => mark.every((byte, at) => bytes[at] === byte)) ?? []
    this.hasMark = encoding !== undefined
    return new TextDecoder(encoding, { fatal: true })
  }

  /** Invalid bytes are an error: the file of failed items could not reproduce them. */
  #decoded(decoder, bytes, stream) {
    try {
      const text = decoder.decode(bytes, { stream })
      this.#characters += text.length
      return text
    } catch {
      const hint = 'A list must be UTF-8, or UTF-16 with a byte order mark. In Excel, save it as "CSV UTF-8".'
      throw failure('INVALID_ARGUMENT', `${this.name} is not valid ${decoder.encoding.toUpperCase()}.`, { hint })
    }
  }

  #unreadable(/** @type {any} */ { code, message }) {
    return failure('INVALID_ARGUMENT', `${this.name} cannot be read: ${code ?? message}.`)
  }
}

/** Merges the first chunks until they can contain a byte order mark: a pipe may deliver single bytes. */
async function* withStart(chunks) {
  let start = Buffer.alloc(0)
  for await (const bytes of chunks) {
    if (start.length >= MAX_MARK) yield bytes
    else {
      start = Buffer.concat([start, bytes])
      if (start.length >= MAX_MARK) yield start
    }
  }
  if (start.length > 0 && start.length < MAX_MARK) yield start
}

module.exports = { Source }
