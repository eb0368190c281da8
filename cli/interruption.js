'use strict'

// What ends a command before its end: Ctrl-C, SIGTERM, a terminal that is closed, a reader that is gone, or a failure that concerns the whole of it.

const { INTERRUPTED, Interrupted } = require('./exit-codes.js')

/** How long what is under way may take when all is to stop. */
const GRACE_IN_MS = 10_000

class Interruption {
  #stopping = new AbortController()
  #cancelling = new AbortController()
  #drains = false

  /** Aborts when the command is to stop. */
  get signal() {
    return this.#stopping.signal
  }

  /** For a command that lets what is under way come to its end: aborts when it is to wait no longer. */
  get cancelSignal() {
    this.#drains = true
    return this.#cancelling.signal
  }

  /** Stops, for the first reason there is. */
  stop(reason) {
    if (this.signal.aborted) return
    this.#stopping.abort(reason)
    if (this.#drains) setTimeout(() => this.#cancelling.abort(new Interrupted('Given up.')), GRACE_IN_MS).unref()
  }

  /** Somebody wants an end: stops, then gives up, then leaves. */
  request(reason) {
    if (!this.signal.aborted) this.stop(reason)
    else if (this.#drains && !this.#cancelling.signal.aborted) this.#cancelling.abort(reason)
    else process.exit(INTERRUPTED)
  }
}

module.exports = { GRACE_IN_MS, Interruption }
