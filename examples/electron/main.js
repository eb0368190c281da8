// An agent desktop in one window. The client and its token are here, in the main process; the page calls `Microsoft.Omnichannel`.
// Try it on the sample data with `npx electron examples/electron/main.js --demo`.
const { existsSync } = require('node:fs')
const { join } = require('node:path')
const { pathToFileURL } = require('node:url')
const { app, BrowserWindow, ipcMain, net, protocol, session } = require('electron')
const { LinkError, OmnichannelClient } = require('omnichannel-link')
const { serveOmnichannel } = require('omnichannel-link/electron')

const DEMO = process.argv.includes('--demo')
/** The system user who works here: in a real desktop, the one who signed in. */
const AGENT = DEMO ? 'c2dd22d0-9d47-4799-8d95-355c298bd4f2' : process.env.AGENT_ID
const PAGES = { '/': 'index.html', '/desktop.css': 'desktop.css', '/desktop.js': 'desktop.js', '/errors.js': 'errors.js' }

// With their own scheme the desktop's pages have their own origin; `file://` would be the origin of every file on the machine.
protocol.registerSchemesAsPrivileged([{ scheme: 'app', privileges: { standard: true, secure: true, supportFetchAPI: true } }])

const systemProxy = url => session.defaultSession.resolveProxy(url)

/** Opens the environment of the company. A real desktop gets the token of the signed-in user, from MSAL for example. */
function openClient() {
  const { DATAVERSE_URL: url, DATAVERSE_TOKEN: token } = process.env
  return new OmnichannelClient({ timeoutInMs: 10_000, dataverse: { url, credential: async () => token, proxy: systemProxy } })
}

/**
 * Opens an SQLite file instead. Sample data is imported only into a new one, because a later import would undo links. The pages are loaded
 * with `require`, because the addon cannot read files inside a packed app.
 */
async function openDemo() {
  const path = join(app.getPath('userData'), 'links.db')
  const pages = existsSync(path) ? [] : ['accounts', 'contacts', 'incidents', 'msdyn_ocliveworkitems']
  const client = new OmnichannelClient({ embedded: { path } })
  for (const page of pages) await client.importRecords(require(`../data/${page}.json`))
  return client
}

/** The column of each table that the page may search, with `/find/contact?number=…`. */
const COLUMNS = { contact: 'telephone1', incident: 'ticketnumber' }

/** Responds with the records that match, or with the error as plain data. */
async function find(client, table, number) {
  try {
    return Response.json([await client.findRecord(table, { [COLUMNS[table]]: number })])
  } catch (error) {
    if (!(error instanceof LinkError)) throw error
    return error.code === 'AMBIGUOUS' ? Response.json(error.candidates) : Response.json(error, { status: 400 })
  }
}

/** Responds to the requests of the page: the files in `PAGES`, and searches. */
function serve(client, { url }) {
  const { pathname, searchParams } = new URL(url)
  const table = pathname.replace('/find/', '')
  if (Object.hasOwn(COLUMNS, table)) return find(client, table, searchParams.get('number'))
  if (Object.hasOwn(PAGES, pathname)) return net.fetch(pathToFileURL(join(__dirname, PAGES[pathname])).href)
  return new Response('not found', { status: 404 })
}

async function openWindow() {
  const window = new BrowserWindow({ width: 1080, height: 640, webPreferences: { preload: require.resolve('omnichannel-link/preload') } })
  // Only the desktop's own page is shown.
  window.webContents.on('will-navigate', event => event.preventDefault())
  window.webContents.setWindowOpenHandler(() => ({ action: 'deny' }))
  window.removeMenu()
  await window.loadURL(`app://desktop/?agent=${AGENT}`)
}

async function start() {
  await app.whenReady()
  const client = DEMO ? await openDemo() : openClient()
  protocol.handle('app', request => serve(client, request))
  serveOmnichannel({
    ipcMain,
    client,
    allow: ['app://desktop'],
    forwardEvents: true,
    onRefreshTab: (_tabId, webContents) => webContents.reload()
  })
  await openWindow()
}

app.on('window-all-closed', () => app.quit())
if (DEMO || (process.env.DATAVERSE_URL && AGENT)) void start()
else {
  console.error('Start it with --demo, or set DATAVERSE_URL, DATAVERSE_TOKEN and AGENT_ID, the id of the system user.')
  app.exit(2)
}
