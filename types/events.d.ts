// Events of a client.

import type { RecordReference } from './calls'
import type { LinkError } from './errors'
import type { LinkedOutcome, ReplacedOutcome, UnlinkOutcome } from './outcomes'

/** This client changed a slot of a conversation. */
export interface SlotChange<
  Outcome = LinkedOutcome | ReplacedOutcome | UnlinkOutcome,
  Before = RecordReference | null,
  After = RecordReference | null
> {
  /** The conversation. */
  conversationId: string
  /** Content of the slot before. */
  before: Before
  /** Content of the slot now. */
  after: After
  /** A copy of the call's outcome. */
  outcome: Outcome
}

/** A call failed. */
export interface CallFailure {
  /** The method that was called. */
  method: 'linkToConversation' | 'unlinkFromConversation'
  /** The conversation of the call, or the one that was focused when it was made; null if there was none. */
  conversationId: string | null
  /** The error that the call rejects with. */
  error: LinkError
}

/** The focus moved. */
export interface FocusChange {
  /** The conversation that is focused now. */
  conversationId: string | null
  /** The conversation that was focused before. */
  previous: string | null
}

/**
 * The events of a client by name. There is one for each change that a call of this client made, and one for each link or unlink that rejected
 * with a {@link LinkError}, those of `linkMany` and `unlinkMany` included. There is none for the outcomes `alreadyLinked` and `kept`, for a
 * `dryRun`, or for a call that its `signal` cancelled. Changes made by other programs have no event.
 *
 * Listeners run before the promise of the call settles, so before the code that awaits it. Listeners of `focus` run before the method returns.
 * Events that a listener causes wait until all listeners have seen the current one. Listeners run in the order in which they were added. An
 * error that one throws is an uncaught exception; the call and the other listeners go on. Listeners do not keep the process alive, and
 * without listeners events cost nothing.
 */
export interface ClientEvents {
  /** A record was linked to an empty slot. */
  linked: SlotChange<LinkedOutcome, null, RecordReference>
  /** A record was linked in place of `before`. */
  replaced: SlotChange<ReplacedOutcome, RecordReference, RecordReference>
  /** A record was unlinked. */
  unlinked: SlotChange<UnlinkOutcome, RecordReference, null>
  /** A link or an unlink rejected. */
  failed: CallFailure
  /** `openConversation`, `focusConversation` or `closeConversation` moved the focus. */
  focus: FocusChange
}
