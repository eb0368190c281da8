// Reading conversations and what is linked to them; part of index.d.ts.

import type { CallOptions, ConversationStatus, LinkOutcome, RecordReference, StoreName, UnlinkOutcome } from './index'

/** A record that a slot holds, with its name if the store knows it. */
export interface LinkedRecord extends RecordReference {
  /** The account's or contact's name or the case's title; null if the store does not know it. */
  name: string | null
}

/** What is linked to a conversation. */
export interface LinkedRecords {
  /** GUID in lower case, without braces. */
  conversationId: string
  /** Its status when it was read. */
  status: ConversationStatus
  /** The account or contact. */
  customer: LinkedRecord | null
  /** The incident. */
  case: LinkedRecord | null
}

/** A conversation. */
export interface Conversation extends LinkedRecords {
  /** Its title. */
  subject: string | null
  /** When it was created, as ISO 8601 in UTC. */
  createdOn: string | null
  /** The system user who serves it or did last. */
  agentId: string | null
}

/** What every reading call takes. */
export interface ReadOptions extends CallOptions {
  /** Dataverse: on whose behalf; see `ConversationCallOptions.callerObjectId`. */
  callerObjectId?: string | undefined
  /** A W3C `traceparent`, passed on to Dataverse. */
  traceparent?: string | undefined
}

/**
 * Which conversations {@link OmnichannelClient.getConversations} and {@link OmnichannelClient.findConversations} give. All that is given
 * must fit. `timeoutInMs` is that of each step from one page to the next non-empty one; with `findConversations`, of the whole.
 */
export interface ConversationQuery extends ReadOptions {
  /** The system user who serves them or did last (`msdyn_activeagentid`). */
  agentId?: string | undefined
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
