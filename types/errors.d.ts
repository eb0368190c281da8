// Errors.

import type { ConversationStatus, RecordReference, StoreName } from './calls'
import type { Conversation, LinkedRecord } from './conversations'

/**
 * Every `code` of a {@link LinkError}.
 *
 * | code | meaning |
 * |---|---|
 * | `AMBIGUOUS` | several records or conversations match, and exactly one is needed; see `candidates` |
 * | `AUTHENTICATION_FAILED` | no access token was available, or the server did not accept it |
 * | `CLOSED` | the client was closed before the call, or while an import was reading its file |
 * | `CONFLICT` | other writers changed the conversation at every attempt, or while a response was lost (`maybeApplied`); or the slot does not hold the `expected` record (not retryable) |
 * | `CONVERSATION_NOT_ACTIVE` | only active conversations can be linked; see `conversationStatus` |
 * | `CONVERSATION_NOT_FOUND` | the store has no such conversation; nothing was created |
 * | `FORBIDDEN` | the caller is authenticated but lacks a privilege |
 * | `INTERNAL` | a defect of this package, or the system could not start a thread (then `isRetryable`) |
 * | `INVALID_ARGUMENT` | an argument or option is invalid (see `argument`); nothing was read or written |
 * | `INVALID_CONFIGURATION` | the client's options are invalid, or its environment lacks a table, column or setting that links need |
 * | `NO_FOCUSED_CONVERSATION` | no `conversationId` was given and none is focused |
 * | `NOT_LINKED` | the record to unlink is not linked; see `current` |
 * | `OCCUPIED` | the slot holds another record, and `ifLinked` is `'reject'`; see `current` |
 * | `PROTOCOL` | the response is not a valid one of the Dataverse Web API |
 * | `RECORD_NOT_FOUND` | the account, contact or incident does not exist |
 * | `REJECTED` | the server rejected the request for another reason, such as a plug-in |
 * | `STORE` | the embedded database failed; see `hint` |
 * | `THROTTLED` | too many calls for the server (`retryAfterInMs`) or for this client |
 * | `TIMEOUT` | the call did not finish within `timeoutInMs` |
 * | `UNAVAILABLE` | the server is unreachable or temporarily unavailable |
 * | `VERIFICATION_FAILED` | the server confirmed the write, but the row holds another value; see `current` |
 */
export type LinkErrorCode =
  | 'AMBIGUOUS' | 'AUTHENTICATION_FAILED' | 'CLOSED' | 'CONFLICT' | 'CONVERSATION_NOT_ACTIVE' | 'CONVERSATION_NOT_FOUND' | 'FORBIDDEN'
  | 'INTERNAL' | 'INVALID_ARGUMENT' | 'INVALID_CONFIGURATION' | 'NO_FOCUSED_CONVERSATION' | 'NOT_LINKED' | 'OCCUPIED' | 'PROTOCOL'
  | 'RECORD_NOT_FOUND' | 'REJECTED' | 'STORE' | 'THROTTLED' | 'TIMEOUT' | 'UNAVAILABLE' | 'VERIFICATION_FAILED'

/** Result of {@link LinkError.toJSON}: plain data, for channels such as Electron's IPC that drop the properties of errors. */
export type LinkErrorJson = Pick<
  LinkError,
  | 'name' | 'code' | 'message' | 'argument' | 'isRetryable' | 'maybeApplied' | 'httpStatus' | 'serviceCode' | 'serviceMessage' | 'requestId'
  | 'serviceRequestId' | 'retryAfterInMs' | 'conversationStatus' | 'current' | 'candidates' | 'store' | 'hint' | 'cause'
>

/** The error that every call rejects with, unless its `signal` cancelled it. No property holds a secret. */
export class LinkError extends Error {
  private constructor()
  /** Name of the class. */
  readonly name: 'LinkError'
  /** Kind of the error. Codes are stable: switch on them. */
  readonly code: LinkErrorCode
  /** Whether the same call may succeed later, with nothing changed. */
  readonly isRetryable: boolean
  /**
   * Whether the write may have taken effect although the call failed: read before you call again. Then `NOT_LINKED` and
   * other codes describe the current state; your change may have been made and undone since.
   */
  readonly maybeApplied: boolean
  /** The argument or option that is invalid: `recordId`, `options.timeoutInMs`. */
  readonly argument?: string
  /** HTTP status of the response. */
  readonly httpStatus?: number
  /** The server's own error code, such as `0x80040217`. */
  readonly serviceCode?: string
  /** The server's own message, redacted, at most 500 characters. Not made for parsing. */
  readonly serviceMessage?: string
  /** The id that this client gave the call, sent to the server as `x-ms-client-request-id`. */
  readonly requestId?: string
  /** The id that the server gave the request. Microsoft's support asks for it. */
  readonly serviceRequestId?: string
  /** The wait that the server asked for, in milliseconds. */
  readonly retryAfterInMs?: number
  /** With `CONVERSATION_NOT_ACTIVE`: the status of the conversation. */
  readonly conversationStatus?: ConversationStatus
  /** With `NOT_LINKED`, `OCCUPIED`, `VERIFICATION_FAILED`, and some `CONFLICT`s: the record in the slot, or null. */
  readonly current?: RecordReference | null
  /** With `AMBIGUOUS`: up to ten matches; records from `findRecord`, conversations from `waitForConversation`. */
  readonly candidates?: readonly LinkedRecord[] | readonly Conversation[]
  /** The store of the client. */
  readonly store?: StoreName
  /** How to fix it. */
  readonly hint?: string
  /** The underlying error, if there was one; after `toJSON`, its message. */
  readonly cause?: unknown
  /** Returns plain data for {@link LinkError.fromJSON}. The stack is left out, because it names files of this machine. */
  toJSON(): LinkErrorJson
  /** Creates an error from the result of `toJSON`, on the other side of an IPC channel for example. Throws a TypeError if code or message is missing. */
  static fromJSON(json: LinkErrorJson): LinkError
}
