'use strict'

// The main-process half of `Microsoft.Omnichannel` in windows. It owns the client and gives every window a focus of its own and the page's
// functions. main.d.ts documents it; preload.js is the other half.

const process = require('node:process')
const { URL } = require('node:url')
const { expectKnown, guid, invalidArgument, named: nameArgument } = require('../lib/validate.js')
const { createOmnichannel, rejection } = require('../lib/omnichannel.js')
const { LinkError, failure, own } = require('../lib/link-error.js')
const { SHAPES, attempt, read } = require('../lib/options.js')

// Repeated in preload.js, which may require nothing but Electron.
const CALLS = 'omnichannel-link:call'
const EVENTS = 'omnichannel-link:event'

const LINK_EVENTS = ['linked', 'replaced', 'unlinked', 'failed']
/** Longer than any id. */
const MAX_STRING = 256

function serveOmnichannel(options) {
  const { ipcMain, client, allow, onRefreshTab, onOpenConversation, forwardEvents = false } = checkedOptions(options)
  const permits = typeof allow === 'function' ? frame => allow(frame) === true : frame => allow.includes(frame.origin)
  /** The focus and the functions of each live window, by its `webContents`. */
  const windows = new Map()

  /** Whether a frame's page may call and receive events. Electron's accessors throw for a disposed frame, as after a crash. */
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

  /** Sets a window's focus. Earlier requests of its page can no longer change it. */
  const setWindow = (webContents, focused) => {
    const window = { focused }
    const omnichannel = createOmnichannel(client, {
      getConversationId: () => window.focused,
      openConversation: conversationId => {
        // While the conversation was read, the window may have closed, or the program may have set another focus.
        if (windows.get(webContents) !== window) return
        window.focused = conversationId
        // A failing callback does not undo the new focus.
        if (onOpenConversation) void succeeds(() => onOpenConversation(conversationId, webContents))
      }
    })
    const refreshTab = async tabId => {
      if (!onRefreshTab) throw failure('INVALID_CONFIGURATION', 'This program has no `onRefreshTab`.')
      if (!(await succeeds(() => onRefreshTab(tabId, webContents)))) throw failure('INTERNAL', "The program's `onRefreshTab` failed.")
    }
    windows.set(webContents, Object.assign(window, { calls: { ...omnichannel, refreshTab } }))
  }

  /**
   * Handles a call of a page. Nothing is awaited before the function is called: the sender's frame must be checked before it can navigate,
   * and the focus is the one at the time of the call.
   */
  const handle = async (event, name, values) => {
    try {
      const { sender } = event
      if (sender.isDestroyed() || !isAllowed(() => event.senderFrame)) throw failure('FORBIDDEN', 'This page may not use Omnichannel.')
      const { calls } = windowOf(sender)
      if (typeof name !== 'string' || !Object.hasOwn(calls, name)) throw failure('INVALID_ARGUMENT', `Unknown function ${described(name)}.`)
      return { value: plain(await calls[name](...checkedValues(name, calls[name].length, values))) }
    } catch (thrown) {
      const rejected = own(thrown).error instanceof LinkError ? thrown : rejection(typeof name === 'string' ? name : 'unknown', thrown)
      if (rejected.error.code === 'INTERNAL' && rejected.error.cause !== undefined) {
        warn(rejected.error.cause)
        delete rejected.error.cause
      }
      return { failure: plain(rejected) }
    }
  }

  const windowsOn = conversationId =>
    [...windows].flatMap(([webContents, { focused }]) => (focused === conversationId ? [webContents] : []))

  const forwards = forwardEvents
    ? LINK_EVENTS.map(type => [
        type,
        event => {
          // A failure without a conversation concerns no window, not even those without a focus.
          for (const webContents of event.conversationId === null ? [] : windowsOn(event.conversationId)) {
            // The window may show another page by now, which must not learn about links.
            if (!webContents.isDestroyed() && isAllowed(() => webContents.mainFrame)) webContents.send(EVENTS, plain({ ...event, type }))
          }
        }
      ])
    : []

  try {
    ipcMain.handle(CALLS, handle)
  } catch (cause) {
    const hint = 'Call serveOmnichannel once, or close the service that it returned before.'
    throw failure('INVALID_CONFIGURATION', 'serveOmnichannel: this `ipcMain` is already in use by another call.', { cause, hint })
  }
  for (const [type, forward] of forwards) client.on(type, forward)

  return {
    focus(webContents, conversationId) {
      expectWebContents(webContents)
      const id = conversationId === null ? null : guid('conversationId', conversationId)
      if (webContents.isDestroyed()) return
      windowOf(webContents)
      setWindow(webContents, id)
    },
    getConversationId(webContents) {
      expectWebContents(webContents)
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

/** Calls a callback of the program. Its error becomes a warning of the process and is not shown to the page. */
async function succeeds(call) {
  try {
    await call()
    return true
  } catch (thrown) {
    warn(thrown)
    return false
  }
}

/** Emits a warning. Only an `Error` can be one; any other thrown value becomes its `cause`, which Node does not print. */
function warn(thrown) {
  const message = 'A callback of this program threw a value that is not an Error.'
  try {
    process.emitWarning(thrown instanceof Error ? thrown : new Error(message, { cause: thrown }))
  } catch {
    // Under Jest, for example, the `Error` of this realm is not the one that Node expects.
    process.emitWarning(message)
  }
}

/** Plain data for IPC; a `LinkError` becomes its `toJSON()`. */
const plain = value => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)))

