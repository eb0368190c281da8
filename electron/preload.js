'use strict'

// The window's half of `Microsoft.Omnichannel`. It passes calls to main.js and has no state. A sandboxed preload script can require only
// Electron, so this is one file.

// @ts-ignore: Electron is not a dependency of this package.
const { contextBridge, ipcRenderer } = require('electron')

// Repeated in main.js.
const CALLS = 'omnichannel-link:call'
const EVENTS = 'omnichannel-link:event'

/**
 * Creates a function for the page. It rejects with plain data, because the bridge removes everything but the message from an `Error`. Extra
 * arguments, which callers such as `then` and `onclick` pass, are dropped.
 */
const call = (name, count) => {
  const invoke = values => ipcRenderer.invoke(CALLS, name, values)
  return async (...values) => {
    // Arguments that cannot be cloned are not sent. Send none instead, so that main.js produces the error.
    const response = await invoke(values.slice(0, count)).catch(() => invoke())
    return Object.hasOwn(response, 'failure') ? Promise.reject(response.failure) : response.value
  }
}

contextBridge.exposeInMainWorld('Microsoft', {
  Omnichannel: {
    linkToConversation: call('linkToConversation', 3),
    unlinkFromConversation: call('unlinkFromConversation', 3),
    getConversationId: call('getConversationId', 0),
    getConversations: call('getConversations', 1),
    openConversation: call('openConversation', 3),
    getLinkedRecords: call('getLinkedRecords', 0)
  },
  Apm: { refreshTab: call('refreshTab', 1) }
})

ipcRenderer.on(EVENTS, (_event, detail) => globalThis.dispatchEvent(new CustomEvent('omnichannel-link', { detail })))
