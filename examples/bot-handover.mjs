// A bot hands a conversation over to an agent: it has identified the contact and the case, and links both before an agent accepts.
// Run it with `node examples/bot-handover.mjs`. It starts an emulator; in production only the client's options differ.
import { fileURLToPath } from 'node:url'
import { OmnichannelClient } from 'omnichannel-link'
import { startEmulator } from 'omnichannel-link-emulator'

const conversationId = '8e9c0807-9b57-4b16-a569-2269a528c767'
// No agent has accepted the conversation yet, so it is open and not active.
const linkableStatuses = ['open']

/** Links the contact and the case. An existing link stays: a person or a better informed program made it. */
async function handOver(client, { email, ticketNumber }) {
  const found = await Promise.all([
    client.findRecord('contact', { emailaddress1: email }),
    client.findRecord('incident', { ticketnumber: ticketNumber })
  ])
  const requests = found.map(({ entityLogicalName, recordId, name }) => ({ entityLogicalName, recordId, conversationId, name }))
  const outcomes = []
  for await (const { request, outcome, error } of client.linkMany(requests, { ifLinked: 'keep', linkableStatuses })) {
    console.log(`${request.entityLogicalName} "${request.name}": ${outcome?.status ?? error.code}`)
    if (outcome) outcomes.push(outcome)
  }
  return outcomes
}

/** The customer writes on behalf of a company: the account replaces the contact, unless the link has changed meanwhile. */
async function correct(client, { record }, accountnumber) {
  const account = await client.findRecord('account', { accountnumber })
  try {
    const { status } = await client.linkToConversation('account', account.recordId, conversationId, { expected: record, linkableStatuses })
    console.log(`account "${account.name}": ${status}`)
  } catch (error) {
    if (error.code !== 'CONFLICT') throw error
    console.log(`account "${account.name}": not linked, because the slot now holds ${error.current?.entityLogicalName ?? 'nothing'}`)
  }
}

const emulator = await startEmulator({ seed: fileURLToPath(new URL('data', import.meta.url)) })
const { url, credential } = emulator
const client = new OmnichannelClient({ dataverse: { url, credential, application: 'handover-bot/1.0' } })
client.on('failed', ({ method, error }) => console.log(`${method} failed: ${error.code}`))

try {
  const [customer, issue] = await handOver(client, { email: 'ana.testa@example.com', ticketNumber: 'CAS-01001-D8X4' })
  await correct(client, customer, 'ACC-10001')
  // A second correction still expects the contact. The slot no longer holds it, so nothing is overwritten.
  await correct(client, customer, 'ACC-10008')
  for (const outcome of [customer, issue]) {
    const { stands, current } = await client.verify(outcome)
    console.log(
      `${outcome.record.entityLogicalName} ${stands ? 'is still linked' : `was replaced by ${current?.entityLogicalName} "${current?.name}"`}`
    )
  }
} finally {
  await client.close()
  await emulator.close()
}
