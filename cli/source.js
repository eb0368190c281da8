'use strict'

// The text of a list: from a file or stdin, in pieces, decoded.

const { createReadStream, statSync } = require('node:fs')
const { LinkError, failure } = require('../lib/link-error.js')

const STDIN = '-'

/** Bytes of the longest mark. */
const LONGEST_MARK = 3

/** A byte order mark, and what it stands for. */
const MARKS = [
  ['utf-8', [0xef, 0xbb, 0xbf]],
  ['utf-16le', [0xff, 0xfe]],
  ['utf-16be', [0xfe, 0xff]]
]

class Source {
  /** How messages call it. */
  name
  /** Or it is stdin. */
  isFile
  /** Whether it begins with a byte order mark. Known with the first piece. */
  hasMark = false
  #path
  #size
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

  /** The pieces, without the mark. */
  async *pieces() {
    this.#stream = this.isFile ? createReadStream(this.#path) : process.stdin
    let decoder
    try {
      for await (const bytes of withStart(this.#stream)) {
        decoder ??= this.#decoder(bytes)
        this.#bytes += bytes.length
        // Where a file is known to end, half a character is found before anything of this piece is begun.
        yield this.#decoded(decoder, bytes, this.#bytes !== this.#size)
      }
      if (decoder) yield this.#decoded(decoder, undefined, false)
    } catch (error) {
      if (error instanceof LinkError) throw error
      if (!this.#isClosed) throw this.#unreadable(error)
    }
  }

  /** Which part of the file so many characters are, from 0 to 1; nothing for stdin, which has no size. */
  share(characters) {
    if (!this.isFile) return undefined
    return characters === 0 ? 0 : (characters / this.#characters) * (this.#bytes / this.#size)
  }

  /** Waits no longer for what somebody else may never write. */
  close() {
    if (this.isFile || !this.#stream) return
    this.#isClosed = true
    this.#stream.destroy()
  }

  /** What is read by its path must not wait for somebody else: no signal could end that. stdin may wait. */
  #regular() {
    let status
    try {
      status = statSync(this.#path)
    } catch (error) {
      throw this.#unreadable(error)
    }
    if (status.isDirectory()) throw this.#unreadable({ code: 'EISDIR' })
    if (status.isFile()) return status
    throw failure('INVALID_ARGUMENT', `${this.name} is no regular file.`, { hint: 'Give what comes out of a pipe as stdin: `omnichannel-link bulk - < pipe`.' })
  }

  #decoder(bytes) {
    const [encoding] = MARKS.find(([, mark]) => mark.every((byte, at) => bytes[at] === byte)) ?? []
    this.hasMark = encoding !== undefined
    return new TextDecoder(encoding, { fatal: true })
  }

  /** Bytes that are no text would be lost in the file of failed items. */
  #decoded(decoder, bytes, stream) {
    try {
      const text = decoder.decode(bytes, { stream })
      this.#characters += text.length
      return text
    } catch {
      throw failure('INVALID_ARGUMENT', `${this.name} is not ${decoder.encoding.toUpperCase()}: some of its bytes are no characters.`, {
        hint: 'A list is UTF-8, or UTF-16 with its byte order mark. In Excel save it as "CSV UTF-8".'
      })
    }
  }

  #unreadable({ code, message }) {
    return failure('INVALID_ARGUMENT', `${this.name} cannot be read: ${code ?? message}.`)
  }
}

/** Chunks of bytes, of which the first has room for a mark: a pipe may give them one by one. */
async function* withStart(chunks) {
  let start = Buffer.alloc(0)
  for await (const bytes of chunks) {
    if (start.length >= LONGEST_MARK) yield bytes
    else {
      start = Buffer.concat([start, bytes])
      if (start.length >= LONGEST_MARK) yield start
    }
  }
  if (start.length > 0 && start.length < LONGEST_MARK) yield start
}

module.exports = { Source }
