// Records, statuses, and the options of calls.

declare global {
  // Declared by the types of Node and of the DOM. A program that has neither can still pass a signal on.
  interface AbortSignal {}
}

/** A table whose records can be linked. Accounts and contacts share the customer slot of a conversation; incidents have the case slot. */
export type EntityLogicalName = 'account' | 'contact' | 'incident'

/** One account, contact or incident. */
export interface RecordReference {
  /** The table. */
  entityLogicalName: EntityLogicalName
  /** GUID in lower case, without braces. */
  recordId: string
}

/**
 * `statuscode` of a conversation by name: open 1, active 2, waiting 3, closed 4, wrapUp 5, resolved 6, scheduled 7. A number without a name
 * here stays a number, and is not active.
 */
export type ConversationStatus = 'open' | 'active' | 'waiting' | 'closed' | 'wrapUp' | 'resolved' | 'scheduled' | (number & {})

/** Kind of a store: a Dataverse environment, or an SQLite file. */
export type StoreName = 'dataverse' | 'embedded'

/**
 * Options of every call that returns a promise.
 *
 * These rules hold for all options of this package. An undefined option counts as not given. Own and inherited properties count, getters
 * included; those of `Object.prototype` never do. An unknown option is an error that names it; methods of a class are ignored.
 */
export interface CallOptions {
  /**
   * Cancels the call; the promise then rejects with `signal.reason`. A write that was already sent is not undone.
   *
   * A signal of another realm or a polyfill is accepted if it has `aborted`, `addEventListener` and `removeEventListener`. Without a `reason`
   * the promise rejects with an `AbortError`. A signal costs about 4 µs of the main thread.
   */
  signal?: AbortSignal | undefined
  /**
   * Milliseconds until the call rejects with `TIMEOUT`; more than 0 and at most 2147483647.
   * @default the client's `timeoutInMs`
   */
  timeoutInMs?: number | undefined
}

/** Options of a call that reads. */
export interface ReadOptions extends CallOptions {
  /**
   * Dataverse: the Entra object id of the user to impersonate (`CallerObjectId`). The client's own user needs
   * `prvActOnBehalfOfAnotherUser`. A call needs the privileges of both users; `modifiedby` shows the impersonated one.
   * @default the client's `callerObjectId`
   */
  callerObjectId?: string | undefined
  /** A W3C `traceparent`, sent to Dataverse unchanged. */
  traceparent?: string | undefined
}

/** Options of a link. */
export interface LinkOptions extends ReadOptions {
  /**
   * Statuses in which a conversation can be linked, besides active.
   * @default []
   */
  linkableStatuses?: ConversationStatus[] | undefined
  /**
   * Policy if the slot holds another record: `replace` it; `keep` it, with the outcome `kept`; or `reject` with `OCCUPIED`.
   * @default 'replace'
   */
  ifLinked?: 'replace' | 'keep' | 'reject' | undefined
  /**
   * Link only if the slot holds exactly this record, or, with `null`, if it is empty. Otherwise the call rejects with `CONFLICT` and `current`. A
   * record that cannot be in this slot is `INVALID_ARGUMENT`. No other option may be null; leave it out instead.
   */
  expected?: RecordReference | null | undefined
  /**
   * Decide only, and write nothing. The outcome shows what a call would do, and has `dryRun: true`. Whether the record exists is not checked.
   * @default false
   */
  dryRun?: boolean | undefined
}

/** Options of an unlink. */
export interface UnlinkOptions extends ReadOptions {
  /**
   * Decide only, and write nothing. The outcome has `dryRun: true`.
   * @default false
   */
  dryRun?: boolean | undefined
}
