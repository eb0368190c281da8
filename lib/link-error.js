'use strict'

// The class of errors. It does not need the addon.

const { isNativeError } = require('node:util/types')

const BRAND = Symbol.for('omnichannel-link.LinkError')

// Properties that are accepted from another process.
// prettier-ignore
const JSON_FIELDS = [
  'code', 'message', 'argument', 'isRetryable', 'maybeApplied', 'httpStatus', 'serviceCode', 'serviceMessage', 'requestId',
  'serviceRequestId', 'retryAfterInMs', 'conversationStatus', 'current', 'candidates', 'store', 'hint', 'cause'
]

// As in src/error.rs.
const MAX_CHARACTERS = 1000
const MAX_BEGINNING = 600

class LinkError extends Error {
  constructor(given) {
    const { message, cause, ...details } = own(given)
    super(message, cause === undefined ? undefined : { cause })
    for (const [name, value] of Object.entries(details)) if (value !== undefined) define(this, name, { value, enumerable: true })
  }

  // Several copies of the package in one program recognise each other's errors.
  /** @returns {value is import('../types/errors').LinkError} */
  static [Symbol.hasInstance](value) {
    return this === LinkError ? value?.[BRAND] === true : Function.prototype[Symbol.hasInstance].call(this, value)
  }

  static fromJSON(json) {
    const given = Object.create(null)
    for (const name of JSON_FIELDS) if (Object.hasOwn(json ?? {}, name)) given[name] = json[name]
    if (typeof given.code !== 'string' || typeof given.message !== 'string') {
      throw new TypeError('LinkError.fromJSON: expected what LinkError.prototype.toJSON returned')
    }
    return /** @type {any} */ (new LinkError(given))
  }

  toJSON() {
    const { name, message } = this
    const thrown = Object.hasOwn(this, 'cause') ? this.cause : undefined
    const cause = isNativeError(thrown) ? thrown.message : thrown
    const shown = typeof cause === 'string' ? shortened(cause) : cause
    return { name, message, .../** @type {object} */ (this), ...(cause !== undefined && { cause: shown }) }
  }
}

define(LinkError.prototype, 'name', { value: 'LinkError' })
define(LinkError.prototype, BRAND, { value: true })

/** A copy of an object's own properties; empty for other values. Without a prototype, so a changed `Object.prototype` has no effect. */
function own(object) {
  return { __proto__: null, ...(typeof object === 'object' && object) }
}

/** Defines a property. An assignment could call a setter of a changed `Object.prototype`, and a descriptor could inherit from it. */
function define(object, name, description) {
  Object.defineProperty(object, name, { __proto__: null, configurable: true, writable: true, ...description })
}

/** The LinkError of an `Error` that the addon created. */
const fromAddon = raw => new LinkError({ ...own(raw), message: raw.message })

/** An error that JavaScript detects, before anything was read or written. */
function failure(code, message, details) {
  return new LinkError({ code, message: shortened(message), isRetryable: false, maybeApplied: false, ...details })
}

/** Leaves out the middle of a very long message. */
function shortened(message) {
  const leftOut = message.length - MAX_CHARACTERS
  if (leftOut <= 0) return message
  const [beginning, end] = [message.slice(0, MAX_BEGINNING), message.slice(MAX_BEGINNING + leftOut)]
  return `${beginning}… (${leftOut} characters left out) …${end}`.toWellFormed()
}

/** The kind of a value for a message: `a string`, `an array`, `undefined`. A revoked proxy is an object. */
function kindOf(value) {
  if (value == null) return String(value)
  const type = typeof value
  if (type !== 'object') return `a ${type}`
  try {
    return Array.isArray(value) ? 'an array' : 'an object'
  } catch {
    return 'an object'
  }
}

/** A thrown value as a string for a message. Some values cannot be converted. */
function shown(thrown) {
  try {
    return shortened(String(thrown))
  } catch {
    return 'a value that cannot be shown'
  }
}

module.exports = { LinkError, define, failure, fromAddon, kindOf, own, shown }
