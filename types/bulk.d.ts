// Links and unlinks of whole lists.

import type { EntityLogicalName, LinkOptions, UnlinkOptions } from './calls'
import type { LinkError } from './errors'

/** One item of a list. It may have other properties, which are returned with the result. */
export interface BulkRequest {
  /** The record's table. */
  entityLogicalName: EntityLogicalName
  /** The record's GUID. */
  recordId: string
  /** The conversation's GUID. It is required: the focused conversation is never meant. */
  conversationId: string
}

/** Result of one request: the object from the list, and either an outcome or an error. */
export type BulkResult<Request, Outcome> =
  | { request: Request; outcome: Outcome; error?: never }
  | { request: Request; outcome?: never; error: LinkError }

/** Progress of a bulk operation. */
export interface BulkProgress {
  /** Calls that have ended. Their results may not have been taken yet. */
  done: number
  /** Calls that resolved. */
  succeeded: number
  /** Calls that rejected. */
  failed: number
}

/** Options of a bulk operation, besides those of its calls. */
export interface BulkOptions {
  /**
   * Called at most five times a second while calls end, and once more at the end. An error that it throws is an uncaught exception; the
   * operation goes on.
   */
  onProgress?: ((progress: BulkProgress) => void) | undefined
  /**
   * Cancels the whole operation: iterating throws `signal.reason`, and results not taken yet are lost. To stop without losing results, end the
   * list instead.
   */
  signal?: AbortSignal | undefined
  /**
   * Milliseconds until one call rejects with `TIMEOUT`. Includes the time a call waits for its turn, and for a server that throttles.
   * @default 600000
   */
  timeoutInMs?: number | undefined
}

/** Options of {@link OmnichannelClient.linkMany}. Those of a link apply to every request. */
export interface BulkLinkOptions extends Omit<LinkOptions, keyof BulkOptions>, BulkOptions {}

/** Options of {@link OmnichannelClient.unlinkMany}. Those of an unlink apply to every request. */
export interface BulkUnlinkOptions extends Omit<UnlinkOptions, keyof BulkOptions>, BulkOptions {}
