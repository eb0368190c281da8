// Many links or unlinks from one list.

import type { LinkError } from './errors'
import type { EntityLogicalName, LinkOptions, UnlinkOptions } from './calls'

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

/** Options of {@link OmnichannelClient.linkMany}. All of a link's count for every request. */
export interface BulkLinkOptions extends Omit<LinkOptions, keyof BulkOptions>, BulkOptions {}

/** Options of {@link OmnichannelClient.unlinkMany}. All of an unlink's count for every request. */
export interface BulkUnlinkOptions extends Omit<UnlinkOptions, keyof BulkOptions>, BulkOptions {}
