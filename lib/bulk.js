'use strict'

// Calls for the items of a list. The list is read as results are taken, and results come in its order.

const { performance } = require('node:perf_hooks')
const { setImmediate: nextTurn } = require('node:timers/promises')
const { isPromise } = require('node:util/types')
const { expectFunction, invalid, optionsOf, readable } = require('./validate.js')
const { uncaught } = require('./events.js')
const { properties, take } = require('./options.js')
const { AbortController, AbortSignal, cancelOnAbort, isAborted, reasonOf, throwIfAborted } = require('./signals.js')

// Calls in flight. The addon limits the requests in flight to the server's recommendation (16 to 48). The window is large enough to keep them
// busy while its first call is slow, and to share the commits of the embedded store.
const WINDOW = 256

// The calls of a list wait for their nextTurn, and for a server that throttles, possibly for minutes. With the default timeout of a call they
// would fail one after the other, as fast as the list can be read.
const TIMEOUT_IN_MS = 600_000

const PROGRESS_EVERY_MS = 200

const FIELDS = ['entityLogicalName', 'recordId', 'conversationId']

// Placeholder for ids of a call that makes no request.
const NIL_GUID = '00000000-0000-0000-0000-000000000000'

/**
 * Yields the results of `call(entityLogicalName, recordId, conversationId, options)` for every request. The options have the given shape.
 * `silent(options, …)` makes the same call without events, and `rejected(error, options)` handles requests that are malformed. `now` returns
 * milliseconds.
 */
async function* bulk(native, requests, options, { shape, call, silent, rejected }, now = () => performance.now()) {
  const given = optionsOf(native, options ?? {}, shape)
  const [onProgress, signal] = [take(given, 'onProgress'), take(given, 'signal')]
  expectFunction(native, 'options.onProgress', onProgress)
  isAborted(native, signal)
  const iterate = readable(native, 'requests', () => requests?.[Symbol.asyncIterator] ?? requests?.[Symbol.iterator])
  if (typeof iterate !== 'function' || typeof requests === 'string') {
    throw invalid(native, 'requests', 'an iterable or async iterable', requests)
  }
  const isObject = typeof given === 'object' && !Array.isArray(given)
  const shared = isObject ? { __proto__: null, ...given, timeoutInMs: given.timeoutInMs ?? TIMEOUT_IN_MS } : given
  // Rejects if the options are invalid, because every call would. A call whose signal is aborted checks its options and does nothing else. It
  // is made without events, because the program did not make it.
  const valid = new Error('the options are valid')
  const probe = isObject ? { __proto__: null, ...shared, signal: AbortSignal.abort(valid) } : shared
  await silent(probe, 'account', NIL_GUID, NIL_GUID).catch(error => {
    if (error !== valid) throw error
  })

  const controller = new AbortController()
  const stopping = controller.signal
  const [arrival, room] = [wakeup(), wakeup()]
  const stop = () => {
    controller.abort(signal && reasonOf(signal))
    arrival.wake()
    room.wake()
  }
  const progress = counter(onProgress, now)
  const targetOf = request => {
    try {
      return target(native, request)
    } catch (error) {
      rejected(error, shared)
      throw error
    }
  }
  const begin = async request => {
    try {
      const outcome = await call(...targetOf(request), { __proto__: null, ...shared, signal: stopping })
      progress.count('succeeded')
      return { request, outcome }
    } catch (error) {
      progress.count('failed')
      return { request, error }
    }
  }

  /** Promises of the results, in order. */
  const pending = []
  const list = { isRead: false }
  const read = async () => {
    for await (const [request] of boxed(requests)) {
      // A slow list may yield after the end.
      if (stopping.aborted) return
      pending.push(begin(request))
      arrival.wake()
      while (pending.length >= WINDOW && !stopping.aborted) await room.wait()
      if (stopping.aborted) return
    }
  }
  throwIfAborted(native, signal)
  const forget = signal && cancelOnAbort(native, signal, { cancel: stop })
  const reading = read()
    .catch(error => ({ error }))
    .finally(() => {
      list.isRead = true
      arrival.wake()
    })
  try {
    while (!list.isRead || pending.length > 0) {
      if (pending.length === 0) await arrival.wait()
      const result = await pending[0]
      stopping.throwIfAborted()
      if (!result) continue
      pending.shift()
      room.wake()
      yield result
    }
    // An error of the list comes after the results of all requests before it.
    const failure = await reading
    if (failure) throw failure.error
    progress.report()
  } finally {
    forget?.()
    progress.mute()
    stop()
    await Promise.all(pending)
    // Do not wait for a list that is itself waiting for something. It is closed when it yields.
    await Promise.race([reading, nextTurn()])
  }
}

/** Yields each request in an array: a request whose `then` throws is not an error of the list. */
async function* boxed(requests) {
  if (requests[Symbol.asyncIterator]) for await (const request of requests) yield [request]
  else for (const request of requests) yield [isPromise(request) ? await request : request]
}

/** The arguments of a request's call. */
function target(native, request) {
  if (typeof request !== 'object' || request === null) throw invalid(native, 'request', 'an object', request)
  // One by one, because in the rows of an object-relational mapper they are getters of a class.
  const { entityLogicalName, recordId, conversationId } = readable(native, 'request', () => properties(request, FIELDS))
  // Required, unlike in a single call: the focused conversation is no default for a whole list.
  if (conversationId == null) throw invalid(native, 'conversationId', 'a GUID', conversationId)
  return [entityLogicalName, recordId, conversationId]
}

/** Counts results, and reports the counts now and then. */
function counter(onProgress, now) {
  const progress = { done: 0, succeeded: 0, failed: 0 }
  let last = now()
  let isMute = !onProgress
  const report = () => {
    if (isMute) return
    last = now()
    uncaught(() => onProgress({ ...progress }))
  }
  const count = name => {
    progress.done++
    progress[name]++
    if (!isMute && now() - last >= PROGRESS_EVERY_MS) report()
  }
  return { count, report, mute: () => (isMute = true) }
}

/** Wakes one waiting function, as often as needed. */
function wakeup() {
  let waiting
  return { wait: () => new Promise(resolve => (waiting = resolve)), wake: () => waiting?.() }
}

module.exports = { bulk }
