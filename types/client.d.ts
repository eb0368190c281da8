// The client and the functions of the default client.

import type { BulkLinkOptions, BulkRequest, BulkResult, BulkUnlinkOptions } from './bulk'
import type { EntityLogicalName, LinkOptions, ReadOptions, RecordReference, UnlinkOptions } from './calls'
import type {
  Conversation, ConversationQuery, LinkedRecord, LinkedRecords, VerifiableOutcome, Verification, WaitOptions
} from './conversations'
import type { DataverseOptions } from './dataverse'
import type { DoctorOptions, DoctorReport } from './diagnose'
import type { EmbeddedOptions, ImportOptions, ImportSummary, Page } from './embedded'
import type { ClientEvents } from './events'
import type { LinkOutcome, UnlinkOutcome } from './outcomes'

/** What every client takes. */
export interface CommonOptions {
  /**
   * Milliseconds until a call rejects with `TIMEOUT`, unless the call says otherwise.
   * @default 30000
   */
  timeoutInMs?: number | undefined
}

/**
 * With `dataverse`, a client of that environment. With `embedded`, one on that file. With neither: `DATAVERSE_URL` if it is
 * set (and then a credential is needed), else `omnichannel-link.db` in the working directory. Inside Electron, where the
 * working directory is arbitrary, one of them must be given.
 */
export type ClientOptions = CommonOptions &
  ({ embedded?: EmbeddedOptions; dataverse?: never } | { dataverse: DataverseOptions; embedded?: never })

/**
 * A client with a store, open conversations and a focus of its own. Making one is cheap: nothing is opened or sent before the
 * first call. An idle client does not keep the process alive; a pending call does.
 */
export class OmnichannelClient {
  /** @throws {LinkError} `INVALID_CONFIGURATION`, naming the option. */
  constructor(options?: ClientOptions)

  /**
   * Links a record to a conversation in the database. A new link overrides the one in its slot; the other slot is not touched.
   * Only active conversations can be linked, unless `linkableStatuses` says otherwise. Resolves when the store has confirmed
   * the outcome after the call began. The agent's page does not show it before it is refreshed, which is the caller's job.
   *
   * Mirrors `Microsoft.Omnichannel.linkToConversation`.
   *
   * Cost: one transaction shared with the calls in flight; or two round trips to Dataverse, one if the client knows the
   * conversation from a call in the last five minutes.
   *
   * @param entityLogicalName the record's table
   * @param recordId GUID in either case, with or without braces
   * @param conversationId GUID; if null or undefined, the conversation focused at this moment, whatever happens to the focus later
   * @throws {LinkError} every code but `NOT_LINKED`
   */
  linkToConversation(
    entityLogicalName: EntityLogicalName,
    recordId: string,
    conversationId?: string | null,
    options?: LinkOptions
  ): Promise<LinkOutcome>

  /**
   * Unlinks exactly this record, in every status of the conversation. If the slot holds another record, or none, that stays
   * and the call rejects with `NOT_LINKED`. Whether the record exists is not checked: a dangling link can be removed.
   *
   * Mirrors `Microsoft.Omnichannel.unlinkFromConversation`.
   *
   * Cost and parameters as for {@link linkToConversation}.
   *
   * @throws {LinkError} every code but `CONVERSATION_NOT_ACTIVE` and `RECORD_NOT_FOUND`
   */
  unlinkFromConversation(
    entityLogicalName: EntityLogicalName,
    recordId: string,
    conversationId?: string | null,
    options?: UnlinkOptions
  ): Promise<UnlinkOutcome>

  /**
   * Links every record of a list. Results come in the list's order, each with an outcome or an error: a request that fails, or is
   * malformed, stops nothing.
   *
   * The list is read while results are taken, at most 256 requests ahead, so it may be endless, and memory stays bounded. Nothing
   * happens before the first result is asked for. Requests for one conversation take effect in their order. The server is never sent
   * more at once than it recommends. When it throttles, requests wait and continue at the rate it accepts. Leaving the loop early aborts what is pending (a write
   * already sent is not undone), closes the list, and waits for both; a list that is itself waiting for something is closed later.
   *
   * @throws {LinkError} while iterating: `INVALID_ARGUMENT` for wrong options. Also whatever the list throws, after the results of all
   * it gave before, and `signal.reason`.
   */
  linkMany<Request extends BulkRequest>(
    requests: Iterable<Request> | AsyncIterable<Request>,
    options?: BulkLinkOptions
  ): AsyncIterableIterator<BulkResult<Request, LinkOutcome>>

