'use strict'

// What only JavaScript can add to the addon: errors with the caller's stack, `AbortSignal`, and whatever a credential may be.
// Everything else happens in Rust; index.d.ts is the documentation.

// First, because a bundle without the addon is told so here, also if it can require nothing of Node.
const { Cancellation, Client } = require('./lib/binding.js')
const { channel } = require('node:diagnostics_channel')
const process = require('node:process')
const { setImmediate: nextTurn } = require('node:timers/promises')
const { isNativeError } = require('node:util/types')
const { createOmnichannel } = require('./lib/omnichannel.js')
const { argumentOf, demandFunction, invalid, optionsOf, readable } = require('./lib/arguments.js')
const { bulk } = require('./lib/bulk.js')
const { clientOptions } = require('./lib/client-options.js')
const { proxyResolver, tokenProvider } = require('./lib/credential.js')
const { Events } = require('./lib/events.js')
const { Questions } = require('./lib/questions.js')
const { SHAPES, properties, take } = require('./lib/options.js')
const { isAborted, reasonOf, throwIfAborted, watch } = require('./lib/signals.js')
const { waitForConversation } = require('./lib/waiting.js')
const { LinkError, failure, own } = require('./lib/link-error.js')

// Read here, because a worker's environment is its own.
const VARIABLES = [
  'DATAVERSE_URL', 'AZURE_TENANT_ID', 'AZURE_CLIENT_ID', 'AZURE_CLIENT_SECRET', 'AZURE_AUTHORITY_HOST', 'OMNICHANNEL_LINK_LOG',
  'NODE_EXTRA_CA_CERTS', 'HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'NO_PROXY', 'no_proxy'
]

const CHANNELS = {
  request: channel('omnichannel-link:request'),
  retry: channel('omnichannel-link:retry'),
  throttle: channel('omnichannel-link:throttle')
}

/** What an outcome says of a slot. */
const CLAIM = ['status', 'conversationId', 'record', 'current', 'store', 'dryRun']
const RECORDS = ['record', 'current']

let isLogFlushed = false

class OmnichannelClient {
  #native
  #events
  #isObserved = false

  constructor(options) {
    const variables = properties(process.env, VARIABLES)
    for (const name of VARIABLES) if (typeof variables[name] !== 'string' || variables[name] === '') delete variables[name]
    const surroundings = { __proto__: null, variables, inElectron: 'electron' in properties(process.versions, ['electron']) }
    const [plain, credential, proxy] = clientOptions(options)
    const questions = new Questions()
    const functions = [credential && tokenProvider(credential, questions), proxy && proxyResolver(proxy, questions)]
    this.#native = now(() => new Client(plain, ...functions, surroundings))
    questions.belongTo(this.#native)
    if (variables.OMNICHANNEL_LINK_LOG) flushLogAtExit()
    this.#events = new Events(this.#native)
  }

  linkToConversation(entityLogicalName, recordId, conversationId, options) {
    return this.#change('linkToConversation', options, [entityLogicalName, recordId, conversationId], SHAPES.link)
  }

  unlinkFromConversation(entityLogicalName, recordId, conversationId, options) {
    return this.#change('unlinkFromConversation', options, [entityLogicalName, recordId, conversationId], SHAPES.unlink)
  }

  linkMany(requests, options) {
    return this.#bulk('linkToConversation', requests, options, SHAPES.linkMany)
  }

  unlinkMany(requests, options) {
    return this.#bulk('unlinkFromConversation', requests, options, SHAPES.unlinkMany)
  }

  #bulk(method, requests, options, shape) {
    return bulk(this.#native, requests, options, {
      shape,
      call: (...call) => this[method](...call),
      untold: (options, ...target) => settled(this.#native, options, (...rest) => this.#native[method](...target, ...rest)),
      refused: (error, { dryRun }) => this.#events.failure(method, null, error, { dryRun, isAborted: false })
    })
  }

