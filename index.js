'use strict'

// The module: the client, and functions that call a default client. index.d.ts documents it.

const { OmnichannelClient } = require('./lib/client.js')
/** @type {any} The properties of a LinkError are defined at run time. */
const { LinkError, failure } = require('./lib/link-error.js')

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

const createOmnichannel = (...args) => require('./lib/omnichannel.js').createOmnichannel(...args)

/** Calls an async method of the default client. If that client cannot be created, the call rejects; it does not throw. */
function call(method, args) {
  try {
    return defaultClient()[method](...args)
  } catch (error) {
    return Promise.reject(error)
  }
}

const linkToConversation = (...args) => call('linkToConversation', args)
const unlinkFromConversation = (...args) => call('unlinkFromConversation', args)
const openConversation = conversationId => defaultClient().openConversation(conversationId)
const focusConversation = conversationId => defaultClient().focusConversation(conversationId)
const closeConversation = conversationId => defaultClient().closeConversation(conversationId)
const getConversationId = () => defaultClient().getConversationId()

// Shorthand properties only: Node finds the names for `import { … }` by parsing this object literal.
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
