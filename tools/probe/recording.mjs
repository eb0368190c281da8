// The file with everything the probe saw, one JSON object per line, without secrets.
import { appendFileSync, writeFileSync } from 'node:fs'

const SECRET_HEADERS = new Set(['authorization', 'cookie', 'set-cookie'])
/** A body of a thousand batch parts needs no room in the file. */
const MAX_BODY = 20_000

export class Recording {
  #path
  #secrets = []

  /** Fails if the file exists, so that no earlier recording is lost. */
  constructor(path) {
    this.#path = path
    writeFileSync(path, '', { flag: 'wx' })
  }

  get path() {
    return this.#path
  }

  /** A string that must never reach the file or the terminal. */
  addSecret(secret) {
    for (const form of [secret, encodeURIComponent(secret)]) if (form && !this.#secrets.includes(form)) this.#secrets.push(form)
  }

  redact(text) {
    return this.#secrets.reduce((text, secret) => text.replaceAll(secret, '***'), text)
  }

  /** Appends a line at once: an interrupted probe leaves everything it saw until then. */
  write(entry) {
    const line = JSON.stringify(entry, (_, value) => (typeof value === 'string' ? this.redact(value) : value))
    try {
      appendFileSync(this.#path, `${line}\n`)
    } catch (error) {
      // Restoring the conversation is more important than the file.
      console.error(`The recording is incomplete: ${error.message}`)
    }
  }

  exchange(question, request, response, durationInMs) {
    this.write({
      kind: 'exchange',
      question,
      request: { ...request, headers: shown(request.headers), body: shortened(request.body) },
      response: response.error ? response : { ...response, headers: shown(response.headers), body: shortened(response.body) },
      durationInMs
    })
  }

  answer(question, text, answer) {
    this.write({ kind: 'answer', question, text, answer })
  }
}

const shown = headers =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, SECRET_HEADERS.has(name) ? '***' : value]))

const shortened = body => (body.length > MAX_BODY ? `${body.slice(0, MAX_BODY)} … (${body.length} characters)` : body)
