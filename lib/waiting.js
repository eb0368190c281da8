'use strict'

// Polls until a conversation exists, with the right status.

const { performance } = require('node:perf_hooks')
const { clearTimeout, setTimeout } = require('node:timers')
const timers = require('node:timers/promises')
const { isDate } = require('node:util/types')
const { expectKnown, described, invalid, optionsOf, wrong } = require('./validate.js')
const { LinkError, own } = require('./link-error.js')
const { SHAPES, take } = require('./options.js')
const { AbortController, cancelOnAbort, reasonOf, throwIfAborted } = require('./signals.js')

const LONGEST_IN_MS = 2 ** 31 - 1

// Most candidates that an AMBIGUOUS error lists.
const CANDIDATES = 10

// Each pause is half as long again as the one before, up to the longest: an agent who waits for a screen gets it within seconds, and a
// thousand agents send no more than a few hundred queries a second.
const FIRST_PAUSE_IN_MS = 1000
const LONGEST_PAUSE_IN_MS = 5000

// Time for the last poll, after the timeout.
const LAST_POLL_IN_MS = 1000

const SYSTEM = {
  now: () => performance.now(),
  random: Math.random,
  sleep: (ms, signal) => timers.setTimeout(ms, undefined, { signal }),
  /** Calls a function after some time, unless the returned function is called before. */
  after(ms, call) {
    const timer = setTimeout(call, ms)
    return () => clearTimeout(timer)
  }
}

// Reason for ending a poll.
const OVERDUE = Symbol('overdue')

/** Resolves with the one conversation that matches. `system` is the source of time and randomness. */
async function waitForConversation(native, client, options, system = SYSTEM) {
  const given = optionsOf(native, options, SHAPES.wait)
  const signal = take(given, 'signal')
  const wanted = criteria(native, given)
  throwIfAborted(native, signal)
  const controller = new AbortController()
  const forget = signal && cancelOnAbort(native, signal, { cancel: () => controller.abort(reasonOf(signal)) })
  try {
    return await search(native, client, wanted, controller, system)
  } finally {
    forget?.()
  }
}

/** Polls until a conversation matches, the controller aborts, or the time is up. */
async function search(native, client, { timeoutInMs, createdAfter, ...wanted }, controller, system) {
  const { signal } = controller
  const began = system.now()
  const remaining = () => began + timeoutInMs - system.now()
  let pause = FIRST_PAUSE_IN_MS
  let cause
  for (;;) {
    const pollInMs = Math.max(remaining(), LAST_POLL_IN_MS)
    // A timeout for each page is not enough, because a server may return any number of pages.
    const ended = system.after(pollInMs, () => controller.abort(OVERDUE))
    try {
      const matches = await newest(client, { __proto__: null, ...wanted, signal, timeoutInMs: pollInMs })
      const found = matches.filter(({ createdOn }) => createdAfter === undefined || Date.parse(createdOn) >= createdAfter)
      if (found.length === 1) return found[0]
      if (found.length > 1) throw ambiguous(native, found)
      cause = undefined
    } catch (error) {
      if (signal.reason !== OVERDUE) signal.throwIfAborted()
      cause = error === OVERDUE ? overdue(native, pollInMs) : error
      // A retryable error may be gone at the next poll.
      if (!(cause instanceof LinkError) || !cause.isRetryable) throw cause
    } finally {
      ended()
    }
    // Read once: a pause must not be negative because time goes on between two reads.
    const left = remaining()
    if (left <= 0 || signal.reason === OVERDUE) throw tooLate(native, timeoutInMs, cause)
    // Jitter, so that clients that start together do not poll together.
    await system.sleep(Math.min(pause * (0.8 + 0.4 * system.random()), left), signal).catch(error => {
      throw signal.aborted ? signal.reason : error
    })
    pause = Math.min(pause * 1.5, LONGEST_PAUSE_IN_MS)
  }
}

function criteria(native, options) {
  if (typeof (options ?? {}) !== 'object' || Array.isArray(options)) throw invalid(native, 'options', 'an object', options)
  expectKnown(wrong(native), 'options', options ?? {}, SHAPES.wait)
  const given = Object.entries(options ?? {}).filter(([, value]) => value !== undefined)
  const { createdAfter, statuses = ['active'], timeoutInMs = 60_000, ...others } = own(Object.fromEntries(given))
  if (createdAfter !== undefined && !(isDate(createdAfter) && Number.isFinite(createdAfter.getTime()))) {
    throw invalid(native, 'options.createdAfter', 'a valid Date', createdAfter)
  }
  if (typeof timeoutInMs !== 'number' || !(timeoutInMs > 0 && timeoutInMs <= LONGEST_IN_MS)) {
    throw invalid(native, 'options.timeoutInMs', `milliseconds, more than 0 and at most ${LONGEST_IN_MS}`, timeoutInMs)
  }
  // In whole seconds, as the stores keep times. Otherwise a conversation created later in the same second would seem older.
  return own({ ...others, statuses, timeoutInMs, createdAfter: createdAfter && Math.floor(createdAfter.getTime() / 1000) * 1000 })
}

/** The newest conversations that match, `CANDIDATES` at the most. */
async function newest(client, query) {
  const found = []
  for await (const conversation of client.getConversations({ ...query, top: CANDIDATES })) found.push(conversation)
  return found
}

function ambiguous(native, candidates) {
  const ids = candidates.map(({ conversationId }) => conversationId).join(', ')
  const more = candidates.length === CANDIDATES ? ', and maybe more' : ''
  const hint = 'Narrow the search, by the agent, the record or `createdAfter` for example, or choose one of `candidates`.'
  return described(native, 'AMBIGUOUS', `More than one conversation matches: ${ids}${more}.`, { candidates, hint })
}

function overdue(native, pollInMs) {
  return described(native, 'TIMEOUT', `The poll did not end within ${Math.round(pollInMs)} ms.`, { isRetryable: true })
}

function tooLate(native, timeoutInMs, cause) {
  const why = cause ? ', and the last poll failed' : ''
  return described(native, 'TIMEOUT', `No conversation matched within ${timeoutInMs} ms${why}.`, { isRetryable: true, cause })
}

module.exports = { waitForConversation }