/** Checks the arguments of a page: short strings, and the query of `getConversations`, which lib/omnichannel.js checks further. */
function checkedValues(name, max, values) {
  const isValid = (value, index) => {
    if (value === undefined || value === null) return true
    if (typeof value === 'string') return value.length <= MAX_STRING
    return name === 'getConversations' && index === 0 && typeof value === 'object'
  }
  if (Array.isArray(values) && values.length <= max && values.every(isValid)) return values
  throw failure('INVALID_ARGUMENT', `Too many arguments, or one that is not a string of at most ${MAX_STRING} characters.`)
}

const wrong = (option, why, details) => {
  const [message, named] = nameArgument(option, why, details)
  return failure('INVALID_CONFIGURATION', `serveOmnichannel: ${message}`, named)
}

function checkedOptions(options) {
  const given = own(read('options', options, SHAPES.serve, wrong))
  expectKnown(wrong, 'options', given, SHAPES.serve)
  const { ipcMain, client, allow, forwardEvents, onRefreshTab, onOpenConversation } = given
  if (typeof ipcMain?.handle !== 'function') throw wrong('options.ipcMain', "expected Electron's `ipcMain`")
  if (typeof client?.linkToConversation !== 'function') throw wrong('options.client', 'expected an OmnichannelClient')
  for (const [name, callback] of Object.entries({ onRefreshTab, onOpenConversation })) {
    if (callback !== undefined && typeof callback !== 'function') throw wrong(`options.${name}`, 'expected a function')
  }
  if (forwardEvents !== undefined && typeof forwardEvents !== 'boolean') throw wrong('options.forwardEvents', 'expected true or false')
  if (forwardEvents && typeof client.on !== 'function')
    throw wrong('options.client', 'expected a client with events, because `forwardEvents` is set')
  if (typeof allow === 'function') return given
  if (!Array.isArray(allow)) throw wrong('options.allow', 'expected an array of origins, or a function')
  const invalid = allow.filter(origin => !isOrigin(origin))
  if (invalid.length > 0)
    throw wrong(
      'options.allow',
      `expected origins as Chromium writes them, such as "https://agent.contoso.com", "app://desktop" or "file://"; got ${described(invalid[0])}`
    )
  return given
}

const described = value => (typeof value === 'string' ? JSON.stringify(value) : typeof value)

/** Matches a scheme, an ASCII host in lower case, and a port. */
const ORIGIN = /^(?!file:)[a-z][a-z0-9+.-]*:\/\/([a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|\.|\[[0-9a-f:.]+\])(:\d+)?$/

/** Whether a value is an origin exactly as Chromium writes it. Any other spelling would never match. Only web schemes have ports. */
function isOrigin(value) {
  if (value === 'file://') return true
  if (typeof value !== 'string' || !ORIGIN.test(value) || !URL.canParse(value)) return false
  const { origin, port } = new URL(value)
  return origin === value || (origin === 'null' && port === '')
}

/** Throws unless the value is a `webContents`. A `BrowserWindow` looks similar but is never the sender of a call. */
function expectWebContents(value) {
  if (attempt('webContents', () => typeof value?.send === 'function' && 'mainFrame' in value, invalidArgument)) return
  throw invalidArgument('webContents', 'expected the `webContents` of a window, as in `window.webContents`')
}

module.exports = { serveOmnichannel }
