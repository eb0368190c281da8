// Runs the example and prints the content and abilities of its windows as one line of JSON.
const { app } = require('electron')

app.setPath('userData', process.env.SMOKE_DATA)
require(process.env.SMOKE_MAIN)

const INCIDENT = '6b726d86-d37c-43b8-b3a4-c4056ddd2e07'
const LINK = `Microsoft.Omnichannel.linkToConversation('incident', '${INCIDENT}')`
const FOCUSED = 'Microsoft.Omnichannel.getConversationId()'
const REFUSED = "Microsoft.Omnichannel.linkToConversation('lead', 'x').catch(({ error }) => error.code)"
const ISOLATED = '`${typeof require} ${typeof process}`'
const CASES =
  "Microsoft.Omnichannel.getLinkedRecords().then(all => all.filter(({ entityName }) => entityName === 'incident').map(({ recordId }) => recordId))"

const loaded = []

async function observe(contents) {
  const [focused, refused, isolated, cases] = await Promise.all(
    [FOCUSED, REFUSED, ISOLATED, CASES].map(script => contents.executeJavaScript(script))
  )
  loaded.push({ focused, refused, isolated, cases })
  if (loaded.length < 2) return
  console.log(JSON.stringify({ loaded }))
  app.exit()
}

// A window links, the example reloads it, and then it is inspected.
app.on('browser-window-created', (_event, { webContents }) =>
  webContents.once('did-finish-load', () => {
    webContents.once('did-finish-load', () => observe(webContents))
    // The calling page may be gone before the response.
    webContents.executeJavaScript(LINK).catch(() => {})
  })
)
