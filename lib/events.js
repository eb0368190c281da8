'use strict'

// What a client tells its listeners. Node's emitter keeps them; telling them is ours, because there a listener that throws stops
// those behind it and whoever told it.

const { EventEmitter } = require('node:events')
const { setImmediate } = require('node:timers')
// A `process` that a test has replaced may have little in it.
const { nextTick = setImmediate } = require('node:process')
const { invalid } = require('./arguments.js')
const { own } = require('./link-error.js')

// Nobody can listen to the other statuses of an outcome, which stand for no change.
const NAMES = ['linked', 'replaced', 'unlinked', 'failed', 'focus']

class Events {
  #native
  #emitter = new EventEmitter()
  /** What happened and is not told yet. */
  #untold = []
  #isTelling = false

  constructor(native) {
    this.#native = native
    // Node would warn of a leak at the eleventh, and name a method that a client does not have.
    this.#emitter.setMaxListeners(0)
  }

  /** `method` is `on`, `once` or `off`. */
  change(method, name, listener) {
    if (!NAMES.includes(name)) throw invalid(this.#native, 'event', `one of ${NAMES.join(', ')}`, name)
    if (typeof listener !== 'function') throw invalid(this.#native, 'listener', 'a function', listener)
    this.#emitter[method](name, listener)
  }

  /** Tells of what a call has changed, if it has changed something. It is done, so nothing that fails here is a failure of the call. */
  outcome(outcome) {
    uncaught(() => this.#outcome(outcome))
  }

  #outcome(outcome) {
    const { status, conversationId, record, previous = null, dryRun } = own(outcome)
    if (!this.hears(status) || dryRun) return
    const slot = status === 'unlinked' ? { before: record, after: null } : { before: previous, after: record }
    // The outcome itself is the caller's.
    this.#tell(status, copied({ conversationId, ...slot, outcome }))
  }

  /** Tells of a call that failed. One that its own program aborted did not, and a dry run would have changed nothing anyway. */
  failure(method, meant, error, { dryRun, isAborted }) {
    if (!this.hears('failed') || isAborted || dryRun === true) return
    const conversationId = typeof meant === 'string' ? meant.replaceAll(/[{}]/g, '').toLowerCase() : null
    this.#tell('failed', { method, conversationId, error })
  }

  /** Makes a change and tells if it moved the focus, which `focused` looks up. */
  focus(focused, change) {
    if (!this.hears('focus')) return change()
    const previous = focused()
    change()
    const conversationId = focused()
    if (conversationId !== previous) this.#tell('focus', { conversationId, previous })
  }

  /** Whether anybody listens. */
  hears(name) {
    return this.#emitter.listenerCount(name) > 0
  }

  /** Tells one after the other: what a listener brings about is told when all have heard of what it heard of. */
  #tell(name, event) {
    this.#untold.push([name, event])
    if (this.#isTelling) return
    this.#isTelling = true
    while (this.#untold.length > 0) {
      const [name, event] = this.#untold.shift()
      // Raw ones: those of `once` take themselves away. A copy: one that is added meanwhile hears of the next event.
      for (const listener of this.#emitter.rawListeners(name)) uncaught(() => listener(event))
    }
    this.#isTelling = false
  }
}

/** Calls a function of the program's own. What it throws is an uncaught exception, and no failure of what called it. */
function uncaught(call) {
  try {
    call()
  } catch (error) {
    nextTick(() => {
      throw error
    })
  }
}

/** A copy of plain data. */
const copied = value =>
  typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value).map(([name, part]) => [name, copied(part)])) : value

module.exports = { Events, uncaught }
