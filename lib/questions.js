'use strict'

// Functions of the caller's that a client asks and waits for: its credential for a token, its proxy function for a proxy. A call of the
// same client inside such a function would wait for itself, so it is refused. Only the async context tells it from a call that
// merely happens at the same time, which has to wait.

const { AsyncLocalStorage } = require('node:async_hooks')
const { described } = require('./validate.js')

/** The question that the running code answers. */
const answered = new AsyncLocalStorage()
/** The questions of each client of the addon. */
const askers = new WeakMap()
let pending = 0

/** Why a function failed that called its own client. */
class NestedCall extends Error {}

/** The questions of a client. Apart from the client, or the function that the addon keeps would keep the client alive. */
class Questions {
  #pending = new Set()

  /** From now on calls of this client are refused inside its own functions. */
  belongTo(native) {
    askers.set(native, this)
  }

  /** Calls one of the functions. */
  async ask(option, call) {
    const question = { asker: this, option, used: new Set(), hasNestedCall: false }
    this.#pending.add(question)
    pending++
    try {
      return await inContext(question, call)
    } catch (error) {
      throw question.hasNestedCall ? new NestedCall('it called the client that asks it') : error
    } finally {
      this.#pending.delete(question)
      // Before Node 24 following the async context slows down every promise of the process.
      if (--pending === 0) answered.disable()
    }
  }

  /** Whether a function of any client is being asked. While none is, no call can be nested. */
  static arePending() {
    return pending > 0
  }

  /** Throws inside a function that this client waits for, on whatever detour over other clients. */
  static refuseNested(native) {
    const question = answered.getStore()
    if (!question?.asker.#pending.has(question)) return
    const asker = askers.get(native)
    question.used.add(asker)
    if (!asker.#waitsFor(question.asker, new Set())) return
    question.hasNestedCall = true
    const message = `\`options.dataverse.${question.option}\` called the client that asks it: the call would wait for itself.`
    throw described(native, 'INVALID_CONFIGURATION', message, { hint: 'Use another client, or none, inside this function.' })
  }

  /** Whether calls of this client wait for an answer that the other one waits for. */
  #waitsFor(other, seen) {
    if (this === other) return true
    seen.add(this)
    return [...this.#pending].some(({ used }) => [...used].some(asker => !seen.has(asker) && asker.#waitsFor(other, seen)))
  }
}

/** Calls without a context where Node cannot keep one: Node 20 fails if `Object.prototype` has an index as a property. */
function inContext(question, call) {
  let isCalled = false
  try {
    // Awaited inside: the `then` of what it returns may call the client as well.
    return answered.run(question, async () => {
      isCalled = true
      return await call()
    })
  } catch (error) {
    if (isCalled) throw error
    return call()
  }
}

module.exports = { NestedCall, Questions }