  /** The same for {@link OmnichannelClient.unlinkFromConversation}. */
  unlinkMany<Request extends BulkRequest>(
    requests: Iterable<Request> | AsyncIterable<Request>,
    options?: BulkUnlinkOptions
  ): AsyncIterableIterator<BulkResult<Request, UnlinkOutcome>>

  /**
   * What is linked to a conversation now, read after the call began and after the links and unlinks of this conversation that this client
   * was asked for before.
   * @param conversationId GUID; if null or undefined, the focused conversation
   * @throws {LinkError} `CONVERSATION_NOT_FOUND`, `NO_FOCUSED_CONVERSATION` and the store's faults
   */
  getLinkedRecords(conversationId?: string | null, options?: ReadOptions): Promise<LinkedRecords>

  /**
   * A conversation as it is now, read after the links and unlinks of it that this client was asked for before. Updates of other
   * conversations are not waited for.
   * @throws {LinkError} `CONVERSATION_NOT_FOUND` and the store's faults
   */
  getConversation(conversationId: string, options?: ReadOptions): Promise<Conversation>

  /**
   * The conversations a record is linked to, the newest first unless the query says otherwise. All of them, so give `top` where a
   * record may have many.
   * @throws {LinkError} the store's faults; a record that does not exist is linked to none
   */
  findConversations(record: RecordReference, query?: ConversationQuery): Promise<Conversation[]>

  /**
   * Conversations, page by page as they are needed. One that is created or deleted meanwhile, or changes in what they are ordered by, may be
   * missed or come twice; all others come once. Links and unlinks that have not settled are not waited for, and may not show.
   *
   * Mirrors `Microsoft.Omnichannel.getConversations`.
   *
   * @throws {LinkError} the store's faults, while iterating
   */
  getConversations(query?: ConversationQuery): AsyncIterableIterator<Conversation>

  /**
   * The one record whose columns hold these values, by their logical names: an alternate key such as `{ accountnumber: 'A-1' }`, or
   * whatever else tells it from the others. Columns of ids take GUIDs: the table's own (`contactid`), and lookups by the names they are
   * read by (`_parentcustomerid_value`). Upper and lower case are the same in every script. Deactivated records are found, too.
   *
   * A value must be of its column's type. Dataverse refuses another one, and a column that does not exist, with `INVALID_ARGUMENT`. The
   * embedded store knows the columns that imports brought; there nothing holds either, so it is `RECORD_NOT_FOUND`.
   *
   * @throws {LinkError} `RECORD_NOT_FOUND`, `AMBIGUOUS` with `candidates`, `INVALID_ARGUMENT`, and the store's faults
   */
  findRecord(
    entityLogicalName: EntityLogicalName,
    key: Record<string, string | number | boolean>,
    options?: ReadOptions
  ): Promise<LinkedRecord>

  /**
   * Whether an outcome still stands: the product may overwrite a link when a conversation ends.
   * @throws {LinkError} `INVALID_ARGUMENT` if it is no outcome of this store, or a dry run's; `CONVERSATION_NOT_FOUND` and the store's faults
   */
  verify(outcome: VerifiableOutcome, options?: ReadOptions): Promise<Verification>

  /**
   * Waits until exactly one conversation matches: the one an agent has just accepted, for example. One that matches already is taken at
   * once: whoever means a new one says `createdAfter`. Looks at once, after about a second, then ever more seldom, down to every five
   * seconds; never at the same moments as other clients. A look that fails but may succeed later (`isRetryable`) is repeated. The process
   * is kept alive meanwhile.
   *
   * @throws {LinkError} `AMBIGUOUS` with `candidates`, at once, when several match; `TIMEOUT` when none does in time, with the failure of
   * the last look as `cause`, if it failed; `INVALID_ARGUMENT` and the store's faults
   */
  waitForConversation(options?: WaitOptions): Promise<Conversation>

  /**
   * Adds a conversation to the open ones and focuses it. Whether it exists is not checked.
   * @throws {LinkError} `INVALID_ARGUMENT`
   */
  openConversation(conversationId: string): void

  /**
   * Focuses an open conversation.
   * @throws {LinkError} `INVALID_ARGUMENT` if it is not open
   */
  focusConversation(conversationId: string): void

