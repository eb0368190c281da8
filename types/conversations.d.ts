// Conversations as they are read, and the queries that find them.

import type { ConversationStatus, ReadOptions, RecordReference, StoreName } from './calls'
import type { LinkOutcome, UnlinkOutcome } from './outcomes'

/** A record that a slot holds, with its name if the store knows it. */
export interface LinkedRecord extends RecordReference {
  /** The account's or contact's name or the case's title; null if the store does not know it. */
  name: string | null
}

/** A conversation and what is linked to it. */
export interface Conversation {
  /** GUID in lower case, without braces. */
  conversationId: string
  /** Its status when it was read. */
  status: ConversationStatus
  /** The account or contact. */
  customer: LinkedRecord | null
  /** The incident. */
  case: LinkedRecord | null
  /** Its title. */
  subject: string | null
  /** When it was created, as ISO 8601 in UTC. */
  createdOn: string | null
  /** The system user who serves it or did last. */
  agentId: string | null
}

/**
 * Criteria of {@link OmnichannelClient.getConversations}. A conversation must meet all that are given. `timeoutInMs` is the time for each step
 * from one page to the next one that is not empty.
 */
export interface ConversationQuery extends ReadOptions {
  /** The system user who serves them or did last (`msdyn_activeagentid`). */
  agentId?: string | undefined
  /** The record that is linked to them. A record that does not exist is linked to none. */
  record?: RecordReference | undefined
  /**
   * Only conversations in one of these statuses; at least one, and at most 100 different ones.
   * @default every status
   */
  statuses?: ConversationStatus[] | undefined
  /** Only conversations that were created at least so many days ago. */
  createdBeforeDays?: number | undefined
  /**
   * The order, each property once; ties are broken by id.
   * @default [{ property: 'createdOn', descending: true }]
   */
  orderBy?: {
    /** Statuses are in the order of their numbers. */
    property: 'createdOn' | 'status' | 'subject'
    /** @default false */
    descending?: boolean | undefined
  }[] | undefined
  /**
   * At most so many.
   * @default all
   */
  top?: number | undefined
}

/** What {@link OmnichannelClient.verify} found. */
export interface Verification {
  /** Whether the slot is as the outcome says: it holds the record, or what was kept; after an unlink, it does not hold the record. */
  stands: boolean
  /** What the slot holds now. */
  current: LinkedRecord | null
  /** The conversation's status now. */
  conversationStatus: ConversationStatus
  /** Who was asked. */
  store: StoreName
}

/** What {@link OmnichannelClient.verify} takes. */
export type VerifiableOutcome = LinkOutcome | UnlinkOutcome

/** Which conversation {@link OmnichannelClient.waitForConversation} waits for. All that is given must fit. */
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
