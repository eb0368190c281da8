'use strict'

// Wraps the program's credential and proxy function for the addon. The wrappers never throw, and return plain objects of one form.

const { kindOf, own } = require('./link-error.js')
const { properties } = require('./options.js')
const { NestedCall } = require('./callbacks.js')
const { AbortSignal } = require('./signals.js')

/** Time for a credential to return a token. */
const TOKEN_TIMEOUT_IN_MS = 30_000

/** The functions for a credential and for a proxy function, each undefined if there is none. */
const functions = (credential, proxy, callbacks) => [
  credential && tokenProvider(credential, callbacks),
  proxy && proxyResolver(proxy, callbacks)
]

/** The function for a credential, which is a function itself or has `getToken`. */
function tokenProvider(credential, callbacks) {
  const getToken = request => {
    const { scope, claims } = own(request)
    const options = { abortSignal: AbortSignal.timeout(TOKEN_TIMEOUT_IN_MS) }
    if (claims != null) options.claims = claims
    return typeof credential === 'function' ? credential({ scope, ...options }) : credential.getToken(scope, options)
  }
  return async request => {
    try {
      const given = await callbacks.invoke('credential', () => getToken(request))
      if (typeof given === 'string') return own({ token: given })
      const { token, expiresOnTimestamp } = properties(given, ['token', 'expiresOnTimestamp'])
      if (typeof token !== 'string') return own({ failure: `it returned ${given === null ? 'null' : typeof given} instead of a token` })
      return own(typeof expiresOnTimestamp === 'number' ? { token, validForInMs: expiresOnTimestamp - Date.now() } : { token })
    } catch (error) {
      return own({ failure: describe(error) })
    }
  }
}

/** The function for a proxy function. */
function proxyResolver(proxy, callbacks) {
  return async ({ url }) => {
    try {
      const proxies = (await callbacks.invoke('proxy', () => proxy(url))) ?? ''
      return own(typeof proxies === 'string' ? { proxies } : { failure: `it returned ${typeof proxies} instead of a string` })
    } catch (error) {
      return own({ failure: describe(error) })
    }
  }
}

/** Describes an error of the program by its name and Entra's number only, because its message may contain a secret. */
function describe(error) {
  if (error instanceof NestedCall) return error.message
  try {
    const [given, message] = [error?.name, error?.message]
    const name = typeof given === 'string' && /^\w{1,100}$/.test(given) ? given : thrownKind(error)
    const number = typeof message === 'string' ? /\bAADSTS\d{1,10}/.exec(message)?.[0] : undefined
    return number ? `it threw ${name} ${number}` : `it threw ${name}`
  } catch {
    return `it threw ${thrownKind(error)}`
  }
}

const thrownKind = error => (error === undefined ? 'nothing' : kindOf(error))

module.exports = { functions }
