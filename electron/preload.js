'use strict'

// The window's half of `Microsoft.Omnichannel`: hands calls to main.js and holds nothing itself. A sandboxed preload may require
// nothing but Electron, so this is one file.

const { contextBridge, ipcRenderer } = require('electron')

// main.js has the same names.
const CALLS = 'omnichannel-link:call'
const EVENTS = 'omnichannel-link:event'

/**
 * A function of the page's. What it rejects with is plain data, because the bridge to the page takes everything off an `Error` but its
 * message. It hands over as many arguments as it takes: callers such as `then` and `onclick` give it more.
 */
const call = (name, count) => {
  const invoke = values => ipcRenderer.invoke(CALLS, name, values)
  return async (...values) => {
    // What cannot be cloned was not sent. That its arguments are wrong is for main.js to say, which says it of none at all.
    const answer = await invoke(values.slice(0, count)).catch(() => invoke())
    return Object.hasOwn(answer, 'failure') ? Promise.reject(answer.failure) : answer.value
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
