'use strict'

// Arguments that JavaScript keeps for itself, and the errors that it makes of its own.

const { failure, own } = require('./link-error.js')
const { attempt, read } = require('./options.js')

/** Options of a client's call as a plain copy, or what was given instead of an object. */
const optionsOf = (native, options, shape) => argumentOf(native, 'options', options, shape)

/** The same for another argument that is an object. */
const argumentOf = (native, argument, value, shape) => read(argument, value, shape, wrong(native))

/** Reads an argument that may have getters, proxies or circles in it. */
const readable = (native, argument, reading) => attempt(argument, reading, wrong(native))

const wrong = native => (message, details) => described(native, 'INVALID_ARGUMENT', message, details)

/** A refusal that names the argument. */
function invalid(native, argument, expected, value) {
  const got = value === null ? 'null' : readable(native, argument, () => Array.isArray(value)) ? 'an array' : typeof value
  return described(native, 'INVALID_ARGUMENT', `\`${argument}\`: expected ${expected}, got ${got}.`)
}

/** Refuses anything that is neither a function nor left out. */
function demandFunction(native, argument, value) {
  if (value !== undefined && typeof value !== 'function') throw invalid(native, argument, 'a function', value)
}

/** A failure that tells what every other error of this client tells: its store and, if nobody configured that, where it came from. */
function described(native, code, message, details) {
  const hint = [own(details).hint, native.note()].filter(Boolean).join(' ') || undefined
  return failure(code, message, { ...details, hint, store: native.store() })
}

/** The same where there is no client. */
const refusal = (message, details) => failure('INVALID_ARGUMENT', message, details)

/** An id as the client writes it: in lower case, without braces. */
function guid(argument, text) {
  const id = typeof text === 'string' && /^\{.*\}$/.test(text) ? text.slice(1, -1) : text
  if (typeof id === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)) return id.toLowerCase()
  throw refusal(`\`${argument}\`: expected a GUID.`)
}

module.exports = { argumentOf, demandFunction, described, guid, invalid, optionsOf, readable, refusal }
