// Many links or unlinks from one list; part of index.d.ts.

import type { LinkError } from './errors'
import type { EntityLogicalName, LinkOptions, OmnichannelClient } from './index'
import type { LinkOutcome, UnlinkOutcome } from './outcomes'

/** What is to be linked or unlinked. It may have properties of its own, which come back with the result. */
export interface BulkRequest {
  /** The record's table. */
  entityLogicalName: EntityLogicalName
  /** The record's GUID. */
  recordId: string
  /** Never the focused one: each request names its conversation. */
  conversationId: string
}

/** What became of a request: the very object that the list gave, and either an outcome or an error. */
export type BulkResult<Request, Outcome> =
  | { request: Request; outcome: Outcome; error?: never }
  | { request: Request; outcome?: never; error: LinkError }

/** How far a bulk is. */
export interface BulkProgress {
  /** Calls that have ended. Their results may not have been taken yet. */
  done: number
  /** Of these, how many resolved. */
  succeeded: number
  /** Of these, how many rejected. */
  failed: number
}

/** What a bulk takes besides the options of its calls. */
export interface BulkOptions {
  /**
   * Called at most five times a second while calls end, and once more when all have. What it throws is an uncaught exception of the
   * program; the bulk goes on.
   */
  onProgress?: ((progress: BulkProgress) => void) | undefined
  /**
   * Stops everything when it aborts: iterating throws `signal.reason`, and results not taken yet are lost. For an end without loss let
   * the list end instead.
   */
  signal?: AbortSignal | undefined
  /**
   * Milliseconds until one call rejects with `TIMEOUT`. It includes waiting for its turn, and for a server that throttles.
   * @default 600000
   */
  timeoutInMs?: number | undefined
}

/** Options of {@link BulkCalls.linkMany}. All of a link's count for every request. */
export interface BulkLinkOptions extends Omit<LinkOptions, keyof BulkOptions>, BulkOptions {}

/** Options of {@link BulkCalls.unlinkMany}. All of an unlink's count for every request. */
export interface BulkUnlinkOptions
  extends Omit<NonNullable<Parameters<OmnichannelClient['unlinkFromConversation']>[3]>, keyof BulkOptions>, BulkOptions {}

/** The calls of a client for lists of any length. */
export interface BulkCalls {
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
}
