// A page in a real Chromium, with the real preload.js and main.js. HTTP connects them instead of Electron's IPC, so the
// origins are those of Chromium.
import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { accessSync, constants, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { delimiter, join } from 'node:path'
import { serveOmnichannel } from 'omnichannel-link/electron'
import { afterwards, folder } from './afterwards.mjs'

const preload = readFileSync(createRequire(import.meta.url).resolve('omnichannel-link/preload'), 'utf8')

const isExecutable = path => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** The browser: `CHROMIUM`, or the first of the usual names on the path. */
export const chromium =
  process.env.CHROMIUM ??
  ['chromium', 'chromium-browser', 'google-chrome']
    .flatMap(name => process.env.PATH.split(delimiter).map(folder => join(folder, name)))
    .find(isExecutable)

/** Runs in the page: the parts of Electron that the preload uses. Values are copied like in the context bridge. */
function electronInPage() {
  // oxlint-disable-next-line unicorn/consistent-function-scoping -- only code inside the function reaches the page
  const copy = value => (value instanceof Error ? new Error(value.message) : structuredClone(value))
  const proxy =
    call =>
    (...values) =>
      call(...values.map(copy)).then(copy, error => Promise.reject(copy(error)))
  const proxies = api =>
    Object.freeze(
      Object.fromEntries(Object.entries(api).map(([name, value]) => [name, typeof value === 'function' ? proxy(value) : proxies(value)]))
    )
  // oxlint-disable-next-line unicorn/consistent-function-scoping -- only code inside the function reaches the page
  const post = async (path, body) => await fetch(path, { method: 'POST', body: JSON.stringify(body) })
  const print = console.log
  console.log = (...values) => {
    print(...values)
    post('/log', values)
  }
  const contextBridge = { exposeInMainWorld: (name, api) => Object.defineProperty(globalThis, name, { value: proxies(api) }) }
  // oxlint-disable-next-line unicorn/consistent-function-scoping -- only code inside the function reaches the page
  const on = async (_channel, listener) => {
    for (let number = 0; ; number++) listener({}, ...(await (await fetch(`/events/${number}`)).json()))
  }
  const ipcRenderer = { invoke: async (...values) => await (await post('/call', values)).json(), on }
  globalThis.require = () => ({ contextBridge, ipcRenderer })
}

/** Runs in the page: fetches scripts and runs them as scripts of the page. */
async function runScripts() {
  for (let number = 0; ; number++) {
    const script = document.createElement('script')
    script.text = await (await fetch(`/scripts/${number}`)).text()
    document.body.append(script)
  }
}

const html = `<!doctype html><meta charset="utf-8"><title>page</title><body>
<script>(${electronInPage})()</script>
<script>{ ${preload} }</script>
<script>(${runScripts})()</script>`

/**
 * Opens a page under `host`; only `127.0.0.1` is allowed. `run(script)` runs a script in it and resolves with the first of
 * `['refreshTab', tab]` and `['log', …]`.
 */
export async function openPage(t, client, host = '127.0.0.1') {
  const happenings = new EventEmitter()
  const scripts = []
  const sent = []
  const send = (_channel, ...values) => {
    sent.push(JSON.stringify(values))
    happenings.emit('sent')
  }
  const webContents = Object.assign(new EventEmitter(), { isDestroyed: () => false, send, mainFrame: undefined })
  let call
  const ipcMain = { handle: (_channel, handler) => (call = handler), removeHandler() {} }

  /** Responds with the next item of a list that grows with this event. */
  const next = async (response, list, growth, number) => {
    while (list.length <= number) await once(happenings, growth)
    response.end(list[number])
  }
  const server = createServer(async (request, response) => {
    if (request.url === '/') return response.setHeader('content-type', 'text/html').end(html)
    const [, what, number] = /^\/(scripts|events)\/(\d+)$/.exec(request.url) ?? []
    if (what === 'scripts') return next(response, scripts, 'script', Number(number))
    if (what === 'events') return next(response, sent, 'sent', Number(number))
    // Everything else a browser requests is missing.
    if (request.method === 'GET') return response.writeHead(404).end()
    const body = JSON.parse(Buffer.concat(await request.toArray()))
    if (request.url === '/log') {
      happenings.emit('happened', 'log', ...body)
      return response.end()
    }
    const [, name, values] = body
    return response.end(JSON.stringify(await call({ sender: webContents, senderFrame: { origin: request.headers.origin } }, name, values)))
  })
  server.listen(0)
  await once(server, 'listening')
  afterwards(t, () => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address()
  webContents.mainFrame = { origin: `http://${host}:${port}` }
  const service = serveOmnichannel({
    ipcMain,
    client,
    allow: [`http://127.0.0.1:${port}`],
    forwardEvents: true,
    onRefreshTab: tab => happenings.emit('happened', 'refreshTab', tab)
  })
  const ended = start(t, `http://${host}:${port}/`)
  const run = async text => {
    const happened = once(happenings, 'happened')
    scripts.push(text)
    happenings.emit('script')
    return await Promise.race([happened, ended])
  }
  return { run, focus: conversationId => service.focus(webContents, conversationId) }
}

/** Starts the browser with a new profile. The promise rejects if it ends before the test. */
function start(t, url) {
  const child = spawn(
    chromium,
    [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-sync',
      '--disable-dev-shm-usage',
      `--user-data-dir=${folder(t)}`,
      url
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] }
  )
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', text => (stderr += text))
  const gone = once(child, 'close')
  afterwards(t, async () => {
    child.kill('SIGKILL')
    await gone
  })
  const ended = gone.then(([code, signal]) => {
    throw new Error(`Chromium ended with ${signal ?? `status ${code}`}: ${stderr}`)
  })
  ended.catch(() => {})
  return ended
}
