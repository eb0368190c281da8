// The two stores behind one face, with the sample data in them, and a way to look into each that is not the client's.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { OmnichannelClient } from 'omnichannel-link'
import { startEmulator } from 'omnichannel-link-emulator'
import { query } from '../../examples/support/sqlite.mjs'
import { afterwards, folder } from './afterwards.mjs'
import { data, pages } from './sample.mjs'

// The environment of whoever runs the tests is not theirs.
delete process.env.DATAVERSE_URL

/** A client that is closed when the test has ended. */
export function client(t, options) {
  const made = new OmnichannelClient(options)
  afterwards(t, () => made.close())
  return made
}

/** A client on a file that does not exist yet, in a folder of its own. */
export function emptyEmbedded(t, options) {
  const path = join(folder(t), 'links.db')
  return { path, client: client(t, { ...options, embedded: { path } }) }
}

/** What the SQLite file says about a conversation. Its clients must be closed. */
export function readFile(path, conversation) {
  const [row] = query(path, 'SELECT customer_type, customer_id, case_id FROM conversation_text WHERE id = ?', conversation)
  return row && slots(row.customer_type, row.customer_id, row.case_id)
}

/** What the server says about a conversation, as a program without this package would ask it. */
export async function readServer({ url, credential }, conversation) {
  const answer = await fetch(`${url}/api/data/v9.2/msdyn_ocliveworkitems(${conversation})?$select=_msdyn_customer_value,_msdyn_issueid_value`, {
    headers: { authorization: `Bearer ${credential}`, prefer: 'odata.include-annotations="*"' }
  })
  const row = await answer.json()
  return slots(row['_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname'], row._msdyn_customer_value, row._msdyn_issueid_value)
}

const slots = (entityLogicalName, customerId, caseId) => ({
  customer: customerId ? { entityLogicalName, recordId: customerId } : null,
  case: caseId ? { entityLogicalName: 'incident', recordId: caseId } : null
})

/** An emulator with the sample data, or another seed. */
export async function emulator(t, seed = data) {
  const started = await startEmulator({ seed })
  afterwards(t, () => started.close())
  return started
}

async function embedded(t, seed = pages.map(page => join(data, `${page}.json`))) {
  const { path, client: importer } = emptyEmbedded(t)
  for (const page of seed) await importer.importRecords(page)
  const clients = [importer]
  const make = options => {
    clients.push(client(t, { ...options, embedded: { path } }))
    return clients.at(-1)
  }
  // Closing the last client brings everything into the file itself, which is all that the reader looks at.
  const read = async conversation => {
    await Promise.all(clients.map(client => client.close()))
    return readFile(path, conversation)
  }
  return { name: 'embedded', client: importer, make, read }
}

async function dataverse(t, seed) {
  const server = await emulator(t, seed)
  const { url, credential } = server
  const make = options => client(t, { ...options, dataverse: { url, credential } })
  return { name: 'dataverse', client: make(), make, read: conversation => readServer(server, conversation), emulator: server }
}

/**
 * Both stores with the sample data, or other pages. `make(options)` makes another client of the same store; `read(conversation)` tells what it
 * is linked to, and closes the embedded clients.
 */
export const stores = { embedded, dataverse }

/** Files of a folder, for tests that want none. */
export const filesOf = folder => readdirSync(folder)
