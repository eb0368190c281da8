// Waiting for a conversation; part of index.d.ts.

import type { Conversation, ReadOptions } from './conversations'
import type { ConversationStatus, RecordReference } from './index'

/** Which conversation {@link Waiting.waitForConversation} waits for. All that is given must fit. */
export interface WaitOptions extends ReadOptions {
  /** The system user who serves it. */
  agentId?: string | undefined
  /** What it is linked to. */
  record?: RecordReference | undefined
  /**
   * It was created at this moment or later, by the server's clock and to the second. With the moment when a call arrived, an agent's older
   * conversations are not taken for the new one. Subtract what the two clocks may differ by, and how much sooner than your program the
   * server may have known: half a minute, for example.
   * @default whenever it was
   */
  createdAfter?: Date | undefined
  /**
   * One of these is its status.
   * @default ['active']
   */
  statuses?: ConversationStatus[] | undefined
  /**
   * Milliseconds until waiting ends with `TIMEOUT`, more than 0 and at most 2147483647. There is a last look at this moment, which may
   * take a second.
   * @default 60000
   */
  timeoutInMs?: number | undefined
  /** Ends the waiting when it aborts; the promise then rejects with `signal.reason`. */
  signal?: AbortSignal | undefined
}

/** Waiting for what is about to happen. */
export interface Waiting {
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
}
