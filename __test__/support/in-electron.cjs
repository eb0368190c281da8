// The example under observation: what its windows show and can do is printed as one line of JSON.
const { app } = require('electron')

app.setPath('userData', process.env.SMOKE_DATA)
require(process.env.SMOKE_MAIN)

const INCIDENT = '6b726d86-d37c-43b8-b3a4-c4056ddd2e07'
const LINK = `Microsoft.Omnichannel.linkToConversation('incident', '${INCIDENT}')`
const FOCUSED = 'Microsoft.Omnichannel.getConversationId()'
const REFUSED = "Microsoft.Omnichannel.linkToConversation('lead', 'x').catch(({ error }) => error.code)"
const ISOLATED = '`${typeof require} ${typeof process}`'
const CASES = "Microsoft.Omnichannel.getLinkedRecords().then(all => all.filter(({ entityName }) => entityName === 'incident').map(({ recordId }) => recordId))"

const loaded = []

async function observe(contents) {
  const [focused, refused, isolated, cases] = await Promise.all([FOCUSED, REFUSED, ISOLATED, CASES].map(script => contents.executeJavaScript(script)))
  loaded.push({ focused, refused, isolated, cases })
  if (loaded.length < 2) return
  console.log(JSON.stringify({ loaded }))
  app.exit()
}

// A window links, the example reloads it because of that, and then it is looked at.
app.on('browser-window-created', (_event, { webContents }) => webContents.once('did-finish-load', () => {
  webContents.once('did-finish-load', () => observe(webContents))
  // The page that asked may be gone before it is answered.
  webContents.executeJavaScript(LINK).catch(() => {})
}))
