// Outcomes of links and unlinks.

import type { RecordReference, StoreName } from './calls'

/** Properties of every outcome. */
export interface ConfirmedOutcome {
  /** The conversation, also if it was the focused one. */
  conversationId: string
  /** Present if `dryRun` was set and nothing was written. */
  dryRun?: true
  /** The store that confirmed it. */
  store: StoreName
  /** The id that this client gave the call. */
  requestId: string
}

/** Outcome of a link; its `status` distinguishes the four kinds. */
export type LinkOutcome = LinkedOutcome | ReplacedOutcome | AlreadyLinkedOutcome | KeptOutcome

/** The record was linked, and the slot was empty before. */
export interface LinkedOutcome extends ConfirmedOutcome {
  /** The slot was empty. */
  status: 'linked'
  /** The record that is linked now. */
  record: RecordReference
  /** Nothing was replaced. */
  previous: null
  /** Only with `kept`. */
  current?: never
}

/** The record was linked in place of another one. */
export interface ReplacedOutcome extends ConfirmedOutcome {
  /** The slot held `previous`, which is no longer linked. */
  status: 'replaced'
  /** The record that is linked now. */
  record: RecordReference
  /** The record that was replaced. */
  previous: RecordReference
  /** Only with `kept`. */
  current?: never
}

/** The record is linked, and this call wrote nothing. */
export interface AlreadyLinkedOutcome extends ConfirmedOutcome {
  /**
   * The slot held this record already. On Dataverse also the outcome after a lost response, if the record is linked and it is unknown
   * whether this call linked it.
   */
  status: 'alreadyLinked'
  /** The record that is linked. */
  record: RecordReference
  /** Nothing was replaced. */
  previous: null
  /** Only with `kept`. */
  current?: never
}

/** Another record was kept, because of `ifLinked: 'keep'`. */
export interface KeptOutcome extends ConfirmedOutcome {
  /** The slot holds `current`, which was not replaced. */
  status: 'kept'
  /** The record that was not linked. */
  record: RecordReference
  /** Nothing was replaced. */
  previous: null
  /** The record in the slot. */
  current: RecordReference
}

/** Outcome of an unlink. */
export interface UnlinkOutcome extends ConfirmedOutcome {
  /** The slot held this record, and is empty now. */
  status: 'unlinked'
  /** The record that is no longer linked. */
  record: RecordReference
}
