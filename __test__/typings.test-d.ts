// Valid and invalid uses of the typings. Compiled, never run: `npm run types`.
// oxlint-disable no-new -- the test is whether it compiles
import {
  closeConversation, configure, defaultClient, focusConversation, getConversationId, linkToConversation, LinkError, OmnichannelClient,
  openConversation, unlinkFromConversation
} from 'omnichannel-link'
import type {
  CallOptions, ClientEvents, ClientOptions, CommonOptions, Conversation, ConversationStatus, Credential, DataverseOptions, EmbeddedOptions, EntityLogicalName, ImportOptions,
  ImportProgress, ImportSummary, LinkErrorCode, LinkErrorJson, LinkOptions, LinkOutcome, EntityPage, RecordReference, StoreName, UnlinkOutcome
} from 'omnichannel-link'
import link = require('omnichannel-link')

/** The two are the same type, neither wider nor narrower, and not `any`. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare function same<A, B>(proof: Same<A, B>): void

const id = '6b726d86-d37c-43b8-b3a4-c4056ddd2e07'
const url = 'https://contoso.crm4.dynamics.com'
declare const client: OmnichannelClient
declare const signal: AbortSignal

// The documented example, with the functions of the module and with a client.
export async function documented() {
  const linked = await linkToConversation('incident', id, id)
  same<typeof linked, LinkOutcome>(true)
  const unlinked = await unlinkFromConversation('incident', id, id)
  same<typeof unlinked, UnlinkOutcome>(true)
  await link.linkToConversation('account', id)
  await client.linkToConversation('contact', id, null, { linkableStatuses: ['wrapUp', 5, 192_350_000], signal, timeoutInMs: 5000 })
  await client.linkToConversation('contact', id, undefined)
  await client.unlinkFromConversation('contact', id, null, { signal, timeoutInMs: 5000 })

  // @ts-expect-error: leads cannot be linked
  await linkToConversation('lead', id)
  // @ts-expect-error: logical names are in lower case
  await client.unlinkFromConversation('Account', id)
  // @ts-expect-error: any string might be invalid
  await linkToConversation('account' as string, id)
  // @ts-expect-error: an id is a string
  await linkToConversation('account', 5)
  // @ts-expect-error: the record is missing
  await linkToConversation('account')
  // @ts-expect-error: options come fourth
  await linkToConversation('account', id, { timeoutInMs: 5 })
  // @ts-expect-error: there is no such option
  await linkToConversation('account', id, id, { timeout: 5 })
  // @ts-expect-error: milliseconds are a number
  await linkToConversation('account', id, id, { timeoutInMs: '5' })
  // @ts-expect-error: the controller is not its signal
  await linkToConversation('account', id, id, { signal: new AbortController() })
  // @ts-expect-error: no status has this name
  await linkToConversation('account', id, id, { linkableStatuses: ['done'] })
  // @ts-expect-error: statuses are a list
  await linkToConversation('account', id, id, { linkableStatuses: 'closed' })
  // @ts-expect-error: unlinking is allowed in every status
  await unlinkFromConversation('account', id, id, { linkableStatuses: ['closed'] })
  // @ts-expect-error: progress belongs to imports
  await linkToConversation('account', id, id, { onProgress() {} })
}

export function focus() {
  openConversation(id)
  focusConversation(id)
  closeConversation(id)
  const focused = getConversationId()
  same<typeof focused, string | null>(true)
  const none: void = client.openConversation(id)
  void none
  const mine = defaultClient()
  same<typeof mine, OmnichannelClient>(true)
  // @ts-expect-error: an id is required
  openConversation(null)
  // @ts-expect-error: an id is missing
  client.focusConversation()
  // @ts-expect-error: a criterion is required
  client.closeConversation(id).then()
}

export function clients() {
  new OmnichannelClient()
  new OmnichannelClient({})
  new OmnichannelClient({ timeoutInMs: 5000 })
  new OmnichannelClient({ embedded: { path: 'links.db' }, timeoutInMs: 5000 })
  new OmnichannelClient({ dataverse: { url, credential: 'token' } })
  new OmnichannelClient({ dataverse: { credential: () => 'token' } })
  configure({ dataverse: { url, credential: async () => 'token' } })
  // The credential may come from the environment.
  new OmnichannelClient({ dataverse: { url } })
  new OmnichannelClient({ dataverse: { url, callerObjectId: url, credential: { tenantId: 't', clientId: 'c', clientSecret: 's' } } })
  // @ts-expect-error: a secret without its application
  new OmnichannelClient({ dataverse: { url, credential: { clientSecret: 's' } } })
  // @ts-expect-error: one store or the other
  new OmnichannelClient({ embedded: { path: 'links.db' }, dataverse: { url, credential: 'token' } })
  const both = { embedded: { path: 'links.db' }, dataverse: { url, credential: 'token' } }
  // @ts-expect-error: one store or the other, also when they come in a variable
  new OmnichannelClient(both)
  // @ts-expect-error: there is no such option
  new OmnichannelClient({ retries: 5 })
  // @ts-expect-error: there is no such option of a store
  new OmnichannelClient({ embedded: { path: 'links.db', mode: 'memory' } })
  // @ts-expect-error: a file is named
  new OmnichannelClient({ embedded: {} })
  // @ts-expect-error: a URL is a string
  new OmnichannelClient({ dataverse: { url: new URL(url), credential: 'token' } })
  // @ts-expect-error: a credential returns a string
  new OmnichannelClient({ dataverse: { url, credential: async () => 5 } })
  // @ts-expect-error: an undefined setting must not change the store
  new OmnichannelClient({ dataverse: undefined })
  // @ts-expect-error: a credential function gets more than the scope
  new OmnichannelClient({ dataverse: { url, credential: (scope: string) => scope } })
  // @ts-expect-error: it needs an argument
  configure()
  // @ts-expect-error: it is a class
  OmnichannelClient({})
}

export async function imports() {
  const page: EntityPage = { '@odata.context': `${url}/api/data/v9.2/$metadata#accounts`, value: [{ accountid: id }], '@odata.count': 1 }
  const summary = await client.importRecords(page, {
    signal, timeoutInMs: 5000, onProgress: progress => same<typeof progress, ImportProgress>(true)
  })
  same<typeof summary, ImportSummary>(true)
  if (summary.moreRowsExist) await client.importRecords('next.json')
  const count: number = summary.inserted + summary.updated + summary.danglingLinks
  // @ts-expect-error: neither a path nor a page
  await client.importRecords(5)
  // @ts-expect-error: a page is required
  await client.importRecords()
  // @ts-expect-error: a page names its table
  await client.importRecords({ value: [] })
  // @ts-expect-error: progress is a function
  await client.importRecords(page, { onProgress: true })
  // @ts-expect-error: statuses belong to links
  await client.importRecords(page, { linkableStatuses: [] })
  const closed = await client.close()
  same<typeof closed, void>(true)
  return count
}

export async function bulks() {
  const rows = [{ entityLogicalName: 'contact' as const, recordId: id, conversationId: id, line: 7 }]
  for await (const result of client.linkMany(rows, { linkableStatuses: ['closed'], signal, onProgress: ({ done, failed }) => console.log(done - failed) })) {
    same<typeof result.request.line, number>(true)
    if (result.error) same<typeof result.error, LinkError>(true)
    else same<typeof result.outcome, LinkOutcome>(true)
  }
  async function* list() {
    yield* rows
  }
  for await (const { outcome } of client.unlinkMany(list())) same<typeof outcome, UnlinkOutcome | undefined>(true)
  // @ts-expect-error: a request names its conversation
  client.linkMany([{ entityLogicalName: 'contact', recordId: id }])
  // @ts-expect-error: statuses belong to links
  client.unlinkMany(rows, { linkableStatuses: [] })
  // @ts-expect-error: a request is not a list
  client.linkMany({ entityLogicalName: 'contact', recordId: id, conversationId: id })
}

export async function waiting() {
  const found = await client.waitForConversation({ agentId: id, record: { entityLogicalName: 'contact', recordId: id }, statuses: ['open'], createdAfter: new Date(), timeoutInMs: 5, signal })
  same<typeof found, Conversation>(true)
  await client.waitForConversation()
  await client.waitForConversation({ record: await client.findRecord('contact', { telephone1: '5' }), callerObjectId: id, traceparent: 'x' })
  // @ts-expect-error: no such option
  await client.waitForConversation({ pollInMs: 5 })
}

const onFailure = ({ error }: ClientEvents['failed']) => console.error(error.code)

export function events() {
  same<ReturnType<typeof client.on>, OmnichannelClient>(true)
  client.on('failed', onFailure).off('failed', onFailure).once('unlinked', ({ before, outcome }) => {
    same<typeof before, RecordReference>(true)
    same<typeof outcome, UnlinkOutcome>(true)
  })
  client.on('linked', ({ before, after, outcome }) => {
    same<typeof before, null>(true)
    same<typeof after, RecordReference>(true)
    same<typeof outcome.previous, null>(true)
  })
  client.on('focus', ({ conversationId, previous }) => console.log(conversationId ?? 'none', previous ?? 'none'))
  // @ts-expect-error: no event has this name
  client.on('error', () => {})
  // @ts-expect-error: an unlink has no error
  client.on('unlinked', ({ error }) => console.log(error))
}

/** Adding or removing a code breaks this. */
export function advice(code: LinkErrorCode): string {
  switch (code) {
    case 'CONFLICT': case 'THROTTLED': case 'TIMEOUT': case 'UNAVAILABLE':
      return 'again'
    case 'AUTHENTICATION_FAILED': case 'FORBIDDEN': case 'INVALID_CONFIGURATION': case 'PROTOCOL': case 'STORE':
      return 'mend the surroundings'
    case 'CLOSED': case 'INTERNAL': case 'INVALID_ARGUMENT': case 'NO_FOCUSED_CONVERSATION':
      return 'mend the program'
    case 'AMBIGUOUS': case 'CONVERSATION_NOT_ACTIVE': case 'CONVERSATION_NOT_FOUND': case 'NOT_LINKED': case 'OCCUPIED': case 'RECORD_NOT_FOUND': case 'REJECTED': case 'VERIFICATION_FAILED':
      return 'look'
    default:
      return code satisfies never
  }
}

