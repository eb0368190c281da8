'use strict'

// What only JavaScript can add to the addon: errors with the caller's stack, `AbortSignal`, and whatever a credential may be.
// Everything else happens in Rust; index.d.ts is the documentation.

// First, because a bundle without the addon is told so here, also if it can require nothing of Node.
const { Cancellation, Client } = require('./binding.js')
const { channel } = require('node:diagnostics_channel')
const { createOmnichannel } = require('./lib/facade.js')
const { invalid, picked, readable, without } = require('./lib/arguments.js')
const { bulk } = require('./lib/bulk.js')
const { Events } = require('./lib/events.js')
const { NestedCall, Questions } = require('./lib/questions.js')
const { watch } = require('./lib/signals.js')
const { waitForConversation } = require('./lib/waiting.js')
const { LinkError, failure } = require('./lib/link-error.js')

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

class OmnichannelClient {
  #native
  #events
  #isObserved = false

  constructor(options) {
    const set = VARIABLES.map(name => [name, process.env[name]]).filter(([, value]) => value)
    const surroundings = { variables: Object.fromEntries(set), inElectron: process.versions.electron !== undefined }
    // A setting that went missing must not turn a Dataverse client into an embedded one, or one file into another.
    for (const store of ['dataverse', 'embedded']) {
      if (Object.hasOwn(options ?? {}, store) && options[store] == null) {
        throw failure('INVALID_CONFIGURATION', `\`options.${store}\` is ${options[store]}: give it a value, or leave it out.`)
      }
    }
    const [plain, credential, proxy] = withoutFunctions(options)
    const questions = new Questions()
    const functions = [credential && tokenProvider(credential, questions), proxy && proxyResolver(proxy, questions)]
    this.#native = now(() => new Client(plain, ...functions, surroundings))
    questions.belongTo(this.#native)
    this.#events = new Events(this.#native)
  }

  linkToConversation(entityLogicalName, recordId, conversationId, options) {
    return this.#change('linkToConversation', options, [entityLogicalName, recordId, conversationId])
  }

  unlinkFromConversation(entityLogicalName, recordId, conversationId, options) {
    return this.#change('unlinkFromConversation', options, [entityLogicalName, recordId, conversationId])
  }

  linkMany(requests, options) {
    return this.#bulk('linkToConversation', requests, options)
  }

  unlinkMany(requests, options) {
    return this.#bulk('unlinkFromConversation', requests, options)
  }

  #bulk(method, requests, options) {
    return bulk(this.#native, requests, options, {
      call: (...call) => this[method](...call),
      untold: (options, ...target) => settled(this.#native, options, (...rest) => this.#native[method](...target, ...rest)),
      refused: (error, options) => this.#events.failure(method, null, error, options)
    })
  }

