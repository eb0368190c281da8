// The client, and the functions of the default client.

import type { BulkLinkOptions, BulkRequest, BulkResult, BulkUnlinkOptions } from './bulk'
import type { EntityLogicalName, LinkOptions, ReadOptions, UnlinkOptions } from './calls'
import type {
  Conversation, ConversationQuery, LinkedRecord, VerifiableOutcome, Verification, WaitOptions
} from './conversations'
import type { DataverseOptions } from './dataverse'
import type { DiagnoseOptions, DiagnosisReport } from './diagnose'
import type { EmbeddedOptions, EntityPage, ImportOptions, ImportSummary } from './embedded'
import type { ClientEvents } from './events'
import type { LinkOutcome, UnlinkOutcome } from './outcomes'

/** Options of every client. */
export interface CommonOptions {
  /**
   * Milliseconds until a call rejects with `TIMEOUT`, unless the call has a `timeoutInMs` of its own; more than 0 and at most 2147483647.
   * @default 30000
   */
  timeoutInMs?: number | undefined
}

/**
 * Options of a client. `dataverse` chooses a Dataverse environment, `embedded` an SQLite file.
 *
 * With neither, the client uses the environment in `DATAVERSE_URL` if it is set, which needs a credential; otherwise the file
 * `omnichannel-link.db` in the working directory. Inside Electron, where the working directory is arbitrary, one of them is required.
 */
export type ClientOptions = CommonOptions &
  ({ embedded?: EmbeddedOptions; dataverse?: never } | { dataverse: DataverseOptions; embedded?: never })

/**
 * A client with its own store, open conversations and focus. Creating one is cheap: nothing is opened or sent before the first call. A
 * pending call keeps the process alive; an idle client does not.
 */
export class OmnichannelClient {
  /** @throws {LinkError} `INVALID_CONFIGURATION`, naming the option in `argument` */
  constructor(options?: ClientOptions)

  /**
   * Links a record to a conversation. A new link replaces the one in its slot; the other slot is not touched. Only active conversations can be
   * linked, unless `linkableStatuses` lists others. Resolves when the store has confirmed the outcome. The agent's page shows it after a
   * refresh, which is the caller's job.
   *
   * Mirrors `Microsoft.Omnichannel.linkToConversation`.
   *
   * Cost: on Dataverse two round trips, or one if the client knows the conversation from a call in the last five minutes; on the embedded
   * store one transaction, shared with other calls in flight.
   *
   * @param entityLogicalName the record's table
   * @param recordId GUID in either case, with or without braces
   * @param conversationId GUID; if null or undefined, the conversation that is focused at the time of the call
   * @throws {LinkError} every code except `NOT_LINKED`
   */
  linkToConversation(
    entityLogicalName: EntityLogicalName,
    recordId: string,
    conversationId?: string | null,
    options?: LinkOptions
  ): Promise<LinkOutcome>

  /**
   * Unlinks exactly this record, whatever the status of the conversation. If the slot holds another record, or none, nothing is changed and the
   * call rejects with `NOT_LINKED`. Whether the record exists is not checked, so a dangling link can be removed.
   *
   * Mirrors `Microsoft.Omnichannel.unlinkFromConversation`.
   *
   * Cost and parameters are those of {@link linkToConversation}.
   *
   * @throws {LinkError} every code except `CONVERSATION_NOT_ACTIVE`, `OCCUPIED` and `RECORD_NOT_FOUND`
   */
  unlinkFromConversation(
    entityLogicalName: EntityLogicalName,
    recordId: string,
    conversationId?: string | null,
    options?: UnlinkOptions
  ): Promise<UnlinkOutcome>

  /**
   * Links every record of a list. Results come in the order of the list, each with an outcome or an error. A request that fails or is
   * malformed does not stop the others.
   *
   * The list is read while results are taken, at most 256 requests ahead, so it may be endless and memory stays bounded. Nothing happens before
   * the first result is requested. Requests for one conversation take effect in their order. The server never gets more requests at once than
   * it recommends; when it throttles, requests wait and continue at the rate that it accepts.
   *
   * Leaving the loop early cancels pending calls (a write that was already sent is not undone) and closes the list, and waits for both. A list
   * that is itself waiting for something is closed later.
   *
   * @throws {LinkError} while iterating: `INVALID_ARGUMENT` for invalid options. An error of the list is thrown after the results of all
   * requests before it, and `signal.reason` at once
   */
  linkMany<Request extends BulkRequest>(
    requests: Iterable<Request> | AsyncIterable<Request>,
    options?: BulkLinkOptions
  ): AsyncIterableIterator<BulkResult<Request, LinkOutcome>>