export function forgetful(code: LinkErrorCode): string {
  switch (code) {
    case 'CONFLICT':
      return 'again'
    default:
      // @ts-expect-error: twenty codes were forgotten
      return code satisfies never
  }
}

export function errors(error: unknown) {
  if (!(error instanceof LinkError)) return
  const asError: Error = error
  same<typeof error.name, 'LinkError'>(true)
  same<typeof error.code, LinkErrorCode>(true)
  same<typeof error.current, RecordReference | null | undefined>(true)
  same<typeof error.conversationStatus, ConversationStatus | undefined>(true)
  same<typeof error.retryAfterInMs, number | undefined>(true)
  same<typeof error.store, StoreName | undefined>(true)
  const json = error.toJSON()
  same<typeof json, LinkErrorJson>(true)
  const copy = LinkError.fromJSON(structuredClone(json))
  same<typeof copy, LinkError>(true)
  void [asError, error.cause, error.hint, error.httpStatus, error.serviceCode, error.serviceMessage, error.serviceRequestId, error.requestId, error.isRetryable, error.maybeApplied]
  // @ts-expect-error: only this package makes them
  new LinkError()
  // @ts-expect-error: a code is one of the list
  if (error.code === 'NOT_FOUND') return
  // @ts-expect-error: errors are not changed
  error.code = 'CLOSED'
  // @ts-expect-error: this is not a value of toJSON
  LinkError.fromJSON({ message: 'no code' })
  // @ts-expect-error: the class cannot be extended
  class Mine extends LinkError {}
  void Mine
}

