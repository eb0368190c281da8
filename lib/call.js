'use strict'

// Calls of the addon: its errors become LinkErrors, and a signal cancels them.

const { isNativeError } = require('node:util/types')
const { Cancellation } = require('./binding.js')
const { Callbacks } = require('./callbacks.js')
const { LinkError, failure, fromAddon } = require('./link-error.js')
const { take } = require('./options.js')
const { cancelOnAbort, isAborted, reasonOf } = require('./signals.js')
const { readable } = require('./validate.js')

/** Calls a synchronous method of the addon. */
function callNow(call) {
  try {
    return call()
  } catch (raw) {
    throw linkError(raw)
  }
}

/**
 * Awaits `start(options, cancellation)`, and cancels it when the signal among the options aborts. `onAborted` is called before the promise
 * rejects for that reason. The options are a copy that `read` in options.js made.
 */
async function call(native, options, start, onAborted) {
  const signal = take(options, 'signal')
  return await callWithSignal(native, signal, cancellation => start(options, cancellation), onAborted)
}

/** The same with the signal apart from the options. */
async function callWithSignal(native, signal, start, onAborted) {
  Callbacks.rejectNestedCall(native)
  // The addon rejects. It throws only what a getter or a proxy's trap of an argument threw.
  const begin = cancellation => readable(native, 'arguments', () => start(cancellation))
  if (signal === undefined) {
    try {
      return await begin()
    } catch (raw) {
      throw linkError(raw)
    }
  }
  const cancellation = new Cancellation()
  if (isAborted(native, signal)) cancellation.cancel()
  const forget = cancelOnAbort(native, signal, cancellation)
  try {
    return await begin(cancellation)
  } catch (raw) {
    if (raw != null) throw linkError(raw)
    onAborted?.()
    throw reasonOf(signal)
  } finally {
    forget()
  }
}

/** The LinkError of an error that the addon made. Any other error of the addon is a defect. */
function linkError(raw) {
  if (raw instanceof LinkError) return raw
  if (isNativeError(raw) && !Object.hasOwn(raw, 'maybeApplied'))
    return failure('INTERNAL', `The addon failed: ${raw.message}`, { cause: raw })
  return fromAddon(raw)
}

module.exports = { call, callNow, callWithSignal, linkError }
