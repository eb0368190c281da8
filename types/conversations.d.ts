// Conversations, and the queries that find them.

import type { ConversationStatus, ReadOptions, RecordReference, StoreName } from './calls'
import type { LinkOutcome, UnlinkOutcome } from './outcomes'

/** A record in a slot, with its name if the store knows it. */
export interface LinkedRecord extends RecordReference {
  /** The name of the account or contact, or the title of the incident; null if the store does not know it. */
  name: string | null
}

/** A conversation and the records linked to it. */
export interface Conversation {
  /** GUID in lower case, without braces. */
  conversationId: string
  /** Its status when it was read. */
  status: ConversationStatus
  /** The linked account or contact. */
  customer: LinkedRecord | null
  /** The linked incident. */
  case: LinkedRecord | null
  /** Its title. */
  subject: string | null
  /** Creation time, as ISO 8601 in UTC. */
  createdOn: string | null
  /** The system user who serves it, or served it last (`msdyn_activeagentid`). */
  agentId: string | null
}

/**
 * Criteria of {@link OmnichannelClient.getConversations}; a conversation must meet all of them. `timeoutInMs` limits the time until the next
 * conversations arrive, not that of the whole list.
 */
export interface ConversationQuery extends ReadOptions {
  /** The system user who serves the conversation, or served it last (`msdyn_activeagentid`). */
  agentId?: string | undefined
  /** The record that is linked to it. */
  record?: RecordReference | undefined
  /**
   * Statuses that match: at least one, and at most 100 different ones.
   * @default every status
   */
  statuses?: ConversationStatus[] | undefined
  /** Minimum age in days. */
  createdBeforeDays?: number | undefined
  /**
   * Order of the results, each property once. Ties are broken by id.
   * @default [{ property: 'createdOn', descending: true }]
   */
  orderBy?: {
    /** Statuses are ordered by their numbers. */
    property: 'createdOn' | 'status' | 'subject'
    /** @default false */
    descending?: boolean | undefined
  }[] | undefined
  /**
   * Maximum number of results.
   * @default unlimited
   */
  top?: number | undefined
}

/** Criteria of {@link OmnichannelClient.waitForConversation}; a conversation must meet all of them. */
export interface WaitOptions extends ReadOptions {
  /** The system user who serves the conversation. */
  agentId?: string | undefined
  /** The record that is linked to it. */
  record?: RecordReference | undefined
  /**
   * Earliest creation time, by the server's clock, to the second. Pass the time when a call arrived to ignore older
   * conversations of the agent. Subtract a margin, such as half a minute: the clocks may differ, and the server may have learnt of the call before
   * your program did.
   * @default any time
   */
  createdAfter?: Date | undefined
  /**
   * Statuses that match.
   * @default ['active']
   */
  statuses?: ConversationStatus[] | undefined
  /**
   * Milliseconds until the wait ends with `TIMEOUT`; more than 0 and at most 2147483647. A last poll is made at that time, and may take a
   * second.
   * @default 60000
   */
  timeoutInMs?: number | undefined
  /** Ends the wait; the promise then rejects with `signal.reason`. */
  signal?: AbortSignal | undefined
}

/** Result of {@link OmnichannelClient.verify}. */
export interface Verification {
  /**
   * Whether the slot is as the outcome states: it holds the record that was linked or kept; after an unlink, it does not hold the record.
   */
  stands: boolean
  /** Content of the slot now. */
  current: LinkedRecord | null
  /** The conversation's status now. */
  conversationStatus: ConversationStatus
  /** The store that was read. */
  store: StoreName
}

/** An outcome that {@link OmnichannelClient.verify} accepts. */
export type VerifiableOutcome = LinkOutcome | UnlinkOutcome
