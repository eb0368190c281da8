'use strict'

// Many calls from one list: it is read as results are taken, and they come in its order.

const { performance } = require('node:perf_hooks')
const { setImmediate: turn } = require('node:timers/promises')
const { isPromise } = require('node:util/types')
const { demandFunction, invalid, optionsOf, readable } = require('./validate.js')
const { uncaught } = require('./events.js')
const { properties, take } = require('./options.js')
const { AbortController, AbortSignal, cancelOnAbort, isAborted, reasonOf, throwIfAborted } = require('./signals.js')

// Calls under way at once. How many requests the server is sent is not decided here: the addon keeps to what the server recommends
// (16 to 48), and the others wait. So the window only has to be large enough never to run dry while its first call is slow, and to
// share the embedded store's commits well; and small enough that nothing is gained by a smaller one.
const WINDOW = 256

// A bulk has time: its calls wait for their turn, and for a server that throttles, for minutes if it says so. With the deadline of a
// single call they would fail instead, one after the other, as fast as the list can be read.
const TIMEOUT_IN_MS = 600_000

const PROGRESS_EVERY_MS = 200

const FIELDS = ['entityLogicalName', 'recordId', 'conversationId']

// An id that is never looked up.
const NIL_GUID = '00000000-0000-0000-0000-000000000000'

/**
 * The results of `call(entityLogicalName, recordId, conversationId, options)` for every request; the options have this shape. `silent(options, …)`
 * is the same without events, and `rejected(error, options)` is told of requests that make no call. `now` is the time in milliseconds.
 */
async function* bulk(native, requests, options, { shape, call, silent, rejected }, now = () => performance.now()) {
  const given = optionsOf(native, options ?? {}, shape)
  const [onProgress, signal] = [take(given, 'onProgress'), take(given, 'signal')]
  demandFunction(native, 'options.onProgress', onProgress)
  isAborted(native, signal)
  const iterate = readable(native, 'requests', () => requests?.[Symbol.asyncIterator] ?? requests?.[Symbol.iterator])
  if (typeof iterate !== 'function' || typeof requests === 'string') {
    throw invalid(native, 'requests', 'an iterable or async iterable', requests)
  }
  const isObject = typeof given === 'object' && !Array.isArray(given)
  const shared = isObject ? { __proto__: null, ...given, timeoutInMs: given.timeoutInMs ?? TIMEOUT_IN_MS } : given
  await check(shared, silent)

  const controller = new AbortController()
  const stopping = controller.signal
  const [arrival, room] = [wakeup(), wakeup()]
  const stop = () => {
    controller.abort(signal && reasonOf(signal))
    arrival.ring()
    room.ring()
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

  /** The results to come, in order. */
  const pending = []
  const list = { isRead: false }
  const read = async () => {
    for await (const [request] of boxed(requests)) {
      // What a slow source gives after the end is not begun.
      if (stopping.aborted) return
      pending.push(begin(request))
      arrival.ring()
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
      arrival.ring()
    })
  try {
    while (!list.isRead || pending.length > 0) {
      if (pending.length === 0) await arrival.wait()
      const result = await pending[0]
      stopping.throwIfAborted()
      if (!result) continue
      pending.shift()
      room.ring()
      yield result
    }
    // A source that throws has its say when all that it gave before is told.
    const failure = await reading
    if (failure) throw failure.error
    progress.report()
  } finally {
    forget?.()
    progress.mute()
    stop()
    await Promise.all(pending)
    // A source that waits for something itself is not waited for; it is closed when it answers.
    await Promise.race([reading, turn()])
  }
}

/**
 * Rejects if the options are wrong: every call would. A call that was aborted before it began checks its options, and does nothing
 * else. Nobody asked for this one, so nobody hears of it.
 */
async function check(shared, silent) {
  const probe = new Error('the options are fine')
  const options = typeof shared === 'object' && !Array.isArray(shared) ? { __proto__: null, ...shared, signal: AbortSignal.abort(probe) } : shared
  await silent(options, 'account', NIL_GUID, NIL_GUID).catch(error => {
    if (error !== probe) throw error
  })
}

/** The requests, each in an array of its own: one that cannot even be awaited is not an error of the list. */
async function* boxed(requests) {
  if (requests[Symbol.asyncIterator]) for await (const request of requests) yield [request]
  else for (const request of requests) yield [isPromise(request) ? await request : request]
}

/** The arguments of a request's call. */
function target(native, request) {
  if (typeof request !== 'object' || request === null) throw invalid(native, 'request', 'an object', request)
  // Field by field: those of an object-relational mapper's rows are getters of their class.
  const { entityLogicalName, recordId, conversationId } = readable(native, 'request', () => properties(request, FIELDS))
  // The focused conversation is nothing that a list can mean.
  if (conversationId == null) throw invalid(native, 'conversationId', 'a GUID', conversationId)
  return [entityLogicalName, recordId, conversationId]
}

/** Counts results, and tells of them now and then. */
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

/** Something to wait for, time and again. Only one may wait. */
function wakeup() {
  let waiting
  return { wait: () => new Promise(resolve => (waiting = resolve)), ring: () => waiting?.() }
}

module.exports = { bulk }
