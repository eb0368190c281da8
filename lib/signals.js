'use strict'

// Signals of callers. A signal may be of another realm or a polyfill, so only its shape is checked.

// Bun has no such function, and its global class is the right one.
const { transferableAbortController = () => new globalThis.AbortController() } = require('node:util')
const { invalid, readable } = require('./validate.js')

// The classes of Node. A page-like environment, such as Jest with jsdom, has older ones of these names, or none.
const {
  constructor: AbortController,
  signal: { constructor: AbortSignal }
} = /** @type {any} */ (transferableAbortController())

/** The pending calls of each signal. They share one listener, because Node warns of a leak at the eleventh. */
const pendingCalls = new WeakMap()

/** Whether a signal is aborted already. Throws unless it is a signal or undefined. */
function isAborted(native, signal) {
  if (signal === undefined) return false
  const aborted = readable(native, 'options.signal', () => {
    const { aborted, addEventListener, removeEventListener } = signal ?? {}
    return [addEventListener, removeEventListener].every(method => typeof method === 'function') ? aborted : undefined
  })
  if (typeof aborted !== 'boolean') throw invalid(native, 'options.signal', 'an AbortSignal', signal)
  return aborted
}

/** The reason of an aborted signal. An old polyfill has none. */
function reasonOf(signal) {
  try {
    if (signal.reason !== undefined) return signal.reason
  } catch {
    // A signal whose getter throws is aborted all the same.
  }
  return AbortSignal.abort().reason
}

function throwIfAborted(native, signal) {
  if (isAborted(native, signal)) throw reasonOf(signal)
}

/** Cancels a call when the signal aborts. Returns a function that ends this, so that a long-lived signal does not collect calls. */
function cancelOnAbort(native, signal, call) {
  let calls = pendingCalls.get(signal)
  if (calls) {
    calls.pending.add(call)
  } else {
    const pending = new Set([call])
    // The newest first, so that no call starts because the one before it was cancelled.
    const cancelAll = () => [...pending].toReversed().forEach(call => call.cancel())
    calls = { pending, cancelAll }
    readable(native, 'options.signal', () => signal.addEventListener('abort', cancelAll))
    pendingCalls.set(signal, calls)
  }
  return () => {
    calls.pending.delete(call)
    if (calls.pending.size > 0) return
    pendingCalls.delete(signal)
    try {
      signal.removeEventListener('abort', calls.cancelAll)
    } catch {
      // The call has ended. An error of its signal does not change the result.
    }
  }
}

module.exports = { AbortController, AbortSignal, cancelOnAbort, isAborted, reasonOf, throwIfAborted }
