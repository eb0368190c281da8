// A Node service, with the emulator in its tests.
import {
  configure, createOmnichannel, defaultClient, linkToConversation, LinkError, OmnichannelClient, unlinkFromConversation
} from 'omnichannel-link'
import type {
  BulkRequest, ClientOptions, Conversation, DataverseOptions, DiagnosisReport, LinkOutcome, RecordReference, SlotChange, UnlinkOutcome
} from 'omnichannel-link'
import { startEmulator } from 'omnichannel-link-emulator'
import type { Emulator, Fault } from 'omnichannel-link-emulator'

const contact: RecordReference = { entityLogicalName: 'contact', recordId: '2d9f1c55-7b0a-4a9b-8f2e-0e4a7c1f9b10' }
const conversationId = 'b7397aae-ecf8-43a6-aeb0-07d294efb494'

export async function links(signal: AbortSignal): Promise<[LinkOutcome, UnlinkOutcome]> {
  configure({ embedded: { path: 'links.db' } })
  const { inserted } = await defaultClient().importRecords('contacts.json')
  if (inserted === 0) throw new Error('nothing was new')
  const linked = await linkToConversation('contact', contact.recordId, conversationId, { ifLinked: 'keep', signal, timeoutInMs: 1000 })
  return [linked, await unlinkFromConversation('contact', contact.recordId, conversationId)]
}

export async function tested(): Promise<DiagnosisReport> {
  const emulator: Emulator = await startEmulator({ seed: 'data' })
  const fault: Fault = { kind: 'throttle', limit: 'requests' }
  await emulator.faults.add({ fault })
  const dataverse: DataverseOptions = { url: emulator.url, credential: async () => emulator.credential }
  const options: ClientOptions = { dataverse, timeoutInMs: 5000 }
  const client = new OmnichannelClient(options)
  client.on('replaced', ({ before, after, outcome }) => console.log(before.recordId, after.recordId, outcome.previous.recordId))
  for (const event of ['linked', 'replaced', 'unlinked'] as const) client.on(event, changed)
  client.on('failed', ({ error }) => console.error(error.code))
  for await (const { request, outcome, error } of client.linkMany(list())) console.log(request.line, outcome?.status ?? error?.code)
  const found: Conversation[] = []
  for await (const conversation of client.getConversations({ record: contact })) found.push(conversation)
  const { customer } = await client.getConversation(found[0]?.conversationId)
  const next = await client.waitForConversation({ agentId: contact.recordId, timeoutInMs: 10 })
  console.log(customer?.name, next.conversationId, createOmnichannel(client))
  const report = await client.diagnose()
  await client.close()
  await emulator.close()
  return report
}

const changed = ({ conversationId, before, after }: SlotChange): void => console.log(conversationId, before?.recordId, after?.recordId)

/** A readable form of an outcome. Every status has its fields. */
export function told(outcome: LinkOutcome): string {
  switch (outcome.status) {
    case 'linked':
    case 'alreadyLinked':
      return `${outcome.record.recordId} is linked`
    case 'replaced':
      return `${outcome.record.recordId} is linked instead of ${outcome.previous.recordId}`
    case 'kept':
      return `${outcome.current.recordId} stays linked`
    default:
      return outcome satisfies never
  }
}

function* list(): Iterable<BulkRequest & { line: number }> {
  yield { ...contact, conversationId, line: 1 }
}

export const again = (json: ReturnType<LinkError['toJSON']>): LinkError => LinkError.fromJSON(json)
