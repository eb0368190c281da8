'use strict'

// Checks of arguments that JavaScript needs itself, and the errors that it creates.

const { failure, kindOf, own, shown } = require('./link-error.js')
const { attempt, read } = require('./options.js')

/** The options of a call as a plain copy. A value that is not an object is returned as it is. */
const optionsOf = (native, options, shape) => argumentOf(native, 'options', options, shape)

/** Another argument as a plain copy. */
const argumentOf = (native, argument, value, shape) => read(argument, value, shape, wrong(native))

/** Reads from an argument. An error of a getter, a proxy or a circular structure becomes INVALID_ARGUMENT. */
const readable = (native, argument, reading) => attempt(argument, reading, wrong(native))

/** Creates errors about invalid arguments of a client: `wrong(native)(argument, why, details)`. */
const wrong = native => (argument, why, details) => described(native, 'INVALID_ARGUMENT', ...named(argument, why, details))

/** The error of an argument whose value is not of the expected kind. */
function invalid(native, argument, expected, value) {
  return wrong(native)(argument, `expected ${expected}, got ${kindOf(value)}`)
}

/** Throws unless the value is a function or undefined. */
function expectFunction(native, argument, value) {
  if (value !== undefined && typeof value !== 'function') throw invalid(native, argument, 'a function', value)
}

/** Throws if there is an option that the shape does not have. */
function expectKnown(fail, argument, options, shape) {
  const unknown = Object.keys(options).find(name => !(name in shape))
  if (unknown !== undefined) throw fail(`${argument}.${unknown}`, `unknown option; known are ${Object.keys(shape).join(', ')}`)
}

/** An error with the details of every error of this client: its store and, if that was not configured, the reason why it is used. */
function described(native, code, message, details) {
  const hint = [own(details).hint, native.implicitStoreHint()].filter(Boolean).join(' ') || undefined
  return failure(code, message, { ...details, hint, store: native.store() })
}

/** The error of an invalid argument where there is no client. */
const invalidArgument = (argument, why, details) => failure('INVALID_ARGUMENT', ...named(argument, why, details))

/** Message and details of an error that names an argument, as in src/error.rs. */
const named = (argument, why, details) => [`\`${argument}\`: ${why}.`, { ...details, argument: shown(argument) }]

/** An id as clients return it: in lower case, without braces. */
function guid(argument, value) {
  const id = typeof value === 'string' && /^\{.*\}$/.test(value) ? value.slice(1, -1) : value
  if (typeof id === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)) return id.toLowerCase()
  throw invalidArgument(argument, 'expected a GUID')
}

module.exports = { argumentOf, expectFunction, expectKnown, described, guid, invalid, invalidArgument, named, optionsOf, readable, wrong }
