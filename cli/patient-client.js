'use strict'

// The client of a bulk.

const { OmnichannelClient } = require('../index.js')

/** Its calls are given up by one signal, and by nobody else: so a list that ends early has a result for each call that was begun. */
class PatientClient extends OmnichannelClient {
  #givingUp

  constructor(options, givingUp) {
    super(options)
    this.#givingUp = givingUp
  }

  linkToConversation(entityLogicalName, recordId, conversationId, options) {
    return super.linkToConversation(entityLogicalName, recordId, conversationId, { __proto__: null, ...options, signal: this.#givingUp })
  }

  unlinkFromConversation(entityLogicalName, recordId, conversationId, options) {
    return super.unlinkFromConversation(entityLogicalName, recordId, conversationId, { __proto__: null, ...options, signal: this.#givingUp })
  }
}

module.exports = { PatientClient }
