// A program with two windows and one client, for electron-windows.test.mjs. `app://desktop/` may call; other hosts of the scheme may not.
const { app, BrowserWindow, ipcMain, protocol } = require('electron')
const { OmnichannelClient } = require('omnichannel-link')
const { serveOmnichannel } = require('omnichannel-link/electron')

protocol.registerSchemesAsPrivileged([{ scheme: 'app', privileges: { standard: true, secure: true } }])

/** Every page collects its events. */
const PAGE = `<!doctype html><title>page</title><body>
<script>globalThis.seen = []; addEventListener('omnichannel-link', ({ detail }) => seen.push(detail.type))</script>`

/** Opens the windows `one` and `other`. Frames inside a page have the preload script, too, so that they can try to call. */
exports.open = async options => {
  await app.whenReady()
  protocol.handle('app', () => new Response(PAGE, { headers: { 'content-type': 'text/html' } }))
  const client = new OmnichannelClient(options)
  const windows = {}
  /** Tabs that pages refreshed, each with the name of its window. */
  const refreshed = []
  const onRefreshTab = (tab, webContents) => refreshed.push([tab, Object.keys(windows).find(name => windows[name] === webContents)])
  const service = serveOmnichannel({ ipcMain, client, allow: ['app://desktop'], forwardEvents: true, onRefreshTab })
  for (const name of ['one', 'other']) {
    const webPreferences = { preload: require.resolve('omnichannel-link/preload'), nodeIntegrationInSubFrames: true }
    const window = new BrowserWindow({ show: false, webPreferences })
    windows[name] = window.webContents
    await window.loadURL('app://desktop/')
  }
  Object.assign(exports, { client, service, windows, refreshed })
}

/** Runs an expression in a frame. What a page rejects with is plain data, which Electron would turn into "[object Object]". */
exports.run = (frame, expression) =>
  frame.executeJavaScript(`Promise.resolve(${expression}).then(value => ({ value }), failure => ({ failure: failure.error.code }))`)
