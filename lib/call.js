'use strict'

// Calls of the addon: its errors become LinkErrors, and a signal cancels them.

const { isNativeError } = require('node:util/types')
const { Cancellation } = require('./binding.js')
const { Callbacks } = require('./callbacks.js')
const { LinkError, failure, fromAddon, shown } = require('./link-error.js')
const { take } = require('./options.js')
const { readable } = require('./validate.js')

/** Calls a synchronous method of the addon. */
function callNow(call) {
  try {
    return call()
  } catch (raw) {
    throw linkError(raw)
  }
}

/** Like `callWithSignal`, with the signal that is among the options. These are a copy that `read` in options.js made. */
function call(native, options, start, onValue, onError) {
  const signal = take(options, 'signal')
  return callWithSignal(native, signal, cancellation => start(options, cancellation), onValue, onError)
}

/**
 * Calls `start(cancellation)`, which the signal cancels, and resolves with `onValue` of its value. `onError(error, isAborted)` throws the
 * error to reject with: a LinkError, or the reason of the signal.
 *
 * It adds one `then` to the addon's promise, like a call without options in client.js. More would let later calls settle first.
 */
function callWithSignal(native, signal, start, onValue = identity, onError = rethrow) {
  let forget
  try {
    Callbacks.rejectNestedCall(native)
    const cancellation = signal === undefined ? undefined : new Cancellation()
    if (cancellation) {
      const { cancelOnAbort, isAborted } = require('./signals.js')
      if (isAborted(native, signal)) cancellation.cancel()
      forget = cancelOnAbort(native, signal, cancellation)
    }
    // The addon rejects. It throws only what a getter or a proxy's trap of an argument threw.
    const pending = readable(native, 'arguments', () => start(cancellation))
    return pending.then(
      value => {
        forget?.()
        return onValue(value)
      },
      raw => {
        forget?.()
        const isAborted = raw == null && signal !== undefined
        return onError(isAborted ? require('./signals.js').reasonOf(signal) : linkError(raw), isAborted)
      }
    )
  } catch (error) {
    forget?.()
    return rejected(error, onError)
  }
}

const identity = value => value

function rethrow(error, _isAborted = false) {
  throw error
}

/** Rejects with the error that `onError` throws. */
async function rejected(error, onError) {
  return onError(error, false)
}

/** The LinkError of an error that the addon made. Any other value is a defect of the addon. */
function linkError(raw) {
  if (raw instanceof LinkError) return raw
  if (isNativeError(raw) && Object.hasOwn(raw, 'maybeApplied')) return fromAddon(raw)
  return failure('INTERNAL', `The addon failed: ${shown(raw?.message ?? raw)}`, { cause: raw })
}

module.exports = { call, callNow, callWithSignal, linkError, rejected }
