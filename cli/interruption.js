'use strict'

// Stops a command early: on Ctrl-C, SIGTERM, a closed terminal or stdout, or an error that affects the whole run.

const { INTERRUPTED, Interrupted } = require('./exit-codes.js')

/** Time for calls in progress to finish after a stop. */
const GRACE_IN_MS = 10_000

class Interruption {
  #stopping = new AbortController()
  #cancelling = new AbortController()
  #drains = false

  /** Aborts when the command must stop. */
  get signal() {
    return this.#stopping.signal
  }

  /** Aborts when calls in progress must be cancelled too. Reading it declares that the command lets them finish first. */
  get cancelSignal() {
    this.#drains = true
    return this.#cancelling.signal
  }

  /** Stops the command. Only the first reason counts. */
  stop(reason) {
    if (this.signal.aborted) return
    this.#stopping.abort(reason)
    if (this.#drains) setTimeout(() => this.#cancelling.abort(new Interrupted('Cancelled.')), GRACE_IN_MS).unref()
  }

  /** Handles a signal: stops the command, then cancels calls that were left to finish, then exits. */
  escalate(reason) {
    if (!this.signal.aborted) this.stop(reason)
    else if (this.#drains && !this.#cancelling.signal.aborted) this.#cancelling.abort(reason)
    else process.exit(INTERRUPTED)
  }
}

module.exports = { GRACE_IN_MS, Interruption }
