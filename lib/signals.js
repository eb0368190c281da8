'use strict'

// Signals of callers, and the calls that they stop. A signal may be of another realm, or a polyfill: its shape is what counts.

const { transferableAbortController } = require('node:util')
const { invalid, readable } = require('./validate.js')

// Node's own. A page-like environment, such as Jest's with jsdom, has older ones of these names, or none.
const { constructor: AbortController, signal: { constructor: AbortSignal } } = transferableAbortController()

/** The pending calls of each signal: one listener for all of them, or Node would warn of a leak at the eleventh. */
const watched = new WeakMap()

/** Whether a signal is aborted already. Refuses anything that is neither a signal nor left out. */
function isAborted(native, signal) {
  if (signal === undefined) return false
  const { aborted, addEventListener, removeEventListener } = readable(native, 'options.signal', () => ({
    aborted: signal?.aborted, addEventListener: signal?.addEventListener, removeEventListener: signal?.removeEventListener
  }))
  const isSignal = typeof aborted === 'boolean' && [addEventListener, removeEventListener].every(method => typeof method === 'function')
  if (!isSignal) throw invalid(native, 'options.signal', 'an AbortSignal', signal)
  return aborted
}

/** Why a signal was aborted. An old polyfill does not say. */
function reasonOf(signal) {
  try {
    if (signal.reason !== undefined) return signal.reason
  } catch {
    // A signal that fails has aborted all the same.
  }
  return AbortSignal.abort().reason
}

function throwIfAborted(native, signal) {
  if (isAborted(native, signal)) throw reasonOf(signal)
}

/** Cancels a call when the signal aborts. Returns what ends that: a long-lived signal must not collect the calls it was given to. */
function cancelOnAbort(native, signal, call) {
  let calls = watched.get(signal)
  if (calls) {
    calls.pending.add(call)
  } else {
    const pending = new Set([call])
    // The newest first: a call must not get through because the one that it waited for is cancelled before it.
    const cancelAll = () => [...pending].toReversed().forEach(call => call.cancel())
    calls = { pending, cancelAll }
    readable(native, 'options.signal', () => signal.addEventListener('abort', cancelAll))
    watched.set(signal, calls)
  }
  return () => {
    calls.pending.delete(call)
    if (calls.pending.size > 0) return
    watched.delete(signal)
    try {
      signal.removeEventListener('abort', calls.cancelAll)
    } catch {
      // The call has ended, and how does not change because its signal fails.
    }
  }
}

module.exports = { AbortController, AbortSignal, cancelOnAbort, isAborted, reasonOf, throwIfAborted }
