'use strict'

// The client of `bulk`: calls in progress finish although the list has ended early.

const { OmnichannelClient } = require('../index.js')

/** Ignores the caller's signal; only `cancelSignal` cancels calls. So a list that ends early still has a result for each started call. */
class DrainClient extends OmnichannelClient {
  #cancelSignal

  constructor(options, cancelSignal) {
    super(options)
    this.#cancelSignal = cancelSignal
  }

  linkToConversation(entityLogicalName, recordId, conversationId, options) {
    return super.linkToConversation(entityLogicalName, recordId, conversationId, this.#withCancelSignal(options))
  }

  unlinkFromConversation(entityLogicalName, recordId, conversationId, options) {
    return super.unlinkFromConversation(entityLogicalName, recordId, conversationId, this.#withCancelSignal(options))
  }

  #withCancelSignal = options => ({ __proto__: null, ...options, signal: this.#cancelSignal })
}

module.exports = { DrainClient }
