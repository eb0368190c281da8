'use strict'

// The module: the client, and functions that call a default client. index.d.ts documents it.

const { OmnichannelClient } = require('./lib/client.js')
/** @type {any} The properties of a LinkError are defined at run time. */
const { LinkError, failure } = require('./lib/link-error.js')
const { createOmnichannel } = require('./lib/omnichannel.js')

let client

function configure(options) {
  if (client) {
    const hint = 'Call it once, before the first use, or create a client of your own with new OmnichannelClient(options).'
    throw failure('INVALID_CONFIGURATION', 'configure() was called too late: the default client exists already.', { hint })
  }
  client = new OmnichannelClient(options)
}

function defaultClient() {
  return (client ??= new OmnichannelClient())
}

/** An async function throws nothing: without a default client it rejects. */
function linkToConversation(entityLogicalName, recordId, conversationId, options) {
  try {
    return defaultClient().linkToConversation(entityLogicalName, recordId, conversationId, options)
  } catch (error) {
    return Promise.reject(error)
  }
}

function unlinkFromConversation(entityLogicalName, recordId, conversationId, options) {
  try {
    return defaultClient().unlinkFromConversation(entityLogicalName, recordId, conversationId, options)
  } catch (error) {
    return Promise.reject(error)
  }
}

const openConversation = conversationId => defaultClient().openConversation(conversationId)
const focusConversation = conversationId => defaultClient().focusConversation(conversationId)
const closeConversation = conversationId => defaultClient().closeConversation(conversationId)
const getConversationId = () => defaultClient().getConversationId()

// Shorthands only: Node finds the names that `import` can take in this text.
/** @type {typeof import('./index')} */
module.exports = {
  LinkError,
  OmnichannelClient,
  closeConversation,
  configure,
  createOmnichannel,
  defaultClient,
  focusConversation,
  getConversationId,
  linkToConversation,
  openConversation,
  unlinkFromConversation
}
