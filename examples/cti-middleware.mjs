// CTI middleware: a call arrives, its number identifies a contact, and the contact is linked to the conversation that the agent accepts.
// Run it with `node examples/cti-middleware.mjs`. It starts an emulator; in production only the client's options differ.
import { readFileSync } from 'node:fs'
import { OmnichannelClient } from 'omnichannel-link'
import { startEmulator } from 'omnichannel-link-emulator'

const agentId = '5c1f0a7e-93d2-4b6a-8f41-2e7d90b3c6a8'
const conversation = 'd2a4f6b8-1c3e-4a5f-9b7d-0e2c4a6f8b1d'
const chat = '7b1e3d5f-0a2c-4e6b-8d9f-1c3a5e7b9d0f'

// Allowance for the difference between the two clocks, and for a server that knew of the call earlier.
const ALLOWANCE_IN_MS = 30_000

/** Links the caller to the conversation of the call, which the agent has accepted or will accept soon. An existing link stays. */
async function onCall(client, { number, agentId }) {
  // The agent may have older conversations.
  const createdAfter = new Date(Date.now() - ALLOWANCE_IN_MS)
  const contact = await findCaller(client, number)
  if (!contact) return
  const { conversationId } = await client.waitForConversation({ agentId, createdAfter, timeoutInMs: 10_000 })
  const { status } = await client.linkToConversation('contact', contact.recordId, conversationId, { ifLinked: 'keep' })
  console.log(`${number} is ${contact.name}: ${status}`)
}

/** Finds the contact with this number. Returns undefined if no contact or several have it; other errors are thrown. */
async function findCaller(client, number) {
  try {
    return await client.findRecord('contact', { telephone1: number })
  } catch (error) {
    if (error.code === 'RECORD_NOT_FOUND') console.log(`${number} is not a known number`)
    else if (error.code === 'AMBIGUOUS') console.log(`${number} belongs to ${error.candidates.length} contacts: the agent will choose`)
    else throw error
  }
}

// The rest of this file simulates the environment: an agent with an active chat, and a call that is not accepted yet.
const page = name => JSON.parse(readFileSync(new URL(`data/${name}.json`, import.meta.url), 'utf8'))
const agent = { _msdyn_activeagentid_value: agentId, '_msdyn_activeagentid_value@Microsoft.Dynamics.CRM.lookuplogicalname': 'systemuser' }
const minutesAgo = minutes => new Date(Date.now() - minutes * 60_000).toISOString()
const conversations = {
  '@odata.context': 'https://contoso.crm4.dynamics.com/api/data/v9.2/$metadata#msdyn_ocliveworkitems',
  value: [
    { activityid: chat, subject: 'Chat', statecode: 0, statuscode: 2, createdon: minutesAgo(20), ...agent },
    { activityid: conversation, subject: 'Call', statecode: 0, statuscode: 1, createdon: minutesAgo(0), ...agent }
  ]
}
const emulator = await startEmulator({
  seed: [page('accounts'), page('contacts'), page('incidents'), page('msdyn_ocliveworkitems'), conversations]
})
const { url, credential } = emulator
const client = new OmnichannelClient({ dataverse: { url, credential } })
client.on('linked', ({ conversationId }) => console.log(`refresh the windows of ${conversationId}`))

/** The agent accepts the call. */
async function accept() {
  const { status } = await fetch(`${url}/api/data/v9.2/msdyn_ocliveworkitems(${conversation})`, {
    method: 'PATCH',
    headers: { authorization: `Bearer ${credential}`, 'content-type': 'application/json', 'if-match': '*' },
    body: JSON.stringify({ statuscode: 2 })
  })
  if (status !== 204) throw new Error(`the conversation was not accepted: ${status}`)
}

try {
  const call = onCall(client, { number: '+1-555-0166', agentId })
  await accept()
  await call
  await onCall(client, { number: '+1-555-0148', agentId })
  await onCall(client, { number: '+1-555-0000', agentId })
} finally {
  await client.close()
  await emulator.close()
}
