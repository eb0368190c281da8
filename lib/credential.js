'use strict'

// The functions of the caller's that a client asks: its credential for a token, its proxy function for a proxy. The addon gets
// functions that never throw and know one shape only.

const { own } = require('./link-error.js')
const { properties } = require('./options.js')
const { NestedCall } = require('./questions.js')
const { AbortSignal } = require('./signals.js')

/** How long a credential may take to give a token. */
const TOKEN_TIMEOUT_IN_MS = 30_000

/** A function that never throws and knows one shape only, of a credential that may be a function or have `getToken`. */
function tokenProvider(credential, questions) {
  const ask = request => {
    const { scope, claims } = own(request)
    const options = { abortSignal: AbortSignal.timeout(TOKEN_TIMEOUT_IN_MS) }
    if (claims != null) options.claims = claims
    return typeof credential === 'function' ? credential({ scope, ...options }) : credential.getToken(scope, options)
  }
  return async request => {
    try {
      const given = await questions.ask('credential', () => ask(request))
      if (typeof given === 'string') return own({ token: given })
      const { token, expiresOnTimestamp } = properties(given, ['token', 'expiresOnTimestamp'])
      if (typeof token !== 'string') return own({ failure: `it returned ${given === null ? 'null' : typeof given} instead of a token` })
      return own(typeof expiresOnTimestamp === 'number' ? { token, validForInMs: expiresOnTimestamp - Date.now() } : { token })
    } catch (error) {
      return own({ failure: whyOf(error) })
    }
  }
}

/** The same for the function that finds a proxy. */
function proxyResolver(proxy, questions) {
  return async ({ url }) => {
    try {
      const proxies = (await questions.ask('proxy', () => proxy(url))) ?? ''
      return own(typeof proxies === 'string' ? { proxies } : { failure: `it returned ${typeof proxies} instead of a string` })
    } catch (error) {
      return own({ failure: whyOf(error) })
    }
  }
}

/** What can be said of an error of somebody else's: its name, and Entra's number. Its message may hold a secret. */
function whyOf(error) {
  if (error instanceof NestedCall) return error.message
  try {
    const [given, message] = [error?.name, error?.message]
    const name = typeof given === 'string' && /^\w{1,100}$/.test(given) ? given : kindOf(error)
    const number = typeof message === 'string' ? /\bAADSTS\d{1,10}/.exec(message)?.[0] : undefined
    return number ? `it threw ${name} ${number}` : `it threw ${name}`
  } catch {
    return `it threw ${kindOf(error)}`
  }
}

const KINDS = { undefined: 'nothing', object: 'an object' }
const kindOf = value => (value === null ? 'null' : (own(KINDS)[typeof value] ?? `a ${typeof value}`))

module.exports = { proxyResolver, tokenProvider }
