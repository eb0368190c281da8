'use strict'

// Calls for the items of a list. The list is read as results are taken, and results come in its order.
//
// Most requests cross into the addon in chunks, and their ends come back in chunks: as many as there are when Node is woken, so that no
// result waits for a slower one.

const { performance } = require('node:perf_hooks')
const { setImmediate } = require('node:timers')
const { setImmediate: nextTurn } = require('node:timers/promises')
// A `process` that a test has replaced may have little in it.
const { nextTick = setImmediate } = require('node:process')
const { isPromise } = require('node:util/types')
const { expectFunction, invalid, optionsOf, readable } = require('./validate.js')
const { linkError } = require('./call.js')
const { define } = require('./link-error.js')
const { uncaught } = require('./events.js')
const { property, take } = require('./options.js')
const { outcomeOf } = require('./outcome.js')
const { AbortController, cancelOnAbort, isAborted, reasonOf, throwIfAborted } = require('./signals.js')

// Calls in flight. The addon limits the requests in flight to the server's recommendation (16 to 48). The window is large enough to keep them
// busy while its first call is slow, and to share the commits of the embedded store. The addon counts places modulo 256, too.
const WINDOW = 256

// Most requests that cross at once, so that the addon works on the first ones while more are read.
const CHUNK = 64

// The calls of a list wait for their turn, and for a server that throttles, possibly for minutes. With the default timeout of a call they
// would fail one after the other, as fast as the list can be read.
const TIMEOUT_IN_MS = 600_000

const PROGRESS_EVERY_MS = 200

/** Letters of the tables in a chunk, as in src/node/bulk.rs. */
const LETTERS = { __proto__: null, account: 'a', contact: 'c', incident: 'i' }
const ID_LENGTH = 36

/** Length of an end: place and compact outcome. */
const END = 150

/**
 * Yields the results of calls for every request. The options have the given shape. `start(options)` checks them and returns the addon's
 * calls in chunks; `call(entityLogicalName, recordId, conversationId, options)` makes a single one. `succeeded(outcome)` and
 * `failed(error, conversationId, options)` handle the ends that are not of single calls. `now` returns milliseconds.
 */
function bulk(native, requests, options, calls, now = () => performance.now()) {
  const ready = { take: () => undefined }
  const list = results(native, requests, options, calls, now, ready)
  // Resuming the generator takes several turns of the microtask queue, so a result that is there already goes around it. Not while the
  // generator has something to do, and not after it was told to end.
  let resumed = 0
  const [resume, ...endings] = [list.next.bind(list), list.return.bind(list), list.throw.bind(list)]
  const next = () => {
    const value = resumed === 0 ? ready.take() : undefined
    if (value) return Promise.resolve({ value, done: false })
    resumed++
    const result = resume()
    const ended = () => void resumed--
    result.then(ended, ended)
    return result
  }
  const [stop, fail] = endings.map(end => argument => {
    resumed = Infinity
    return end(argument)
  })
  const methods = { __proto__: null, next, return: stop, throw: fail }
  for (const name of Object.keys(methods)) define(list, name, { value: methods[name] })
  return list
}