  /**
   * Closes a conversation; the focus goes back to the one focused before it. One that is not open stays so.
   * @throws {LinkError} `INVALID_ARGUMENT`
   */
  closeConversation(conversationId: string): void

  /** The focused conversation. */
  getConversationId(): string | null

  /**
   * Imports a page into the embedded store, in one transaction: every row or none. Rows that are there are updated, columns
   * absent from a row stay as they were, pages may come in any order. Creates the database.
   *
   * A file may be of any size, or a pipe. It is read in bounded memory on a thread of its own, which holds up no other call, and its
   * rows are staged in the folder for temporary files (`SQLITE_TMPDIR`). The import takes its place among the calls when all rows are
   * staged, so await it before you make calls that rely on them. A page given as an object takes its place at once if its JSON is no
   * longer than 4 MiB.
   *
   * @param pathOrPage a JSON file in UTF-8, or in UTF-16 with a byte order mark; or a page, which is serialised on the main thread
   * @throws {LinkError} `INVALID_ARGUMENT` naming an invalid row by its index, the column and the reason, `INVALID_CONFIGURATION` on a
   * Dataverse client, `STORE`, `CLOSED`
   */
  importRecords(pathOrPage: string | Page, options?: ImportOptions): Promise<ImportSummary>

  /**
   * Looks at everything that links rest on, from the proxy to the caller's privileges, or at the embedded store's file, and says of
   * each what was seen, what it means and how to mend it. Reads only. What is out of order
   * stands in the report; the promise rejects only if nothing could be examined.
   *
   * Cost: about ten requests to Dataverse and a connection of its own; or a reading of the whole file.
   *
   * @throws {LinkError} `CLOSED`, `INVALID_ARGUMENT`, `THROTTLED` (by this client), `TIMEOUT` (of the whole)
   */
  doctor(options?: DoctorOptions): Promise<DoctorReport>

  /**
   * Calls a listener at every such event. As with Node's emitters, one that is added twice is called twice.
   * @throws {LinkError} `INVALID_ARGUMENT`
   */
  on<Name extends keyof ClientEvents>(event: Name, listener: (event: ClientEvents[Name]) => void): this
  /**
   * Calls a listener at the next such event only.
   * @throws {LinkError} `INVALID_ARGUMENT`
   */
  once<Name extends keyof ClientEvents>(event: Name, listener: (event: ClientEvents[Name]) => void): this
  /**
   * Takes a listener away, once. One that is not there is no error.
   * @throws {LinkError} `INVALID_ARGUMENT`
   */
  off<Name extends keyof ClientEvents>(event: Name, listener: (event: ClientEvents[Name]) => void): this

  /**
   * Refuses new calls with `CLOSED`, lets pending ones finish within their deadlines, then closes the store. An import that is still
   * reading its file after two seconds rejects with `CLOSED`, and nothing of it was imported. A call that waits for a throttling
   * Dataverse server rejects with `THROTTLED` at once.
   */
  close(): Promise<void>
}

/**
 * Sets the options of the default client. Once, before its first use.
 * @throws {LinkError} `INVALID_CONFIGURATION`, also if the default client exists already
 */
export function configure(options: ClientOptions): void

/**
 * The client that the functions of this module use; made by its first use. A `worker_thread` has its own.
 * @throws {LinkError} `INVALID_CONFIGURATION`
 */
export function defaultClient(): OmnichannelClient

/** {@link OmnichannelClient.linkToConversation} of the default client. */
export const linkToConversation: OmnichannelClient['linkToConversation']
/** {@link OmnichannelClient.unlinkFromConversation} of the default client. */
export const unlinkFromConversation: OmnichannelClient['unlinkFromConversation']
/** {@link OmnichannelClient.doctor} of the default client. */
export const doctor: OmnichannelClient['doctor']
/** {@link OmnichannelClient.openConversation} of the default client. */
export const openConversation: OmnichannelClient['openConversation']
/** {@link OmnichannelClient.focusConversation} of the default client. */
export const focusConversation: OmnichannelClient['focusConversation']
/** {@link OmnichannelClient.closeConversation} of the default client. */
export const closeConversation: OmnichannelClient['closeConversation']
/** {@link OmnichannelClient.getConversationId} of the default client. */
export const getConversationId: OmnichannelClient['getConversationId']
