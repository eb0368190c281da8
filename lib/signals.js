'use strict'

// What a caller's signal stops.

/** The pending calls of each signal: one listener for all of them, or Node would warn of a leak at the eleventh. */
const watched = new WeakMap()

/** Cancels a call when the signal aborts. Returns what ends that: a long-lived signal must not collect the calls it was given to. */
function watch(signal, call) {
  let calls = watched.get(signal)
  if (!calls) {
    const pending = new Set()
    // The newest first: a call must not get through because the one that it waited for is cancelled before it.
    const cancelAll = () => [...pending].toReversed().forEach(call => call.cancel())
    calls = { pending, cancelAll }
    watched.set(signal, calls)
    signal.addEventListener('abort', cancelAll)
  }
  calls.pending.add(call)
  return () => {
    calls.pending.delete(call)
    if (calls.pending.size > 0) return
    watched.delete(signal)
    signal.removeEventListener('abort', calls.cancelAll)
  }
}

module.exports = { watch }
