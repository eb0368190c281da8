'use strict'

// The client. It adds what only JavaScript can: `LinkError` with the caller's stack, `AbortSignal`, events, and credentials of any form.
// Everything else happens in the addon. types/client.d.ts documents it.
//
// A program pays the time of `require` even if it never links. So the first client loads what a link needs, and the other functions load
// what they need.

// Required first: a bundle without the addon then fails with an explanation, even if it can require nothing of Node.
const { Cancellation, Client } = require('./binding.js')
const process = require('node:process')
const { own } = require('./link-error.js')

let call, callNow, callWithSignal, linkError, rejected
let Callbacks, Events, hasSubscribers, publish, clientOptions, outcomeOf
let SHAPES, properties, take
let argumentOf, expectFunction, invalid, optionsOf, readable

function load() {
  ;({ call, callNow, callWithSignal, linkError, rejected } = require('./call.js'))
  ;({ Callbacks } = require('./callbacks.js'))
  ;({ hasSubscribers, publish } = require('./channels.js'))
  ;({ clientOptions } = require('./client-options.js'))
  ;({ Events } = require('./events.js'))
  ;({ SHAPES, properties, take } = require('./options.js'))
  ;({ outcomeOf } = require('./outcome.js'))
  ;({ argumentOf, expectFunction, invalid, optionsOf, readable } = require('./validate.js'))
}

/** The properties of an outcome that `verify` compares. */
const VERIFIABLE = ['status', 'conversationId', 'record', 'current', 'store', 'dryRun']
const RECORDS = ['record', 'current']

/** The methods of the addon behind the two functions that change a link. */
const LINK = { name: 'linkToConversation', native: 'link', shape: 'link' }
const UNLINK = { name: 'unlinkFromConversation', native: 'unlink', shape: 'unlink' }

let isLogFlushedAtExit = false

class OmnichannelClient {
  #native
  /** Functions of the addon for calls without options, which most are. A method of `native` takes longer to call. */
  #link
  #unlink
  #events
  #isObserved = false

  constructor(options) {
    load()
    const [plain, credential, proxy] = clientOptions(options)
    const callbacks = new Callbacks()
    const functions = credential || proxy ? require('./credential.js').functions(credential, proxy, callbacks) : [undefined, undefined]
    this.#native = callNow(() => new Client(plain, ...functions, process))
    this.#link = this.#native.linkFunction()
    this.#unlink = this.#native.unlinkFunction()
    callbacks.attach(this.#native)
    this.#events = new Events(this.#native)
    flushLogAtExit()
  }

  linkToConversation(entityLogicalName, recordId, conversationId, options) {
    if (options != null || this.#events.hasListeners || Callbacks.arePending()) {
      return this.#change(LINK, [entityLogicalName, recordId, conversationId], options)
    }
    this.#observe()
    return this.#link(entityLogicalName, recordId, conversationId, undefined).then(this.#linked, this.#linkFailed)
  }

  unlinkFromConversation(entityLogicalName, recordId, conversationId, options) {
    if (options != null || this.#events.hasListeners || Callbacks.arePending()) {
      return this.#change(UNLINK, [entityLogicalName, recordId, conversationId], options)
    }
    this.#observe()
    return this.#unlink(entityLogicalName, recordId, conversationId, undefined).then(this.#linked, this.#unlinkFailed)
  }

  // Ends of calls without options, created once per client. Listeners that were added meanwhile are called before the promise settles.
  #linked = compact => this.#events.outcome(outcomeOf(compact))
  #linkFailed = raw => this.#failed(LINK, raw)
  #unlinkFailed = raw => this.#failed(UNLINK, raw)

  #failed({ name }, raw) {
    const error = linkError(raw)
    this.#events.failure(name, raw.conversationId, error)
    throw error
  }

