'use strict'

// Arguments that JavaScript keeps for itself. `native` knows the note that belongs into every hint of a client nobody configured.

const { failure } = require('./link-error.js')

/** Takes one option out: the addon is given a copy of the others, and refuses those it does not know. */
function without(native, options, name) {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) return [options, undefined]
  return readable(native, 'options', () => {
    const { [name]: value, ...rest } = options
    return [rest, value]
  })
}

/** Reads an argument that may have getters, proxies or circles in it. */
function readable(native, argument, read) {
  try {
    return read()
  } catch (cause) {
    throw failure('INVALID_ARGUMENT', `\`${argument}\` cannot be read: ${cause}`, { cause, hint: native.note() ?? undefined })
  }
}

/** A refusal that names the argument. */
function invalid(native, argument, expected, value) {
  const got = value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value
  return failure('INVALID_ARGUMENT', `\`${argument}\`: expected ${expected}, got ${got}.`, { hint: native.note() ?? undefined })
}

module.exports = { invalid, readable, without }
