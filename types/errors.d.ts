// What rejects and why.

import type { ConversationStatus, RecordReference, StoreName } from './calls'
import type { Conversation, LinkedRecord } from './conversations'

/**
 * Every `code` of a {@link LinkError}.
 *
 * | code | meaning |
 * |---|---|
 * | `AMBIGUOUS` | several fit where one is meant; see `candidates` |
 * | `AUTHENTICATION_FAILED` | no token could be had, or the server did not accept it |
 * | `CLOSED` | the client was closed before the call, or while an import was reading its file |
 * | `CONFLICT` | other writers changed the conversation at every try, or (`maybeApplied`) while an answer was lost; or the slot does not hold what was `expected` (not retryable) |
 * | `CONVERSATION_NOT_ACTIVE` | only active conversations can be linked; see `conversationStatus` |
 * | `CONVERSATION_NOT_FOUND` | the store has no such conversation; nothing was created |
 * | `FORBIDDEN` | the caller is known and lacks a privilege |
 * | `INTERNAL` | a defect of this package, or a thread that the system refused (then `isRetryable`) |
 * | `INVALID_ARGUMENT` | an argument or option is wrong; nothing was read or written |
 * | `INVALID_CONFIGURATION` | the client's options, or the environment it points at, cannot work |
 * | `NO_FOCUSED_CONVERSATION` | no `conversationId` was given and none is focused |
 * | `NOT_LINKED` | the record to unlink is not the one that is linked; see `current` |
 * | `OCCUPIED` | the slot holds another record, and `ifLinked: 'reject'` leaves it; see `current` |
 * | `PROTOCOL` | the server answered something that is not the Dataverse Web API |
 * | `RECORD_NOT_FOUND` | the account, contact or incident does not exist |
 * | `REJECTED` | the server refused for a reason of its own, a plug-in for example |
 * | `STORE` | the embedded database failed; `hint` says what to do |
 * | `THROTTLED` | too many calls, for the server (`retryAfterInMs`) or for this client |
 * | `TIMEOUT` | `timeoutInMs` ran out |
 * | `UNAVAILABLE` | the server could not be reached or is out of order |
 * | `VERIFICATION_FAILED` | the server confirmed the write, but shows another value; see `current` |
 */
export type LinkErrorCode =
  | 'AMBIGUOUS' | 'AUTHENTICATION_FAILED' | 'CLOSED' | 'CONFLICT' | 'CONVERSATION_NOT_ACTIVE' | 'CONVERSATION_NOT_FOUND' | 'FORBIDDEN'
  | 'INTERNAL' | 'INVALID_ARGUMENT' | 'INVALID_CONFIGURATION' | 'NO_FOCUSED_CONVERSATION' | 'NOT_LINKED' | 'OCCUPIED' | 'PROTOCOL'
  | 'RECORD_NOT_FOUND' | 'REJECTED' | 'STORE' | 'THROTTLED' | 'TIMEOUT' | 'UNAVAILABLE' | 'VERIFICATION_FAILED'

/** What {@link LinkError.toJSON} returns: plain data, for channels such as Electron's IPC that drop an error's properties. */
export type LinkErrorJson = Pick<
  LinkError,
  | 'name' | 'code' | 'message' | 'argument' | 'isRetryable' | 'maybeApplied' | 'httpStatus' | 'serviceCode' | 'serviceMessage' | 'requestId'
  | 'serviceRequestId' | 'retryAfterInMs' | 'conversationStatus' | 'current' | 'candidates' | 'store' | 'hint' | 'cause'
>

/** Everything that rejects, except a call aborted by its `signal`, rejects with this. No property ever holds a secret. */
export class LinkError extends Error {
  private constructor()
  /** What kind of error it is. */
  readonly name: 'LinkError'
  /** Stable: switch on it. */
  readonly code: LinkErrorCode
  /** Whether the same call may succeed later without anybody changing anything. */
  readonly isRetryable: boolean
  /**
   * The write may have taken effect although the call failed: look before calling again. With `NOT_LINKED` or another code that tells of the
   * conversation: so it is now, and the change may have been made in between.
   */
  readonly maybeApplied: boolean
  /** The argument or option that is invalid: `recordId`, `options.timeoutInMs`. */
  readonly argument?: string
  /** HTTP status of the response. */
  readonly httpStatus?: number
  /** The server's own code, such as `0x80040217`. */
  readonly serviceCode?: string
  /** The server's own text: redacted, at most 500 characters. Not made for parsing. */
  readonly serviceMessage?: string
  /** The id this client gave the call; sent to the server as `x-ms-client-request-id`. */
  readonly requestId?: string
  /** The id the server gave the request: what Microsoft's support asks for. */
  readonly serviceRequestId?: string
  /** How long the server asked to be left alone. */
  readonly retryAfterInMs?: number
  /** With `CONVERSATION_NOT_ACTIVE`: the status seen. */
  readonly conversationStatus?: ConversationStatus
  /** With `NOT_LINKED`, `OCCUPIED`, `VERIFICATION_FAILED`, and a `CONFLICT` in doubt or with `expected`: what the slot holds; null for nothing. */
  readonly current?: RecordReference | null
  /** With `AMBIGUOUS`: up to ten of those that fit; records from `findRecord`, conversations from `waitForConversation`. */
  readonly candidates?: readonly LinkedRecord[] | readonly Conversation[]
  /** The store that was asked. */
  readonly store?: StoreName
  /** What to do about it. */
  readonly hint?: string
  /** The failure underneath, if there was one; once it went through `toJSON`, its message. */
  readonly cause?: unknown
  /** Plain data that {@link LinkError.fromJSON} takes. The stack is left out: it names files of this machine. */
  toJSON(): LinkErrorJson
  /** Makes an error of what `toJSON` returned, on the other side of an IPC channel for example. Throws a TypeError if code or message is missing. */
  static fromJSON(json: LinkErrorJson): LinkError
}
