/**
 * Links accounts, contacts and cases to Dynamics 365 Omnichannel conversations, from any Node program: `require('omnichannel-link')`.
 *
 * @module omnichannel-link
 */

import type { BulkCalls } from './bulk'
import type {
  Conversation, ConversationQuery, LinkedRecord, LinkedRecords, ReadOptions, VerifiableOutcome, Verification
} from './conversations'
import type { DataverseOptions } from './dataverse'
import type { EmbeddedOptions, ImportOptions, ImportSummary, Page } from './embedded'
import type { DoctorOptions, DoctorReport } from './doctor'
import type { EventSource } from './events'
import type { LinkOutcome, UnlinkOutcome } from './outcomes'
import type { Waiting } from './waiting'

export type * from './bulk'
export type * from './conversations'
export type * from './dataverse'
export type * from './doctor'
export * from './errors'
export type * from './embedded'
export * from './facade'
export type * from './events'
export type * from './outcomes'
export type * from './waiting'

declare global {
  // Node's types and the DOM's say what it is; a program that has neither can still pass one on.
  interface AbortSignal {}
}

/** The tables whose records can be linked. Account and contact share the customer slot; incident has the case slot. */
export type EntityLogicalName = 'account' | 'contact' | 'incident'

/** One account, contact or incident. */
export interface RecordReference {
  /** Its table. */
  entityLogicalName: EntityLogicalName
  /** GUID in lower case, without braces. */
  recordId: string
}

/**
 * `statuscode` of a conversation by name: open 1, active 2, waiting 3, closed 4, wrapUp 5, resolved 6, scheduled 7. A number
 * that has no name here stays a number, and is not active.
 */
export type ConversationStatus = 'open' | 'active' | 'waiting' | 'closed' | 'wrapUp' | 'resolved' | 'scheduled' | (number & {})

/** Where conversations and links live: a Dataverse environment, or the SQLite file beside the program. */
export type StoreName = 'dataverse' | 'embedded'

/**
 * What every call that returns a promise takes. For these and all other options of this package: one that is undefined is not given; the
 * properties of an object and of its class count, getters included, but those of `Object.prototype` never do; an unknown one is refused by
 * name, except a method of the class, which is ignored.
 */
export interface CallOptions {
  /**
   * Stops the work when it aborts; the promise then rejects with `signal.reason`. A write already sent is not undone.
   * The signal may be of another realm or a polyfill: it needs `aborted`, `addEventListener` and `removeEventListener`, and without a
   * `reason` the promise rejects with an `AbortError`. Costs about 4 µs of the main thread.
   */
  signal?: AbortSignal | undefined
  /**
   * Milliseconds until the call rejects with `TIMEOUT`, more than 0 and at most 2147483647.
   * @default the client's `timeoutInMs`
   */
  timeoutInMs?: number | undefined
}

/** What a link and an unlink take. */
export interface ConversationCallOptions extends CallOptions {
  /**
   * Dataverse: on whose behalf the call is made, as the Entra object id of a user (`CallerObjectId`). The client's own user needs
   * `prvActOnBehalfOfAnotherUser`; what both may do is done, and the row shows the other as who changed it.
   * @default the client's `callerObjectId`
   */
  callerObjectId?: string | undefined
  /** A W3C `traceparent`, passed on to Dataverse as it is: the trace that the call belongs to. */
  traceparent?: string | undefined
}

/** Options of a link. */
export interface LinkOptions extends ConversationCallOptions {
  /**
   * Statuses that can be linked besides active.
   * @default []
   */
  linkableStatuses?: ConversationStatus[] | undefined
  /**
   * What to do if the slot holds another record: `replace` it; `keep` it, with the outcome `kept`; or `reject` with `OCCUPIED`.
   * @default 'replace'
   */
  ifLinked?: 'replace' | 'keep' | 'reject' | undefined
  /**
   * Link only if the slot holds exactly this now, or nothing (`null`); else the call rejects with `CONFLICT` and `current`. A record
   * that the slot never holds is refused with `INVALID_ARGUMENT`. Every other option is refused if it is null: leave it out instead.
   */
  expected?: RecordReference | null | undefined
  /**
   * Decide, and write nothing: the outcome says what would be done, and has `dryRun: true`. Whether the record exists is not checked.
   * @default false
   */
  dryRun?: boolean | undefined
}

/** Options of an unlink. */
export interface UnlinkOptions extends ConversationCallOptions {
  /**
   * Decide, and write nothing: the outcome has `dryRun: true`.
   * @default false
   */
  dryRun?: boolean | undefined
}

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

// oxlint-disable-next-line typescript/no-unsafe-declaration-merging -- index.js has these methods; their typings are a file of their own
export interface OmnichannelClient extends BulkCalls, EventSource, Waiting {}

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
   * each what was seen, what it means and how to mend it. Reads only, unless there is something to `probe`. What is out of order
   * stands in the report; the promise rejects only if nothing could be examined.
   *
   * Cost: about ten requests to Dataverse and a connection of its own; or a reading of the whole file.
   *
   * @throws {LinkError} `CLOSED`, `INVALID_ARGUMENT`, `THROTTLED` (by this client), `TIMEOUT` (of the whole)
   */
  doctor(options?: DoctorOptions): Promise<DoctorReport>

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