  /** A link or an unlink with options or listeners. Listeners are called before the promise settles. */
  #change({ name, native, shape }, target, options) {
    this.#observe()
    // Read now, because the focus may have moved by the time the call fails.
    const conversation = target[2] ?? this.#native.getConversationId()
    let given
    const failed = (error, isAborted) => {
      if (!isAborted && own(given).dryRun !== true) this.#events.failure(name, conversation, error)
      throw error
    }
    try {
      given = optionsOf(this.#native, options, SHAPES[shape])
    } catch (error) {
      return rejected(error, failed)
    }
    return call(this.#native, given, (...rest) => this.#native[native](...target, ...rest), this.#linked, failed)
  }

  linkMany(requests, options) {
    return this.#bulk(LINK, requests, options, SHAPES.linkMany)
  }

  unlinkMany(requests, options) {
    return this.#bulk(UNLINK, requests, options, SHAPES.unlinkMany)
  }

  #bulk({ name }, requests, options, shape) {
    const { bulk } = require('./bulk.js')
    return bulk(this.#native, requests, options, {
      shape,
      start: options => this.#chunks(name, options),
      call: (...target) => this[name](...target),
      succeeded: outcome => this.#events.outcome(outcome),
      failed: (error, conversation, { dryRun }) => dryRun === true || this.#events.failure(name, conversation, error)
    })
  }

  /**
   * The addon's calls in chunks, with checked options. Single calls are made instead by a class that overrides the method, and while a callback
   * is pending, because each of them may then be nested.
   */
  #chunks(name, options) {
    const isOverridden = this[name] !== OmnichannelClient.prototype[name]
    Callbacks.rejectNestedCall(this.#native)
    const cancellation = new Cancellation()
    const chunks = callNow(() => this.#native.bulk(name === LINK.name, options, cancellation))
    const add = (first, targets) => {
      this.#observe()
      return !isOverridden && !Callbacks.arePending() && chunks.add(first, targets)
    }
    return { add, ends: () => chunks.ends(), cancel: () => cancellation.cancel() }
  }

  /** Events of the traffic cross into JavaScript only while a channel has subscribers. */
  #observe() {
    const isObserved = hasSubscribers()
    if (isObserved === this.#isObserved) return
    this.#isObserved = isObserved
    this.#native.observe(isObserved ? publish : undefined)
  }

  async #read(options, shape, start) {
    this.#observe()
    return await call(this.#native, optionsOf(this.#native, options, shape), start)
  }

  async getConversation(conversationId, options) {
    return await this.#read(options, SHAPES.read, (...rest) => this.#native.readConversation(conversationId, ...rest))
  }

  async *getConversations(query) {
    const { throwIfAborted } = require('./signals.js')
    this.#observe()
    const given = optionsOf(this.#native, query, SHAPES.query)
    const signal = take(given, 'signal')
    let continuation
    do {
      // The addon reads the query when the first page is requested, and keeps it in the continuation.
      const next = cancellation => this.#native.listConversations(given, continuation, cancellation)
      const page = await callWithSignal(this.#native, signal, next)
      for (const conversation of page.conversations) {
        throwIfAborted(this.#native, signal)
        yield conversation
      }
      continuation = page.continuation
    } while (continuation)
  }

  async findRecord(entityLogicalName, key, options) {
    const wanted = argumentOf(this.#native, 'key', key, SHAPES.key)
    return await this.#read(options, SHAPES.read, (...rest) => this.#native.findRecord(entityLogicalName, wanted, ...rest))
  }

  async waitForConversation(options) {
    const { waitForConversation } = require('./waiting.js')
    return await waitForConversation(this.#native, this, options)
  }

  async verify(outcome, options) {
    return await this.#read(options, SHAPES.read, (...rest) => this.#native.verify(this.#verifiable(outcome), ...rest))
  }

  /** The properties of an outcome that are compared, without those that a program keeps beside them. */
  #verifiable(outcome) {
    if (typeof outcome !== 'object' || outcome === null) return outcome
    const copy = readable(this.#native, 'outcome', () => properties(outcome, VERIFIABLE))
    for (const name of RECORDS) if (name in copy) copy[name] = argumentOf(this.#native, `outcome.${name}`, copy[name], SHAPES.record)
    return copy
  }

  async importRecords(pathOrPage, options) {
    const path = typeof pathOrPage === 'string' ? pathOrPage : undefined
    const isObject = typeof pathOrPage === 'object' && pathOrPage !== null
    if (path === undefined && (!isObject || readable(this.#native, 'pathOrPage', () => Array.isArray(pathOrPage)))) {
      throw invalid(this.#native, 'pathOrPage', 'the path of a JSON file, or a page as an object', pathOrPage)
    }
    const page = isObject ? readable(this.#native, 'pathOrPage', () => JSON.stringify(pathOrPage)) : undefined
    const given = optionsOf(this.#native, options, SHAPES.import)
    const onProgress = take(given, 'onProgress')
    expectFunction(this.#native, 'options.onProgress', onProgress)
    // Progress is queued apart from the outcome and may arrive after it.
    let isDone = false
    const report = onProgress && (progress => isDone || onProgress(progress))
    try {
      return await call(this.#native, given, (rest, cancellation) => this.#native.importRecords(path, page, rest, report, cancellation))
    } finally {
      isDone = true
    }
  }

  async diagnose(options) {
    return await this.#read(options, SHAPES.diagnose, (...rest) => this.#native.diagnose(...rest))
  }

  openConversation(conversationId) {
    this.#moveFocus(() => this.#native.openConversation(conversationId))
  }

  focusConversation(conversationId) {
    this.#moveFocus(() => this.#native.focusConversation(conversationId))
  }

  closeConversation(conversationId) {
    this.#moveFocus(() => this.#native.closeConversation(conversationId))
  }

  #moveFocus(change) {
    const focused = () => this.#native.getConversationId()
    this.#events.focus(focused, () => callNow(change))
  }

  getConversationId() {
    return this.#native.getConversationId()
  }

  on(event, listener) {
    this.#events.change('on', event, listener)
    return this
  }

  once(event, listener) {
    this.#events.change('once', event, listener)
    return this
  }

  off(event, listener) {
    this.#events.change('off', event, listener)
    return this
  }

  async close() {
    const { setImmediate: nextTurn } = require('node:timers/promises')
    Callbacks.rejectNestedCall(this.#native)
    try {
      await this.#native.close()
    } catch (raw) {
      throw linkError(raw)
    } finally {
      // The calls that close() waited for have settled. Code that awaits them runs first.
      await nextTurn()
    }
  }
}

/** The thread that writes the log ends with the process, so its last lines are written before. */
function flushLogAtExit() {
  if (isLogFlushedAtExit || !process.env?.OMNICHANNEL_LINK_LOG) return
  isLogFlushedAtExit = true
  process.once?.('exit', () => Client.flushLog())
}

module.exports = { OmnichannelClient }
