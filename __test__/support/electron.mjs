// The parts of Electron that the kit uses: windows whose pages, preload scripts and main process are connected only by structured
// clones. main.js and preload.js are the real ones; they run as in a sandboxed window with context isolation.
import { EventEmitter } from 'node:events'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { compileFunction, createContext, runInContext } from 'node:vm'
import { MessageChannel } from 'node:worker_threads'
import { serveOmnichannel } from 'omnichannel-link/electron'
import { afterwards } from './afterwards.mjs'

export const ORIGIN = 'app://desktop'

/** A shell over the client, with two windows. */
export function shell(t, client, options) {
  const { ipcMain, open } = electron(t)
  const service = serveOmnichannel({ ipcMain, client, allow: [ORIGIN], ...options })
  return { ...service, open, ipcMain, one: open(ORIGIN), other: open(ORIGIN) }
}

const preloadPath = createRequire(import.meta.url).resolve('omnichannel-link/preload')
const preload = readFileSync(preloadPath, 'utf8')

/** Electron's `ipcMain`, and a way to open windows. */
export function electron(t) {
  const handlers = new Map()
  const ipcMain = {
    handle: (channel, handler) => {
      if (handlers.has(channel)) throw new Error(`Attempted to register a second handler for '${channel}'`)
      handlers.set(channel, handler)
    },
    removeHandler: channel => handlers.delete(channel)
  }
  const open = origin => openWindow(t, handlers, origin)
  return { ipcMain, open }
}

/**
 * A window on a page of this origin. `run(script)` runs a script in the page and returns its value. `frame`, the sender for the main
 * process, and `mainFrame`, the window's page, can be replaced: the sender may be a frame inside the page.
 */
function openWindow(t, handlers, origin) {
  const { port1: mainPort, port2: windowPort } = new MessageChannel()
  afterwards(t, () => [mainPort, windowPort].forEach(port => port.close()))
  const window = { frame: { origin }, mainFrame: { origin } }
  let isDestroyed = false
  window.webContents = Object.assign(new EventEmitter(), {
    isDestroyed: () => isDestroyed,
    send: (channel, ...values) => {
      if (isDestroyed) throw new TypeError('Object has been destroyed')
      post(mainPort, { channel, values })
    }
  })
  Object.defineProperty(window.webContents, 'mainFrame', { get: () => window.mainFrame })
  mainPort.on('message', async ({ number, channel, values }) => {
    const event = {
      sender: window.webContents,
      get senderFrame() {
        return window.frame
      }
    }
    const answer = await handle(handlers.get(channel), channel, event, values)
    window.webContents.emit('answered')
    if (!isDestroyed) post(mainPort, { number, ...answer })
  })
  window.destroy = () => {
    isDestroyed = true
    window.webContents.emit('destroyed')
  }
  const page = createContext({ console, seen: [] })
  const events = new EventTarget()
  page.addEventListener = (type, listener) => events.addEventListener(type, listener)
  window.run = script => runInContext(script, page)
  loadPreload(bridge(page), renderer(windowPort), events)
  return window
}

/** Sends a structured clone. */
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port has no origin
const post = (port, message) => port.postMessage(message)

/** Runs the handler like Electron: an error reaches the other side as text. */
async function handle(handler, channel, event, values) {
  try {
    if (!handler) throw new Error(`No handler registered for '${channel}'`)
    return { value: await handler(event, ...values) }
  } catch (error) {
    return { error: `Error invoking remote method '${channel}': ${error}` }
  }
}

function renderer(port) {
  const pending = new Map()
  const listeners = new EventEmitter()
  let last = 0
  port.on('message', ({ number, channel, value, values, error }) => {
    if (channel) return listeners.emit(channel, {}, ...values)
    const { resolve, reject } = pending.get(number)
    pending.delete(number)
    return error ? reject(new Error(error)) : resolve(value)
  })
  const invoke = (channel, ...values) =>
    new Promise((resolve, reject) => {
      const number = ++last
      post(port, { number, channel, values })
      pending.set(number, { resolve, reject })
    })
  return { invoke, on: (channel, listener) => listeners.on(channel, listener) }
}

/** Copies values between the worlds like the context bridge: functions become proxies, and an `Error` keeps only its message. */
function bridge(page) {
  const copy = value => {
    if (typeof value === 'function') return proxy(value)
    if (value instanceof Error) return new Error(value.message)
    if (
      typeof value === 'object' &&
      value !== null &&
      Object.values(value).some(inner => ['function', 'object'].includes(typeof inner)) &&
      !Array.isArray(value)
    ) {
      return Object.freeze(Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, copy(inner)])))
    }
    return structuredClone(value)
  }
  const proxy =
    call =>
    (...values) =>
      call(...values.map(copy)).then(copy, error => Promise.reject(copy(error)))
  return {
    exposeInMainWorld: (name, api) => Object.defineProperty(page, name, { value: copy(api), enumerable: true })
  }
}

/** A sandboxed preload can require only Electron. */
function loadPreload(contextBridge, ipcRenderer, events) {
  const isolated = createContext({
    CustomEvent: class extends CustomEvent {
      constructor(type, { detail }) {
        super(type, { detail: structuredClone(detail) })
      }
    },
    dispatchEvent: event => events.dispatchEvent(event)
  })
  const require = name => {
    if (name !== 'electron') throw new Error(`module not found: ${name}`)
    return { contextBridge, ipcRenderer }
  }
  compileFunction(preload, ['require'], { parsingContext: isolated, filename: preloadPath })(require)
}
