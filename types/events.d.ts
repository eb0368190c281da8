// What a client tells its listeners.

import type { RecordReference } from './calls'
import type { LinkError } from './errors'
import type { LinkedOutcome, ReplacedOutcome, UnlinkOutcome } from './outcomes'

/** A slot of a conversation was changed by this client. */
export interface SlotChange<
  Outcome = LinkedOutcome | ReplacedOutcome | UnlinkOutcome,
  Before = RecordReference | null,
  After = RecordReference | null
> {
  /** Whose slot. */
  conversationId: string
  /** What the slot held. */
  before: Before
  /** What it holds now. */
  after: After
  /** A copy of what the call resolves with. */
  outcome: Outcome
}

/** A call failed. */
export interface CallFailure {
  /** The function that was called. */
  method: 'linkToConversation' | 'unlinkFromConversation'
  /** The conversation it named, or the one that was focused when it was made; null if there was neither. */
  conversationId: string | null
  /** What the call rejects with. */
  error: LinkError
}

/** The focus moved. */
export interface FocusChange {
  /** The conversation that is focused now. */
  conversationId: string | null
  /** The one that was. */
  previous: string | null
}

/**
 * The events of a client: one for each change that a call of this client made, and one for each link or unlink that rejected with a
 * {@link LinkError}, those of `linkMany` and `unlinkMany` included. There is none for the outcomes `alreadyLinked` and `kept`, for a
 * `dryRun`, also one that rejects, and for a call that its `signal` aborted. Changes of other programs are not seen.
 *
 * Listeners run before the promise of the call settles, thus before any code that awaits it; those of `focus` before the method
 * returns, unless it was called by a listener: then they run when all have heard of the event before. They run in the order in which
 * they were added. What one throws is an uncaught exception of the program: the call and the other listeners go on. No listener keeps
 * the process alive, and without listeners events cost nothing.
 */
export interface ClientEvents {
  /** A record was linked in a slot that was empty. */
  linked: SlotChange<LinkedOutcome, null, RecordReference>
  /** A record was linked in the place of `before`. */
  replaced: SlotChange<ReplacedOutcome, RecordReference, RecordReference>
  /** A record was unlinked. */
  unlinked: SlotChange<UnlinkOutcome, RecordReference, null>
  /** A link or unlink was refused or failed. */
  failed: CallFailure
  /** `openConversation`, `focusConversation` or `closeConversation` moved the focus. */
  focus: FocusChange
}
