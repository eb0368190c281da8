// A small agent desktop: one client in the main process, one window for each conversation. Run it with `npx electron examples/electron/main.js`.
const { existsSync } = require('node:fs')
const { join } = require('node:path')
const { pathToFileURL } = require('node:url')
const { app, BrowserWindow, ipcMain, net, protocol } = require('electron')
const { OmnichannelClient } = require('omnichannel-link')
const { serveOmnichannel } = require('omnichannel-link/electron')

const PAGES = { '/': 'index.html', '/desktop.js': 'desktop.js' }
const CONVERSATIONS = ['b7397aae-ecf8-43a6-aeb0-07d294efb494', '455ad61a-1b4f-4bef-a1da-4a23d647d08a']

// A scheme of its own gives the desktop's pages an origin of their own; `file://` would be that of every file on the machine.
protocol.registerSchemesAsPrivileged([{ scheme: 'app', privileges: { standard: true, secure: true } }])

/**
 * The embedded store. A new one gets the sample data; later that would undo the links made since. With `dataverse` instead of `embedded`
 * everything else stays as it is. The pages are required because only JavaScript can look into a packed app; the addon reads real files.
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
  // Nothing but the desktop's own pages is ever shown.
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
  // However a link came about, whoever looks at its conversation sees it.
  for (const event of ['linked', 'replaced', 'unlinked']) {
    client.on(event, ({ conversationId }) => service.getWindows(conversationId).forEach(webContents => webContents.reload()))
  }
  for (const conversationId of CONVERSATIONS) await openWindow(service, conversationId)
}

app.on('window-all-closed', () => app.quit())
start()
