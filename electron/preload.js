'use strict'

// The window's half of `Microsoft.Omnichannel`: hands calls to main.js and holds nothing itself. A sandboxed preload may require
// nothing but Electron, so this is one file.

const { contextBridge, ipcRenderer } = require('electron')

// main.js has the same names.
const CALLS = 'omnichannel-link:call'
const EVENTS = 'omnichannel-link:event'

/**
 * A function of the page's. What it rejects with is plain data, because the bridge to the page takes everything off an `Error` but its
 * message; and no more arguments than the page's functions have, because an event that a handler passes on cannot be cloned.
 */
const call = name => async (...values) => {
  const { value, failure } = await ipcRenderer.invoke(CALLS, name, values.slice(0, 3))
  return failure ? Promise.reject(failure) : value
}

const names = ['linkToConversation', 'unlinkFromConversation', 'getConversationId', 'getConversations', 'openConversation', 'getLinkedRecords']

contextBridge.exposeInMainWorld('Microsoft', {
  Omnichannel: Object.fromEntries(names.map(name => [name, call(name)])),
  Apm: { refreshTab: call('refreshTab') }
})

ipcRenderer.on(EVENTS, (_event, detail) => globalThis.dispatchEvent(new CustomEvent('omnichannel-link', { detail })))