  /** Calls a method of the addon that changes a link. Listeners are told before the promise settles. */
  async #change(method, options, target, shape) {
    this.#observe()
    // Of a call that fails nobody else says which conversation was meant when it was made. Who listens then is not known yet.
    const meant = target[2] ?? this.#native.getConversationId()
    let given
    let outcome
    let isAborted = false
    try {
      given = optionsOf(this.#native, options, shape)
      const aborted = () => (isAborted = true)
      outcome = await settled(this.#native, given, (...rest) => this.#native[method](...target, ...rest), aborted)
    } catch (error) {
      this.#events.failure(method, meant, error, { dryRun: own(given).dryRun, isAborted })
      throw error
    }
    this.#events.outcome(outcome)
    return outcome
  }

  /** Events cross over only while somebody listens. */
  #observe() {
    const isObserved = CHANNELS.request.hasSubscribers || CHANNELS.retry.hasSubscribers || CHANNELS.throttle.hasSubscribers
    if (isObserved === this.#isObserved) return
    this.#isObserved = isObserved
    this.#native.observe(isObserved ? publish : undefined)
  }

  async getLinkedRecords(conversationId, options) {
    const { conversationId: id, status, customer, case: incident } = await this.#read(conversationId, true, options)
    return { conversationId: id, status, customer, case: incident }
  }

  async getConversation(conversationId, options) {
    return await this.#read(conversationId, false, options)
  }

  async findConversations(record, query) {
    this.#observe()
    const wanted = argumentOf(this.#native, 'record', record, SHAPES.record)
    const given = optionsOf(this.#native, query, SHAPES.query)
    return await settled(this.#native, given, (...rest) => this.#native.findConversations(wanted, ...rest))
  }

  async *getConversations(query) {
    this.#observe()
    const given = optionsOf(this.#native, query, SHAPES.query)
    const signal = take(given, 'signal')
    let rest
    do {
      // The addon read the query once and for all when the first page was asked for.
      const page = await stoppable(this.#native, signal, cancellation => this.#native.listConversations(given, rest, cancellation))
      for (const conversation of page.conversations) {
        throwIfAborted(this.#native, signal)
        yield conversation
      }
      rest = page.rest
    } while (rest)
  }

  async findRecord(entityLogicalName, key, options) {
    this.#observe()
    const wanted = argumentOf(this.#native, 'key', key, SHAPES.key)
    const given = optionsOf(this.#native, options, SHAPES.read)
    return await settled(this.#native, given, (...rest) => this.#native.findRecord(entityLogicalName, wanted, ...rest))
  }

  async waitForConversation(options) {
    return await waitForConversation(this.#native, this, options)
  }

  async verify(outcome, options) {
    this.#observe()
    const given = optionsOf(this.#native, options, SHAPES.read)
    return await settled(this.#native, given, (...rest) => this.#native.verify(this.#claim(outcome), ...rest))
  }

  /** The claim of an outcome, without other properties that a program keeps with it. */
  #claim(outcome) {
    if (typeof outcome !== 'object' || outcome === null) return outcome
    const claim = readable(this.#native, 'outcome', () => properties(outcome, CLAIM))
    for (const name of RECORDS) if (name in claim) claim[name] = argumentOf(this.#native, `outcome.${name}`, claim[name], SHAPES.record)
    return claim
  }

  async #read(conversationId, mayBeFocused, options) {
    this.#observe()
    const given = optionsOf(this.#native, options, SHAPES.read)
    return await settled(this.#native, given, (...rest) => this.#native.readConversation(conversationId, mayBeFocused, ...rest))
  }

  async importRecords(pathOrPage, options) {
    const isPath = typeof pathOrPage === 'string'
    if (!isPath && (typeof pathOrPage !== 'object' || pathOrPage === null || readable(this.#native, 'pathOrPage', () => Array.isArray(pathOrPage)))) {
      throw invalid(this.#native, 'pathOrPage', 'the path of a JSON file, or a page as an object', pathOrPage)
    }
    const page = isPath ? undefined : readable(this.#native, 'pathOrPage', () => JSON.stringify(pathOrPage))
    const given = optionsOf(this.#native, options, SHAPES.import)
    const onProgress = take(given, 'onProgress')
    demandFunction(this.#native, 'options.onProgress', onProgress)
    // Progress travels by another way than the outcome and must not overtake it.
    let done = false
    const report = onProgress && (progress => done || onProgress(progress))
    try {
      return await settled(this.#native, given, (rest, cancellation) =>
        this.#native.importRecords(isPath ? pathOrPage : undefined, page, rest, report, cancellation)
      )
    } finally {
      done = true
    }
  }

  async doctor(options) {
    this.#observe()
    const given = optionsOf(this.#native, options, SHAPES.doctor)
    return await settled(this.#native, given, (...rest) => this.#native.doctor(...rest))
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
    this.#events.focus(() => this.#native.getConversationId(), () => now(change))
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
    Questions.refuseNested(this.#native)
    try {
      await this.#native.close()
    } catch (raw) {
      throw linkError(raw)
    } finally {
      // The calls that it waited for have settled; now their awaiters come first.
      await nextTurn()
    }
  }
}

let client

function configure(options) {
  if (client) {
    const hint = 'Call it once, before the first use, or make a client of your own with new OmnichannelClient(options).'
    throw failure('INVALID_CONFIGURATION', 'configure() comes too late: the default client exists already.', { hint })
  }
  client = new OmnichannelClient(options)
}

function defaultClient() {
  return (client ??= new OmnichannelClient())
}

async function linkToConversation(entityLogicalName, recordId, conversationId, options) {
  return await defaultClient().linkToConversation(entityLogicalName, recordId, conversationId, options)
}

async function unlinkFromConversation(entityLogicalName, recordId, conversationId, options) {
  return await defaultClient().unlinkFromConversation(entityLogicalName, recordId, conversationId, options)
}

async function doctor(options) {
  return await defaultClient().doctor(options)
}

const openConversation = conversationId => defaultClient().openConversation(conversationId)
const focusConversation = conversationId => defaultClient().focusConversation(conversationId)
const closeConversation = conversationId => defaultClient().closeConversation(conversationId)
const getConversationId = () => defaultClient().getConversationId()

/** Calls something synchronous of the addon. */
function now(call) {
  try {
    return call()
  } catch (raw) {
    throw linkError(raw)
  }
}

/** Awaits a call of the addon, stopping it when the signal in its options aborts; `aborted` is called then. The options are a copy of ours. */
async function settled(native, options, start, aborted) {
  const signal = take(options, 'signal')
  return await stoppable(native, signal, cancellation => start(options, cancellation), aborted)
}

/** The same when the signal is known. */
async function stoppable(native, signal, call, aborted) {
  Questions.refuseNested(native)
  // Its own failures are rejections. What the addon throws at once was thrown by an argument that it read: a getter, a proxy's trap.
  const start = cancellation => readable(native, 'arguments', () => call(cancellation))
  if (signal === undefined) {
    try {
      return await start()
    } catch (raw) {
      throw linkError(raw)
    }
  }
  const cancellation = new Cancellation()
  if (isAborted(native, signal)) cancellation.cancel()
  const forget = watch(native, signal, cancellation)
  try {
    return await start(cancellation)
  } catch (raw) {
    if (raw != null) throw linkError(raw)
    aborted?.()
    throw reasonOf(signal)
  } finally {
    forget()
  }
}

function linkError(raw) {
  if (raw instanceof LinkError) return raw
  return isNativeError(raw) ? failure('INTERNAL', `The addon failed: ${raw.message}`, { cause: raw }) : new LinkError(raw)
}

/** The last lines of the log are written by a thread that ends with the process. */
function flushLogAtExit() {
  if (isLogFlushed) return
  isLogFlushed = true
  process.once?.('exit', () => Client.flushLog())
}

/** Tells the channel of an event's kind. */
function publish({ kind, timeInMs, status, error, serviceRequestId, ...subject }) {
  const messages = {
    request: () => ({ ...subject, status, error, serviceRequestId, durationInMs: timeInMs }),
    retry: () => ({ ...subject, status, error, delayInMs: timeInMs }),
    throttle: () => ({ ...subject, delayInMs: timeInMs })
  }
  CHANNELS[kind].publish(messages[kind]())
}

module.exports = {
  LinkError,
  OmnichannelClient,
  closeConversation,
  configure,
  createOmnichannel,
  defaultClient,
  doctor,
  focusConversation,
  getConversationId,
  linkToConversation,
  openConversation,
  unlinkFromConversation
}
