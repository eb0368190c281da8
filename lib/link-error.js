'use strict'

// The one class of errors, which needs no addon.

const BRAND = Symbol.for('omnichannel-link.LinkError')

// What another process may say of an error; anything else that comes along is not taken over.
const JSON_FIELDS = [
  'code', 'message', 'isRetryable', 'maybeApplied', 'httpStatus', 'serviceCode', 'serviceMessage', 'requestId', 'serviceRequestId',
  'retryAfterInMs', 'conversationStatus', 'current', 'candidates', 'store', 'hint', 'cause'
]

class LinkError extends Error {
  constructor({ message, cause, ...details }) {
    super(message, cause === undefined ? undefined : { cause })
    for (const [name, value] of Object.entries(details)) if (value !== undefined) this[name] = value
  }

  // Two copies of the package in one program recognise each other's errors.
  static [Symbol.hasInstance](value) {
    return this === LinkError ? value?.[BRAND] === true : Function.prototype[Symbol.hasInstance].call(this, value)
  }

  static fromJSON(json) {
    if (typeof json?.code !== 'string' || typeof json.message !== 'string') {
      throw new TypeError('LinkError.fromJSON: expected what LinkError.prototype.toJSON returned')
    }
    return new LinkError(Object.fromEntries(JSON_FIELDS.map(name => [name, json[name]])))
  }

  toJSON() {
    const { message, cause } = this
    const json = { name: this.name, message, ...this }
    if (cause !== undefined) json.cause = cause instanceof Error ? cause.message : cause
    return json
  }
}

Object.defineProperties(LinkError.prototype, {
  name: { value: 'LinkError', configurable: true, writable: true },
  [BRAND]: { value: true }
})

/** A failure that the addon does not know of: nothing was read or written. */
function failure(code, message, details) {
  return new LinkError({ code, message, isRetryable: false, maybeApplied: false, ...details })
}

module.exports = { LinkError, failure }