  /** Unlinks every record of a list, as {@link linkMany} links them. */
  unlinkMany<Request extends BulkRequest>(
    requests: Iterable<Request> | AsyncIterable<Request>,
    options?: BulkUnlinkOptions
  ): AsyncIterableIterator<BulkResult<Request, UnlinkOutcome>>

  /**
   * Reads a conversation and the records linked to it. Waits for earlier links and unlinks of the same conversation by this client, and for no
   * other calls.
   *
   * Cost: one round trip to Dataverse, or one read of the database.
   *
   * @param conversationId GUID; if null or undefined, the focused conversation
   * @throws {LinkError} `CONVERSATION_NOT_FOUND`, `NO_FOCUSED_CONVERSATION` and the errors of the store
   */
  getConversation(conversationId?: string | null, options?: ReadOptions): Promise<Conversation>

  /**
   * Lists conversations, page by page as they are needed. A conversation that is created, deleted or reordered meanwhile may be missing or
   * appear twice; every other one appears once. Does not wait for pending links and unlinks, so the list may not show them yet.
   *
   * Mirrors `Microsoft.Omnichannel.getConversations`.
   *
   * Cost: one round trip to Dataverse, or one query of the database, per page.
   *
   * @throws {LinkError} while iterating: `INVALID_ARGUMENT` and the errors of the store
   */
  getConversations(query?: ConversationQuery): AsyncIterableIterator<Conversation>

  /**
   * Finds the one record with these values in these columns, by logical name: an alternate key such as `{ accountnumber: 'A-1' }`, or any other
   * combination that is unique. Columns of ids take GUIDs: the primary key (`contactid`), and lookups by their name in responses
   * (`_parentcustomerid_value`). Strings are compared without regard to case, in every alphabet. Deactivated records are found, too.
   *
   * A value must have its column's type. Dataverse rejects another type, and an unknown column, with `INVALID_ARGUMENT`. The embedded store
   * knows the columns that were imported; there both are `RECORD_NOT_FOUND`.
   *
   * Cost: one round trip to Dataverse, or a search of all imported records of the table.
   *
   * @throws {LinkError} `RECORD_NOT_FOUND`, `AMBIGUOUS` with `candidates`, `INVALID_ARGUMENT`, and the errors of the store
   */
  findRecord(
    entityLogicalName: EntityLogicalName,
    key: Record<string, string | number | boolean>,
    options?: ReadOptions
  ): Promise<LinkedRecord>

  /**
   * Waits until exactly one conversation matches: the one that an agent has just accepted, for example. A conversation that matches already is
   * taken at once, so use `createdAfter` to wait for a new one. Polls at once, after about a second, and then with back-off up to five seconds
   * and jitter. A poll that fails with a retryable error is repeated. The wait keeps the process alive.
   *
   * @throws {LinkError} `AMBIGUOUS` with `candidates`, at once, if several match; `TIMEOUT` if none matches in time, with the error of the last
   * poll as `cause` if that failed; `INVALID_ARGUMENT` and the errors of the store
   */
  waitForConversation(options?: WaitOptions): Promise<Conversation>

  /**
   * Checks whether an outcome still holds: Omnichannel may overwrite a link when a conversation ends.
   *
   * Cost: that of {@link getConversation}.
   *
   * @throws {LinkError} `INVALID_ARGUMENT` if it is not an outcome of this store, or that of a dry run; `CONVERSATION_NOT_FOUND` and the errors
   * of the store
   */
  verify(outcome: VerifiableOutcome, options?: ReadOptions): Promise<Verification>

  /**
   * Opens a conversation and focuses it. Whether it exists is not checked.
   * @throws {LinkError} `INVALID_ARGUMENT`
   */
  openConversation(conversationId: string): void

  /**
   * Focuses an open conversation.
   * @throws {LinkError} `INVALID_ARGUMENT`, also if it is not open
   */
  focusConversation(conversationId: string): void

