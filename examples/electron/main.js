// A small agent desktop: one client in the main process, one window for each conversation. Run it with `npx electron examples/electron/main.js`.
const { existsSync } = require('node:fs')
const { join } = require('node:path')
const { pathToFileURL } = require('node:url')
const { app, BrowserWindow, ipcMain, net, protocol } = require('electron')
const { OmnichannelClient } = require('omnichannel-link')
const { serveOmnichannel } = require('omnichannel-link/electron')

const PAGES = { '/': 'index.html', '/desktop.js': 'desktop.js' }
const CONVERSATIONS = ['b7397aae-ecf8-43a6-aeb0-07d294efb494', '455ad61a-1b4f-4bef-a1da-4a23d647d08a']

// With their own scheme the desktop's pages have their own origin; `file://` would be the origin of every file on the machine.
protocol.registerSchemesAsPrivileged([{ scheme: 'app', privileges: { standard: true, secure: true } }])

/**
 * Opens the embedded store. Sample data is imported only into a new one, because a later import would undo links. With `dataverse` instead of
 * `embedded` nothing else changes. The pages are loaded with `require`, because the addon cannot read files inside a packed app.
 */
async function openClient() {
  const path = join(app.getPath('userData'), 'links.db')
  const pages = existsSync(path) ? [] : ['accounts', 'contacts', 'incidents', 'msdyn_ocliveworkitems']
  const client = new OmnichannelClient({ embedded: { path } })
  for (const page of pages) await client.importRecords(require(`../data/${page}.json`))
  return client
}

async function openWindow(service, conversationId) {
  const window = new BrowserWindow({ width: 640, height: 360, webPreferences: { preload: require.resolve('omnichannel-link/preload') } })
  // Only the desktop's own pages are shown.
  window.webContents.on('will-navigate', event => event.preventDefault())
  window.webContents.setWindowOpenHandler(() => ({ action: 'deny' }))
  service.focus(window.webContents, conversationId)
  await window.loadURL('app://desktop/')
}

async function start() {
  await app.whenReady()
  protocol.handle('app', ({ url }) => {
    const page = PAGES[new URL(url).pathname]
    return page ? net.fetch(pathToFileURL(join(__dirname, page)).href) : new Response('not found', { status: 404 })
  })
  const client = await openClient()
  const service = serveOmnichannel({
    ipcMain,
    client,
    allow: ['app://desktop'],
    onRefreshTab: (_tabId, webContents) => webContents.reload()
  })
  // Reload the windows of a conversation when one of its links has changed.
  for (const event of ['linked', 'replaced', 'unlinked']) {
    client.on(event, ({ conversationId }) => service.getWindows(conversationId).forEach(webContents => webContents.reload()))
  }
  for (const conversationId of CONVERSATIONS) await openWindow(service, conversationId)
}

app.on('window-all-closed', () => app.quit())
start()
