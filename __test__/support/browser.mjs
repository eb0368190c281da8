// A page in a headless Chromium that a test drives over the DevTools protocol.
import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { afterwards, folder } from './afterwards.mjs'
import { chromium } from './chromium.mjs'

/** Opens a page of this URL, with a window of this size. */
export async function browse(t, url, { width = 1280, height = 900 } = {}) {
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-sync']
  const child = spawn(chromium, [...flags, '--disable-dev-shm-usage', '--remote-debugging-pipe', `--user-data-dir=${folder(t)}`], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe']
  })
  const gone = once(child, 'close')
  afterwards(t, async () => {
    // Killed, it could leave processes behind that still write to the folder.
    send('Browser.close').catch(() => {})
    await gone
  })
  const [, , , input, output] = child.stdio
  input.on('error', () => {})
  const messages = new EventEmitter()
  let rest = ''
  output.setEncoding('utf8').on('data', text => {
    const parts = (rest + text).split('\0')
    rest = parts.pop()
    for (const part of parts) {
      const message = JSON.parse(part)
      messages.emit(message.id ?? message.method, message)
    }
  })
  let last = 0
  let sessionId
  const send = async (method, params = {}) => {
    const id = ++last
    input.write(`${JSON.stringify({ id, method, params, sessionId })}\0`)
    const [{ error, result }] = await once(messages, id)
    if (error) throw new Error(`${method}: ${error.message}`)
    return result
  }
  const { targetId } = await send('Target.createTarget', { url: 'about:blank' })
  ;({ sessionId } = await send('Target.attachToTarget', { targetId, flatten: true }))
  const requested = []
  messages.on('Network.requestWillBeSent', ({ params }) => requested.push(params.request.url))
  await send('Network.enable')
  await send('Page.enable')
  await send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false })
  const loaded = once(messages, 'Page.loadEventFired')
  await send('Page.navigate', { url })
  await loaded

  /** The value of an expression in the page. A promise is awaited. */
  const evaluate = async expression => {
    const { result, exceptionDetails } = await send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true })
    if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`)
    return result.value
  }
  /** Waits until an expression is true; it is evaluated after every change of the document. */
  const until = async expression =>
    await evaluate(`new Promise(resolve => {
      const check = () => (${expression}) && (observer.disconnect(), resolve(true))
      const observer = new MutationObserver(check)
      observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true })
      check()
    })`)
  const KEYS = { Enter: ['Enter', 13, '\r'], Tab: ['Tab', 9], Space: [' ', 32, ' '], ArrowDown: ['ArrowDown', 40] }
  const press = async name => {
    const [key, windowsVirtualKeyCode, text] = KEYS[name]
    await send('Input.dispatchKeyEvent', { type: 'keyDown', key, code: name, windowsVirtualKeyCode, text })
    await send('Input.dispatchKeyEvent', { type: 'keyUp', key, code: name, windowsVirtualKeyCode })
  }
  const type = async text => await send('Input.insertText', { text })
  const screenshot = async () => Buffer.from((await send('Page.captureScreenshot', { format: 'png' })).data, 'base64')
  return { evaluate, until, press, type, screenshot, requested }
}
