// Links and unlinks on both stores: the embedded default, then the Dataverse Web API over loopback HTTP. Reads the rows back without
// using this package. Run it with `npm run demo`.
import { mkdtempSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { OmnichannelClient } from 'omnichannel-link'
import { startEmulator } from 'omnichannel-link-emulator'
import { readConversation as readFile } from './support/sqlite.mjs'
import { bold, dim, green, red, table } from './support/terminal.mjs'

const buildProfile = createRequire(import.meta.url)('../lib/binding.js').Client.buildProfile()
const data = fileURLToPath(new URL('data/', import.meta.url))

const conversation = 'b7397aae-ecf8-43a6-aeb0-07d294efb494'
const closedConversation = '3f0c9a52-64b1-4d0e-9a3b-5f1f7f3a2c04'
const incident = '6b726d86-d37c-43b8-b3a4-c4056ddd2e07'
const contact = '2d9f1c55-7b0a-4a9b-8f2e-0e4a7c1f9b10'

/** The embedded store of a program that configured nothing, in a temporary folder. */
async function embedded() {
  delete process.env.DATAVERSE_URL
  process.chdir(mkdtempSync(join(tmpdir(), 'omnichannel-link-demo-')))
  const file = join(process.cwd(), 'omnichannel-link.db')
  const importer = new OmnichannelClient()
  for (const page of ['accounts', 'contacts', 'incidents', 'msdyn_ocliveworkitems']) {
    const { inserted, danglingLinks } = await importer.importRecords(join(data, `${page}.json`))
    console.log(dim(`  imported ${inserted} ${page}${danglingLinks ? `, ${danglingLinks} links to missing records` : ''}`))
  }
  // Closing moves the content of the log into the file, which the reader below opens.
  await importer.close()
  return {
    where: file,
    source: 'the SQLite file',
    open: () => new OmnichannelClient(),
    read: () => readFile(file, conversation),
    end: () => {}
  }
}

/** The Dataverse store on the emulator, over real HTTP. */
async function dataverse() {
  const emulator = await startEmulator({ seed: data })
  const { url, credential } = emulator
  const open = () => new OmnichannelClient({ dataverse: { url, credential } })
  const read = async () => {
    const response = await fetch(
      `${url}/api/data/v9.2/msdyn_ocliveworkitems(${conversation})?$select=_msdyn_customer_value,_msdyn_issueid_value`,
      {
        headers: { authorization: `Bearer ${credential}`, prefer: 'odata.include-annotations="*"' }
      }
    )
    const row = await response.json()
    const lookup = name =>
      row[name] && `${row[`${name}@Microsoft.Dynamics.CRM.lookuplogicalname`]} ${row[`${name}@OData.Community.Display.V1.FormattedValue`]}`
    return { customer: lookup('_msdyn_customer_value'), case: lookup('_msdyn_issueid_value') }
  }
  return { where: `${url}/api/data/v9.2/`, source: "the server's state", open, read, end: () => emulator.close() }
}

const links = [
  ['link the incident', client => client.linkToConversation('incident', incident, conversation)],
  ['link a contact over the account', client => client.linkToConversation('contact', contact, conversation)],
  ['link into a closed conversation', client => client.linkToConversation('incident', incident, closedConversation)]
]
const unlink = [['later: unlink the incident', client => client.unlinkFromConversation('incident', incident, conversation)]]

/** Makes the calls with a new client. Returns a row for each: call, outcome, details, duration. */
async function run(store, calls) {
  const client = store.open()
  const rows = []
  for (const [name, call] of calls) {
    const began = performance.now()
    const [outcome, details] = await call(client).then(
      ({ status, previous }) => [green(status), previous ? `was ${previous.entityLogicalName} ${previous.recordId.slice(0, 8)}…` : ''],
      error => [red(`rejected, ${error.code}`), error.conversationStatus ? `it is ${error.conversationStatus}` : error.message]
    )
    rows.push([name, outcome, details, (performance.now() - began).toFixed(2)])
  }
  await client.close()
  return rows
}

console.log(`${bold('omnichannel-link demo')} ${dim(`${buildProfile} build, Node ${process.version}`)}`)
if (buildProfile === 'debug') console.log(red('This is a debug build: its timings are meaningless.'))
let failed = false
for (const setUp of [embedded, dataverse]) {
  console.log(`\n${bold(setUp === embedded ? 'Embedded store' : 'Dataverse Web API, served by the emulator')}`)
  const store = await setUp()
  console.log(`  ${store.where}\n`)
  const before = await store.read()
  const linking = await run(store, links)
  const linked = await store.read()
  const unlinking = await run(store, unlink)
  const after = await store.read()
  console.log(table(['call', 'outcome', 'details', 'ms'], [...linking, ...unlinking]))
  console.log(`\n  read back from ${store.source}`)
  const rows = ['customer', 'case'].map(slot => [slot, before[slot] ?? '-', linked[slot] ?? '-', after[slot] ?? '-'])
  console.log(table(['slot', 'before', 'linked', 'unlinked'], rows))
  failed ||= linked.customer !== 'contact Ana Testa' || !linked.case?.startsWith('incident ') || after.case != null
  await store.end()
}
if (failed) {
  console.error(red('\nThe rows differ from the outcomes of the calls.'))
  process.exitCode = 1
} else {
  console.log(`\nBoth stores agree. The SQLite file is kept; its view ${bold('conversation_text')} shows readable ids.`)
}
