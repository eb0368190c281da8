'use strict'

// Functions of the program that a client calls and waits for: its credential and its proxy function. A call of the same client inside such
// a function would wait for itself, so it is rejected. Only the async context distinguishes it from a call that is made at the same time.

const { AsyncLocalStorage } = require('node:async_hooks')
const { described } = require('./validate.js')

/** The invocation that the running code belongs to. */
const current = new AsyncLocalStorage()
/** The callbacks of each client of the addon. */
const callbacksOf = new WeakMap()
let pending = 0

/** The error of a function that called its own client. */
class NestedCall extends Error {}

/** The callbacks of a client. Not a part of the client, because the functions that the addon holds would then keep the client alive. */
class Callbacks {
  #pending = new Set()

  /** From now on, calls of this client inside its own callbacks are rejected. */
  attach(native) {
    callbacksOf.set(native, this)
  }

  /** Calls a function of the program, which is the value of an option. */
  async invoke(option, call) {
    const invocation = { owner: this, option, used: new Set(), hasNestedCall: false }
    this.#pending.add(invocation)
    pending++
    try {
      return await inContext(invocation, call)
    } catch (error) {
      throw invocation.hasNestedCall ? new NestedCall('it called the client that waits for it') : error
    } finally {
      this.#pending.delete(invocation)
      // Before Node 24 an async context slows down every promise of the process.
      if (--pending === 0) current.disable()
    }
  }

  /** Whether a callback of any client is pending. If none is, no call can be nested. */
  static arePending() {
    return pending > 0
  }

  /** Throws if this code runs inside a callback that this client waits for, directly or through other clients. */
  static rejectNestedCall(native) {
    const invocation = current.getStore()
    if (!invocation || !invocation.owner.#pending.has(invocation)) return
    const callbacks = callbacksOf.get(native)
    invocation.used.add(callbacks)
    if (!callbacks.#waitsFor(invocation.owner, new Set())) return
    invocation.hasNestedCall = true
    const message = `\`options.dataverse.${invocation.option}\` called the client that waits for it: the call would wait for itself.`
    throw described(native, 'INVALID_CONFIGURATION', message, { hint: 'Use another client, or none, inside this function.' })
  }

  /** Whether a pending callback of this client used the other one, directly or through further clients. */
  #waitsFor(other, seen) {
    if (this === other) return true
    seen.add(this)
    return [...this.#pending].some(({ used }) => [...used].some(callbacks => !seen.has(callbacks) && callbacks.#waitsFor(other, seen)))
  }
}

/** Calls without a context where Node cannot keep one: Node 20 throws if `Object.prototype` has an index as a property. */
function inContext(invocation, call) {
  let isCalled = false
  try {
    // Awaited inside, because the `then` of the result may call the client as well.
    return current.run(invocation, async () => {
      isCalled = true
      return await call()
    })
  } catch (error) {
    if (isCalled) throw error
    return call()
  }
}

module.exports = { Callbacks, NestedCall }
