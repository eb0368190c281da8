// Records, statuses and the options of a call.

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

/** What every reading call takes. */
export interface ReadOptions extends CallOptions {
  /** Dataverse: on whose behalf; see `ConversationCallOptions.callerObjectId`. */
  callerObjectId?: string | undefined
  /** A W3C `traceparent`, passed on to Dataverse. */
  traceparent?: string | undefined
}
