// Both stores behind one interface, with the sample data, and access to each without the client.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { OmnichannelClient } from 'omnichannel-link'
import { startEmulator } from 'omnichannel-link-emulator'
import { query } from '../../examples/support/sqlite.mjs'
import { afterwards, folder } from './afterwards.mjs'
import { data, pages } from './sample.mjs'

// Without the environment of the test run.
delete process.env.DATAVERSE_URL

/** A client that is closed at the end of the test. */
export function client(t, options) {
  const made = new OmnichannelClient(options)
  afterwards(t, () => made.close())
  return made
}

/** A client on a file that does not exist yet, in a new folder. */
export function emptyEmbedded(t, options) {
  const path = join(folder(t), 'links.db')
  return { path, client: client(t, { ...options, embedded: { path } }) }
}

/** The conversation in the SQLite file. Its clients must be closed. */
export function readFile(path, conversation) {
  const [row] = query(path, 'SELECT customer_type, customer_id, case_id FROM conversation_text WHERE id = ?', conversation)
  return row && slots(row.customer_type, row.customer_id, row.case_id)
}

/** The conversation on the server, read without this package. */
export async function readServer({ url, credential }, conversation) {
  const answer = await fetch(
    `${url}/api/data/v9.2/msdyn_ocliveworkitems(${conversation})?$select=_msdyn_customer_value,_msdyn_issueid_value`,
    {
      headers: { authorization: `Bearer ${credential}`, prefer: 'odata.include-annotations="*"' }
    }
  )
  const row = await answer.json()
  return slots(row['_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname'], row._msdyn_customer_value, row._msdyn_issueid_value)
}

const slots = (entityLogicalName, customerId, caseId) => ({
  customer: customerId ? { entityLogicalName, recordId: customerId } : null,
  case: caseId ? { entityLogicalName: 'incident', recordId: caseId } : null
})

/** An emulator with the sample data or another seed. */
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
  // Closing the last client moves everything into the file, which is all that the reader reads.
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
 * Both stores with the sample data or other pages. `make(options)` makes another client of the same store; `read(conversation)` returns its
 * links, and closes the embedded clients.
 */
export const stores = { embedded, dataverse }

/** The files in a folder, for tests that expect none. */
export const filesOf = folder => readdirSync(folder)