  /** Calls a method of the addon that changes a link. Listeners are told before the promise settles. */
  async #change(method, options, target) {
    this.#observe()
    // Of a call that fails nobody else says which conversation was meant when it was made. Who listens then is not known yet.
    const meant = target[2] ?? this.#native.getConversationId()
    let rest, signal
    try {
      ;[rest, signal] = without(this.#native, options, 'signal')
      const outcome = await stoppable(this.#native, signal, cancellation => this.#native[method](...target, rest, cancellation))
      this.#events.outcome(outcome)
      return outcome
    } catch (error) {
      this.#events.failure(method, meant, error, { dryRun: rest?.dryRun, signal })
      throw error
    }
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
    return await settled(this.#native, query, (rest, cancellation) => this.#native.findConversations(record, rest, cancellation))
  }

  async *getConversations(query) {
    this.#observe()
    const [plain, signal] = without(this.#native, query, 'signal')
    let rest
    do {
      // The addon read the query once and for all when the first page was asked for.
      const page = await settled(this.#native, { signal }, (_, cancellation) => this.#native.listConversations(plain, rest, cancellation))
      for (const conversation of page.conversations) {
        signal?.throwIfAborted()
        yield conversation
      }
      rest = page.rest
    } while (rest)
  }

  async findRecord(entityLogicalName, key, options) {
    this.#observe()
    return await settled(this.#native, options, (rest, cancellation) =>
      this.#native.findRecord(entityLogicalName, key, rest, cancellation)
    )
  }

  async waitForConversation(options) {
    return await waitForConversation(this.#native, this, options)
  }

  async verify(outcome, options) {
    this.#observe()
    // What else is kept with an outcome does not matter.
    const plain = typeof outcome === 'object' && outcome !== null ? readable(this.#native, 'outcome', () => picked(outcome, CLAIM)) : outcome
    return await settled(this.#native, options, (rest, cancellation) => this.#native.verify(plain, rest, cancellation))
  }

  #read(conversationId, mayBeFocused, options) {
    this.#observe()
    return settled(this.#native, options, (rest, cancellation) =>
      this.#native.readConversation(conversationId, mayBeFocused, rest, cancellation)
    )
  }

  async importRecords(pathOrPage, options) {
    const isPath = typeof pathOrPage === 'string'
    if (!isPath && (typeof pathOrPage !== 'object' || pathOrPage === null || Array.isArray(pathOrPage))) {
      throw invalid(this.#native, 'pathOrPage', 'the path of a JSON file, or a page as an object', pathOrPage)
    }
    const page = isPath ? undefined : readable(this.#native, 'pathOrPage', () => JSON.stringify(pathOrPage))
    const [rest, onProgress] = without(this.#native, options, 'onProgress')
    if (onProgress !== undefined && typeof onProgress !== 'function') {
      throw invalid(this.#native, 'options.onProgress', 'a function', onProgress)
    }
    // Progress travels by another way than the outcome and must not overtake it.
    let done = false
    const report = onProgress && (progress => done || onProgress(progress))
    try {
      return await settled(this.#native, rest, (rest, cancellation) =>
        this.#native.importRecords(isPath ? pathOrPage : undefined, page, rest, report, cancellation)
      )
    } finally {
      done = true
    }
  }

  async doctor(options) {
    this.#observe()
    return await settled(this.#native, options, (rest, cancellation) => this.#native.doctor(rest, cancellation))
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
    try {
      await this.#native.close()
    } catch (raw) {
      throw linkError(raw)
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

/** Awaits a call of the addon, stopping it when the signal in its options says so. */
async function settled(native, options, start) {
  const [rest, signal] = without(native, options, 'signal')
  return await stoppable(native, signal, cancellation => start(rest, cancellation))
}

/** The same when the signal is known. */
async function stoppable(native, signal, call) {
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
  if (!(signal instanceof AbortSignal)) throw invalid(native, 'options.signal', 'an AbortSignal', signal)
  const cancellation = new Cancellation()
  if (signal.aborted) cancellation.cancel()
  const forget = watch(signal, cancellation)
  try {
    return await start(cancellation)
  } catch (raw) {
    throw raw == null ? signal.reason : linkError(raw)
  } finally {
    forget()
  }
}

function linkError(raw) {
  if (raw instanceof LinkError) return raw
  return raw instanceof Error ? failure('INTERNAL', `The addon failed: ${raw.message}`, { cause: raw }) : new LinkError(raw)
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

/** The options as plain data, and the functions among them. */
function withoutFunctions(options) {
  const { credential, proxy } = options?.dataverse ?? {}
  const isProvider = typeof credential === 'function' || typeof credential?.getToken === 'function'
  const isResolver = typeof proxy === 'function'
  if (!isProvider && !isResolver) return [options]
  const dataverse = { ...options.dataverse, ...(isProvider && { credential: undefined }), ...(isResolver && { proxy: undefined }) }
  return [{ ...options, dataverse }, isProvider ? credential : undefined, isResolver ? proxy : undefined]
}

/** How long a credential may take to give a token. */
const TOKEN_TIMEOUT_IN_MS = 30_000

/** A function that never throws and knows one shape only, of a credential that may be a function or have `getToken`. */
function tokenProvider(credential, questions) {
  const ask = ({ scope, claims }) => {
    const options = { abortSignal: AbortSignal.timeout(TOKEN_TIMEOUT_IN_MS) }
    if (claims != null) options.claims = claims
    return typeof credential === 'function' ? credential({ scope, ...options }) : credential.getToken(scope, options)
  }
  return async request => {
    try {
      const answer = await questions.ask('credential', () => ask(request))
      if (typeof answer === 'string') return { token: answer }
      if (typeof answer?.token !== 'string') return { failure: `it gave ${answer === null ? 'null' : typeof answer} instead of a token` }
      const { token, expiresOnTimestamp } = answer
      return typeof expiresOnTimestamp === 'number' ? { token, goodForInMs: expiresOnTimestamp - Date.now() } : { token }
    } catch (error) {
      return { failure: whyOf(error) }
    }
  }
}

/** The same for the function that finds a proxy. */
function proxyResolver(proxy, questions) {
  return async ({ url }) => {
    try {
      const answer = (await questions.ask('proxy', () => proxy(url))) ?? ''
      return typeof answer === 'string' ? { answer } : { failure: `it gave ${typeof answer} instead of a text` }
    } catch (error) {
      return { failure: whyOf(error) }
    }
  }
}

/** What can be said of an error of somebody else's: its name, and Entra's number. Its message may hold a secret. */
function whyOf(error) {
  if (error instanceof NestedCall) return error.message
  const name = /^\w+$/.exec(error?.name)?.[0] ?? typeof error
  const number = /\bAADSTS\d+/.exec(error?.message)?.[0]
  return number ? `it threw ${name} ${number}` : `it threw ${name}`
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
