'use strict'

// The main process's half of `Microsoft.Omnichannel` in windows: it owns the client, and gives every window a focus of its own and
// the page's functions. main.d.ts is the documentation; preload.js is the other half.

const process = require('node:process')
const { URL } = require('node:url')
const { demandKnown, guid, invalidArgument, named: nameArgument } = require('../lib/validate.js')
const { createOmnichannel, rejection } = require('../lib/omnichannel.js')
const { LinkError, failure, own } = require('../lib/link-error.js')
const { SHAPES, attempt, read } = require('../lib/options.js')

// preload.js has the same names: it may require nothing but Electron.
const CALLS = 'omnichannel-link:call'
const EVENTS = 'omnichannel-link:event'

const LINK_EVENTS = ['linked', 'replaced', 'unlinked', 'failed']
/** Longer than every id there is. */
const LONGEST_TEXT = 256

function serveOmnichannel(options) {
  const { ipcMain, client, allow, onRefreshTab, onOpenConversation, forwardEvents = false } = checkedOptions(options)
  const permits = typeof allow === 'function' ? frame => allow(frame) === true : frame => allow.includes(frame.origin)
  /** What there is for each window that is alive and was heard of. */
  const windows = new Map()

  /** Whether a frame's page may call and be told. Of a frame that was disposed of, as in a window that crashed, Electron's accessors throw. */
  const isAllowed = frameOf => {
    try {
      const frame = frameOf()
      return frame != null && permits(frame)
    } catch (thrown) {
      if (typeof allow === 'function') warn(thrown)
      return false
    }
  }

  const windowOf = webContents => {
    if (!windows.has(webContents)) {
      setWindow(webContents, null)
      webContents.once('destroyed', () => windows.delete(webContents))
    }
    return windows.get(webContents)
  }

  /** Begins anew with a focus, so that what pages asked for before does not move it any more. */
  const setWindow = (webContents, focused) => {
    const window = { focused }
    const omnichannel = createOmnichannel(client, {
      getConversationId: () => window.focused,
      openConversation: conversationId => {
        // Whether it exists was looked up. The window may have gone meanwhile, or the program have focused another conversation.
        if (windows.get(webContents) !== window) return
        window.focused = conversationId
        // The focus has moved, whatever the program makes of it.
        if (onOpenConversation) void succeeds(() => onOpenConversation(conversationId, webContents))
      }
    })
    const refreshTab = async tabId => {
      if (!onRefreshTab) throw failure('INVALID_CONFIGURATION', 'This program has no `onRefreshTab`.')
      if (!(await succeeds(() => onRefreshTab(tabId, webContents)))) throw failure('INTERNAL', 'The program failed to answer the call.')
    }
    windows.set(webContents, Object.assign(window, { calls: { ...omnichannel, refreshTab } }))
  }

  /**
   * Answers a page. Until the function itself is called nothing is awaited: the sender's frame has to be looked at before it can
   * navigate, and the focus is that of the moment in which the call arrived.
   */
  const answer = async (event, name, values) => {
    try {
      const { sender } = event
      if (sender.isDestroyed() || !isAllowed(() => event.senderFrame)) throw failure('FORBIDDEN', 'This page may not use Omnichannel.')
      const { calls } = windowOf(sender)
      if (typeof name !== 'string' || !Object.hasOwn(calls, name)) throw failure('INVALID_ARGUMENT', 'There is no such function.')
      return { value: plain(await calls[name](...checkedValues(name, calls[name].length, values))) }
    } catch (thrown) {
      const refused = own(thrown).error instanceof LinkError ? thrown : rejection(typeof name === 'string' ? name : 'unknown', thrown)
      if (refused.error.code === 'INTERNAL' && refused.error.cause !== undefined) {
        warn(refused.error.cause)
        delete refused.error.cause
      }
      return { failure: plain(refused) }
    }
  }

  const windowsOn = conversationId => [...windows].flatMap(([webContents, { focused }]) => (focused === conversationId ? [webContents] : []))

  const forwards = forwardEvents ? LINK_EVENTS.map(type => [type, event => {
    // A failure that meant no conversation is none of a window's, also of those that have none.
    for (const webContents of event.conversationId === null ? [] : windowsOn(event.conversationId)) {
      // The window may show another page by now, which is not to know what is linked.
      if (!webContents.isDestroyed() && isAllowed(() => webContents.mainFrame)) webContents.send(EVENTS, plain({ ...event, type }))
    }
  }]) : []

  try {
    ipcMain.handle(CALLS, answer)
  } catch (cause) {
    const hint = 'Call serveOmnichannel once, or close() of what it returned before.'
    throw failure('INVALID_CONFIGURATION', 'serveOmnichannel: this `ipcMain` is served already.', { cause, hint })
  }
  for (const [type, forward] of forwards) client.on(type, forward)

  return {
    focus(webContents, conversationId) {
      demandContents(webContents)
      const id = conversationId === null ? null : guid('conversationId', conversationId)
      if (webContents.isDestroyed()) return
      windowOf(webContents)
      setWindow(webContents, id)
    },
    getConversationId(webContents) {
      demandContents(webContents)
      return windows.get(webContents)?.focused ?? null
    },
    getWindows: conversationId => windowsOn(guid('conversationId', conversationId)),
    close() {
      ipcMain.removeHandler(CALLS)
      for (const [type, forward] of forwards) client.off(type, forward)
      windows.clear()
    }
  }
}

