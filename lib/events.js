'use strict'

// Events of a client. Node's emitter keeps the listeners. Calling them is done here, because in the emitter a listener that throws
// stops the others and the code that emitted the event.

const { EventEmitter } = require('node:events')
const { setImmediate } = require('node:timers')
// A `process` that a test has replaced may have little in it.
const { nextTick = setImmediate } = require('node:process')
const { invalid } = require('./validate.js')

// The other statuses of an outcome changed nothing and have no event.
const NAMES = ['linked', 'replaced', 'unlinked', 'failed', 'focus']

class Events {
  #native
  #emitter = new EventEmitter()
  /** Events that have not been emitted yet. */
  #queue = []
  #isEmitting = false
  /** Whether there is a listener of any event. A field, because every call reads it. */
  hasListeners = false

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
    this.#update()
  }

  #update() {
    this.hasListeners = NAMES.some(name => this.#hears(name))
  }

  /** Emits the event of an outcome, if it changed something, and returns the outcome. The call has succeeded, so nothing here may fail it. */
  outcome(outcome) {
    if (this.hasListeners && this.#hears(outcome.status) && !Object.hasOwn(outcome, 'dryRun')) this.#changed(outcome)
    return outcome
  }

  #changed(outcome) {
    const { status, conversationId, record, previous } = outcome
    const slot = status === 'unlinked' ? { before: record, after: null } : { before: previous, after: record }
    // A copy, because the outcome itself is the caller's.
    this.#emit(status, copied({ conversationId, ...slot, outcome }))
  }

  /** Emits the failure of a call. `conversation` is the id in the caller's spelling. */
  failure(method, conversation, error) {
    if (!this.#hears('failed')) return
    const conversationId = typeof conversation === 'string' ? conversation.replaceAll(/[{}]/g, '').toLowerCase() : null
    this.#emit('failed', { method, conversationId, error })
  }

  /** Makes a change and emits an event if it moved the focus, which `focused` returns. */
  focus(focused, change) {
    if (!this.#hears('focus')) return change()
    const previous = focused()
    change()
    const conversationId = focused()
    if (conversationId !== previous) this.#emit('focus', { conversationId, previous })
  }

  #hears(name) {
    return this.#emitter.listenerCount(name) > 0
  }

  /** Events that a listener causes wait until all listeners have seen the current one. */
  #emit(name, event) {
    this.#queue.push([name, event])
    if (this.#isEmitting) return
    this.#isEmitting = true
    while (this.#queue.length > 0) {
      const [name, event] = this.#queue.shift()
      // The raw listeners of `once` remove themselves. They are a copy: a listener that is added meanwhile gets the next event.
      for (const listener of this.#emitter.rawListeners(name)) uncaught(() => listener(event))
    }
    this.#isEmitting = false
    this.#update()
  }
}

/** Calls a function of the program. An error that it throws becomes an uncaught exception and does not stop its caller. */
function uncaught(call) {
  try {
    call()
  } catch (error) {
    nextTick(() => {
      throw error
    })
  }
}

const copied = value =>
  typeof value === 'object' && value !== null
    ? Object.fromEntries(Object.entries(value).map(([name, part]) => [name, copied(part)]))
    : value

module.exports = { Events, uncaught }
