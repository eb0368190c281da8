'use strict'

// Arguments that JavaScript keeps for itself, and the errors that it makes of its own.

const { failure } = require('./link-error.js')

/** Takes one option out: the addon is given a copy of the others, and refuses those it does not know. */
function without(native, options, name) {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) return [options, undefined]
  return readable(native, 'options', () => {
    const { [name]: value, ...rest } = options
    return [rest, value]
  })
}

/** The properties of these names that are given. */
const picked = (object, names) => Object.fromEntries(names.map(name => [name, object[name]]).filter(([, value]) => value !== undefined))

/** Reads an argument that may have getters, proxies or circles in it. */
function readable(native, argument, read) {
  try {
    return read()
  } catch (cause) {
    throw described(native, 'INVALID_ARGUMENT', `\`${argument}\` cannot be read: ${cause}`, { cause })
  }
}

/** A refusal that names the argument. */
function invalid(native, argument, expected, value) {
  const got = value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value
  return described(native, 'INVALID_ARGUMENT', `\`${argument}\`: expected ${expected}, got ${got}.`)
}

/** A failure that tells what every other error of this client tells: its store and, if nobody configured that, where it came from. */
function described(native, code, message, details) {
  const hint = [details?.hint, native.note()].filter(Boolean).join(' ') || undefined
  return failure(code, message, { ...details, hint, store: native.store() })
}

/** An id as the client writes it: in lower case, without braces. */
function guid(argument, text) {
  const id = typeof text === 'string' && /^\{.*\}$/.test(text) ? text.slice(1, -1) : text
  if (typeof id === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)) return id.toLowerCase()
  throw failure('INVALID_ARGUMENT', `\`${argument}\`: expected a GUID.`)
}

module.exports = { described, guid, invalid, picked, readable, without }