  /**
   * Closes a conversation. The focus returns to the one that was focused before it. Closing one that is not open does nothing.
   * @throws {LinkError} `INVALID_ARGUMENT`
   */
  closeConversation(conversationId: string): void

  /** Returns the id of the focused conversation. */
  getConversationId(): string | null

  /**
   * Imports a page into the embedded store in one transaction: all rows or none. Existing rows are updated; columns absent from a row stay as
   * they were. Pages may come in any order. The first import creates the database.
   *
   * A file may have any size, and may be a pipe. It is read in bounded memory on its own thread, without delaying other calls, and its rows are
   * staged in the folder for temporary files (`SQLITE_TMPDIR`). The import joins the queue of calls when all rows are staged, so await it before
   * you make calls that need its rows. A page given as an object joins the queue at once if its JSON has at most 4 MiB.
   *
   * @param pathOrPage path of a JSON file in UTF-8, or in UTF-16 with a byte order mark; or a page, which is serialised on the main thread
   * @throws {LinkError} `INVALID_ARGUMENT`, naming an invalid row by its index, the column and the reason; `INVALID_CONFIGURATION` on a
   * Dataverse client; `STORE`; `CLOSED`
   */
  importRecords(pathOrPage: string | EntityPage, options?: ImportOptions): Promise<ImportSummary>

  /**
   * Checks everything that links depend on, from the proxy to the caller's privileges, or the file of the embedded store. The report states
   * for each check what was found, what it means and how to fix it. Reads only. Problems are in the report; the promise rejects only if nothing
   * could be checked.
   *
   * Cost: about ten requests to Dataverse and a connection of its own; or a read of the whole file.
   *
   * @throws {LinkError} `CLOSED`, `INVALID_ARGUMENT`, `THROTTLED` (by this client), `TIMEOUT` (of the whole diagnosis)
   */
  diagnose(options?: DiagnoseOptions): Promise<DiagnosisReport>

  /**
   * Calls a listener for every event of this name. A listener that is added twice is called twice.
   * @throws {LinkError} `INVALID_ARGUMENT`
   */
  on<Name extends keyof ClientEvents>(event: Name, listener: (event: ClientEvents[Name]) => void): this

  /**
   * Calls a listener for the next event of this name only.
   * @throws {LinkError} `INVALID_ARGUMENT`
   */
  once<Name extends keyof ClientEvents>(event: Name, listener: (event: ClientEvents[Name]) => void): this

  /**
   * Removes a listener. One that was added twice stays once; one that was not added is ignored.
   * @throws {LinkError} `INVALID_ARGUMENT`
   */
  off<Name extends keyof ClientEvents>(event: Name, listener: (event: ClientEvents[Name]) => void): this

  /**
   * Rejects new calls with `CLOSED`, lets pending ones finish within their deadlines, then closes the store. An import that is still reading its
   * file after two seconds rejects with `CLOSED`, and imports nothing. A call that waits for a throttling server rejects with `THROTTLED` at
   * once.
   */
  close(): Promise<void>
}

/**
 * Sets the options of the default client. Call it once, before the first use of that client.
 * @throws {LinkError} `INVALID_CONFIGURATION`, also if the default client exists already
 */
export function configure(options: ClientOptions): void

/**
 * Returns the client that the functions of this module use, and creates it if necessary. A `worker_thread` has its own.
 * @throws {LinkError} `INVALID_CONFIGURATION`
 */
export function defaultClient(): OmnichannelClient

/** {@link OmnichannelClient.linkToConversation} of the default client. */
export const linkToConversation: OmnichannelClient['linkToConversation']
/** {@link OmnichannelClient.unlinkFromConversation} of the default client. */
export const unlinkFromConversation: OmnichannelClient['unlinkFromConversation']
/** {@link OmnichannelClient.openConversation} of the default client. */
export const openConversation: OmnichannelClient['openConversation']
/** {@link OmnichannelClient.focusConversation} of the default client. */
export const focusConversation: OmnichannelClient['focusConversation']
/** {@link OmnichannelClient.closeConversation} of the default client. */
export const closeConversation: OmnichannelClient['closeConversation']
/** {@link OmnichannelClient.getConversationId} of the default client. */
export const getConversationId: OmnichannelClient['getConversationId']