export function outcomes(linked: LinkOutcome, unlinked: UnlinkOutcome) {
  same<typeof linked.status, 'linked' | 'replaced' | 'alreadyLinked' | 'kept'>(true)
  same<typeof unlinked.status, 'unlinked'>(true)
  same<typeof linked.previous, RecordReference | null>(true)
  // @ts-expect-error: nothing may have been linked before
  void linked.previous.recordId
  if (linked.status === 'replaced') same<typeof linked.previous, RecordReference>(true)
  if (linked.status === 'kept') same<typeof linked.current, RecordReference>(true)
  else same<typeof linked.current, undefined>(true)
  // @ts-expect-error: an unlink replaces nothing
  void unlinked.previous
  const entity: EntityLogicalName = linked.record.entityLogicalName
  return entity
}

// Every option type by its name.
export const common: CommonOptions = { timeoutInMs: 5000 }
export const call: CallOptions = { signal, timeoutInMs: 5000 }
export const linking: LinkOptions = { ...call, linkableStatuses: ['open', 'active', 'waiting', 'closed', 'wrapUp', 'resolved', 'scheduled', 8] }
export const importing: ImportOptions = { ...call, onProgress: ({ rowsDone, rowsTotal }) => console.log(rowsDone / rowsTotal) }
export const credential: Credential = () => Promise.resolve('token')
export const dataverse: DataverseOptions = { url, credential }
export const embedded: EmbeddedOptions = { path: 'links.db' }
export const either: ClientOptions[] = [{ dataverse }, { embedded }, { ...common, embedded }, common]

// The agent desktop: the main process links, the renderer gets plain data and restores errors from it.
interface IpcMain { handle(channel: string, listener: (event: unknown, ...args: never[]) => Promise<unknown>): void }
interface IpcRenderer { invoke(channel: string, ...args: unknown[]): Promise<{ outcome: LinkOutcome } | { error: LinkErrorJson }> }

export function mainProcess(ipcMain: IpcMain, userData: string) {
  const desktop = new OmnichannelClient({ embedded: { path: `${userData}/links.db` } })
  ipcMain.handle('link', async (_event, entity: EntityLogicalName, recordId: string) => {
    try {
      return { outcome: await desktop.linkToConversation(entity, recordId) }
    } catch (error) {
      if (error instanceof LinkError) return { error: error.toJSON() }
      throw error
    }
  })
}

export async function rendererProcess(ipcRenderer: IpcRenderer): Promise<LinkOutcome> {
  const answer = await ipcRenderer.invoke('link', 'account', id)
  if ('error' in answer) throw LinkError.fromJSON(answer.error)
  return answer.outcome
}
