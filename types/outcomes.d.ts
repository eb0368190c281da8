// What links and unlinks resolve with.

import type { RecordReference, StoreName } from './calls'

/** What the store confirmed after the call began. */
export interface ConfirmedOutcome {
  /** The conversation, also when it was the focused one. */
  conversationId: string
  /** Present if nothing was written because `dryRun` was asked for. */
  dryRun?: true
  /** Who confirmed it. */
  store: StoreName
  /** The id this client gave the call. */
  requestId: string
}

/** What a link resolves with. `status` tells which of the four it is. */
export type LinkOutcome = LinkedOutcome | ReplacedOutcome | AlreadyLinkedOutcome | KeptOutcome

/** The record was linked in a slot that was empty. */
export interface LinkedOutcome extends ConfirmedOutcome {
  /** The slot was empty. */
  status: 'linked'
  /** What is linked now. */
  record: RecordReference
  /** It replaced nothing. */
  previous: null
  /** Only with `kept`. */
  current?: never
}

/** The record was linked in the place of another. */
export interface ReplacedOutcome extends ConfirmedOutcome {
  /** The slot held `previous`, which is no longer linked. */
  status: 'replaced'
  /** What is linked now. */
  record: RecordReference
  /** What it replaced. */
  previous: RecordReference
  /** Only with `kept`. */
  current?: never
}

/** The record is linked, and this call had nothing to write. */
export interface AlreadyLinkedOutcome extends ConfirmedOutcome {
  /**
   * The slot held this record; nothing was written. On Dataverse, if the response to a write is lost, this also says that the record is
   * linked and that nothing tells whether by this call.
   */
  status: 'alreadyLinked'
  /** What is linked now. */
  record: RecordReference
  /** It replaced nothing. */
  previous: null
  /** Only with `kept`. */
  current?: never
}

/** Another record was left where it is, because of `ifLinked: 'keep'`. */
export interface KeptOutcome extends ConfirmedOutcome {
  /** The slot holds `current`, which was not replaced. */
  status: 'kept'
  /** What was to be linked, and is not. */
  record: RecordReference
  /** It replaced nothing. */
  previous: null
  /** What the slot holds. */
  current: RecordReference
}

/** What an unlink resolves with. */
export interface UnlinkOutcome extends ConfirmedOutcome {
  /** The slot held this record, and is empty now. */
  status: 'unlinked'
  /** What is no longer linked. */
  record: RecordReference
}