/** Calls a callback of the program's. How it fails the page is not told, but whoever wrote it is. */
async function succeeds(call) {
  try {
    await call()
    return true
  } catch (thrown) {
    warn(thrown)
    return false
  }
}

/** Only an `Error` can be a warning; what else was thrown is its `cause`, which Node does not print. */
function warn(thrown) {
  const message = 'A callback of this program threw what is not an Error of its own.'
  try {
    process.emitWarning(thrown instanceof Error ? thrown : new Error(message, { cause: thrown }))
  } catch {
    // This program's `Error` may be another than Node's, as under Jest.
    process.emitWarning(message)
  }
}

/** Data that every channel carries as it is; a `LinkError` becomes its `toJSON()`. */
const plain = value => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)))

/** What a page may hand over: ids and the like, and the query of `getConversations`, which the facade reads piece by piece. */
function checkedValues(name, most, values) {
  const isFit = (value, index) => {
    if (value === undefined || value === null) return true
    if (typeof value === 'string') return value.length <= LONGEST_TEXT
    return name === 'getConversations' && index === 0 && typeof value === 'object'
  }
  if (Array.isArray(values) && values.length <= most && values.every(isFit)) return values
  throw failure('INVALID_ARGUMENT', `Too many arguments, or one that is no text of at most ${LONGEST_TEXT} characters.`)
}

const wrong = (option, why, details) => {
  const [message, named] = nameArgument(option, why, details)
  return failure('INVALID_CONFIGURATION', `serveOmnichannel: ${message}`, named)
}

function checkedOptions(options) {
  const given = own(read('options', options, SHAPES.serve, wrong))
  demandKnown(wrong, 'options', given, SHAPES.serve)
  const { ipcMain, client, allow, forwardEvents, onRefreshTab, onOpenConversation } = given
  if (typeof ipcMain?.handle !== 'function') throw wrong('options.ipcMain', "expected Electron's `ipcMain`")
  if (typeof client?.linkToConversation !== 'function') throw wrong('options.client', 'expected an OmnichannelClient')
  for (const [name, callback] of Object.entries({ onRefreshTab, onOpenConversation })) {
    if (callback !== undefined && typeof callback !== 'function') throw wrong(`options.${name}`, 'expected a function')
  }
  if (forwardEvents !== undefined && typeof forwardEvents !== 'boolean') throw wrong('options.forwardEvents', 'expected true or false')
  if (forwardEvents && typeof client.on !== 'function') throw wrong('options.client', 'expected a client with events, because `forwardEvents` is set')
  if (typeof allow === 'function') return given
  if (!Array.isArray(allow)) throw wrong('options.allow', 'expected an array of origins, or a function')
  const bad = allow.filter(origin => !isOrigin(origin))
  if (bad.length > 0) throw wrong('options.allow', `expected origins as Chromium writes them, such as "https://agent.contoso.com", "app://desktop" or "file://"; got ${described(bad[0])}`)
  return given
}

const described = value => (typeof value === 'string' ? JSON.stringify(value) : typeof value)

/** A scheme and a host, without a `*`, and with a port only where the web's schemes have one. Hosts are ASCII and in lower case. */
const ORIGIN = /^(?!file:)[a-z][a-z0-9+.-]*:\/\/([a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|\.|\[[0-9a-f:.]+\])(:\d+)?$/

/** Whether a text is an origin in the one form in which Chromium writes it. Any other would never match. */
function isOrigin(text) {
  if (text === 'file://') return true
  if (typeof text !== 'string' || !ORIGIN.test(text) || !URL.canParse(text)) return false
  const { origin, port } = new URL(text)
  return origin === text || (origin === 'null' && port === '')
}

/** A window itself has a `webContents` and much that looks alike, but no page is ever known by it. */
function demandContents(value) {
  if (attempt('webContents', () => typeof value?.send === 'function' && 'mainFrame' in value, invalidArgument)) return
  throw invalidArgument('webContents', 'expected the `webContents` of a window, as in `window.webContents`')
}

module.exports = { serveOmnichannel }