async function* results(native, requests, options, { shape, start, call, succeeded, failed }, now, ready) {
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
  const chunks = start(shared)

  const controller = new AbortController()
  const stopping = controller.signal
  const [arrival, room, silence] = [wakeup(), wakeup(), wakeup()]
  const stop = () => {
    controller.abort(signal && reasonOf(signal))
    chunks.cancel()
    arrival.wake()
    room.wake()
  }
  const progress = counter(onProgress, now)

  // Requests are numbered. Those from `first` on were read and their results not taken; `next` is the number of the next one.
  let [first, next] = [0, 0]
  // Filled, because a hole would show a property of `Object.prototype`.
  const [asked, ended] = [Array(WINDOW).fill(undefined), Array(WINDOW).fill(undefined)]
  /** Calls that have not ended, and those among them that crossed in chunks. */
  let [running, crossed] = [0, 0]
  const isFull = () => next - first >= WINDOW
  const areTaken = () => first === next
  const isRunning = () => running > 0

  const end = (number, name, result) => {
    running--
    progress.count(name)
    ended[number % WINDOW] = result
    if (number === first) arrival.wake()
    if (!isRunning()) silence.wake()
  }
  const begin = request => {
    const number = next++
    running++
    asked[number % WINDOW] = request
    try {
      const target = targetOf(native, request)
      const text = compact(target)
      if (text !== undefined) return gather(number, target, text)
      flush()
      single(number, target)
    } catch (error) {
      flush()
      failed(error, null, shared)
      end(number, 'failed', { request, error })
    }
  }
  const single = async (number, target) => {
    const request = asked[number % WINDOW]
    try {
      const outcome = await call(...target, { __proto__: null, ...shared, signal: stopping })
      end(number, 'succeeded', { request, outcome })
    } catch (error) {
      end(number, 'failed', { request, error })
    }
  }

  /** Requests with consecutive numbers that have not crossed yet. */
  let chunk = emptyChunk()
  const gather = (number, target, text) => {
    if (chunk.targets.length === 0) {
      chunk.first = number
      // When nothing more can be read at once.
      nextTick(flush)
    }
    chunk.text += text
    if (chunk.targets.push(target) === CHUNK) flush()
  }
  const flush = () => {
    const { first, targets, text } = chunk
    if (targets.length === 0) return
    chunk = emptyChunk()
    if (stopping.aborted) {
      // None of them has begun.
      running -= targets.length
      return
    }
    if (!chunks.add(first % WINDOW, text)) {
      for (const [at, target] of targets.entries()) single(first + at, target)
      return
    }
    crossed += targets.length
    if (crossed === targets.length) listen()
  }
  /** Handles the ends of calls that crossed in chunks, in any order. */
  const listen = async () => {
    while (crossed > 0) {
      const [text, ...errors] = [await chunks.ends()].flat()
      for (let at = 0; at < text.length; at += END) {
        crossed--
        const number = first + ((((text.charCodeAt(at) - first) % WINDOW) + WINDOW) % WINDOW)
        const request = asked[number % WINDOW]
        if (text[at + 1] !== '!') {
          end(number, 'succeeded', { request, outcome: succeeded(outcomeOf(text, at + 1)) })
          continue
        }
        const raw = errors.shift()
        const error = raw == null ? stopping.reason : linkError(raw)
        if (raw != null) failed(error, raw.conversationId, shared)
        end(number, 'failed', { request, error })
      }
    }
  }

  const list = { isRead: false }
  /** Begins the call of a request, and returns whether to wait for room before the next one. A slow list may yield after the end. */
  const fills = request => {
    if (stopping.aborted) return false
    begin(request)
    return isFull() && !stopping.aborted
  }
  const read = async () => {
    // No request but a promise of a list that is not async is awaited: a request whose `then` throws is not an error of the list.
    if (requests[Symbol.asyncIterator]) {
      for await (const request of requests) {
        if (fills(request)) await room.wait()
        if (stopping.aborted) return
      }
    } else {
      for (const request of requests) {
        if (fills(isPromise(request) ? await request : request)) await room.wait()
        if (stopping.aborted) return
      }
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
  const readOn = () => {
    if (!isFull()) room.wake()
  }
  ready.take = () => {
    const result = ended[first % WINDOW]
    if (result === undefined || stopping.aborted) return undefined
    ended[first++ % WINDOW] = undefined
    // Not for each place, so that requests are read and cross together: when a chunk has room, or no more results are taken at once.
    if (next - first <= WINDOW - CHUNK) room.wake()
    else if (next - first === WINDOW - 1) nextTick(readOn)
    return result
  }
  try {
    while (!list.isRead || !areTaken()) {
      const result = ready.take()
      if (result) {
        yield result
        continue
      }
      if (!stopping.aborted) await arrival.wait()
      stopping.throwIfAborted()
    }
    // An error of the list comes after the results of all requests before it.
    const failure = await reading
    if (failure) throw failure.error
    progress.report()
  } finally {
    forget?.()
    progress.mute()
    stop()
    flush()
    while (isRunning()) await silence.wait()
    // Do not wait for a list that is itself waiting for something. It is closed when it yields.
    await Promise.race([reading, nextTurn()])
  }
}

/** @returns {{ first: number, targets: [any, any, any][], text: string }} */
const emptyChunk = () => ({ first: 0, targets: [], text: '' })

/** The arguments of a request's call. */
function targetOf(native, request) {
  if (typeof request !== 'object' || request === null) throw invalid(native, 'request', 'an object', request)
  // One by one, because in the rows of an object-relational mapper they are getters of a class.
  const target = readable(native, 'request', () => [
    property(request, 'entityLogicalName'),
    property(request, 'recordId'),
    property(request, 'conversationId')
  ])
  // Required, unlike in a single call: the focused conversation is no default for a whole list.
  if (target[2] == null) throw invalid(native, 'conversationId', 'a GUID', target[2])
  return target
}

/** A target as in src/node/bulk.rs. Undefined if a part cannot be one, or is an id in braces; the addon checks the ids. */
function compact([entityLogicalName, recordId, conversationId]) {
  const letter = typeof entityLogicalName === 'string' ? LETTERS[entityLogicalName] : undefined
  return letter && hasLengthOfId(recordId) && hasLengthOfId(conversationId) ? letter + recordId + conversationId : undefined
}

const hasLengthOfId = id => typeof id === 'string' && id.length === ID_LENGTH

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
  const wake = () => {
    const resolve = waiting
    waiting = undefined
    resolve?.()
  }
  return { wait: () => new Promise(resolve => (waiting = resolve)), wake }
}

module.exports = { bulk }
