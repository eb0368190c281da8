// The page's `Microsoft.Omnichannel`.

import type { EntityLogicalName } from './calls'
import type { OmnichannelClient } from './client'
import type { LinkErrorJson } from './errors'
import type { LinkOutcome, UnlinkOutcome } from './outcomes'

/**
 * `Microsoft.Omnichannel` as scripts of the agent's page know it, over a client: what it resolves and rejects with is what the
 * product's own script does. One line lets such scripts run in Node:
 *
 * ```js
 * globalThis.Microsoft = { Omnichannel: createOmnichannel(client), Apm: { refreshTab } }
 * ```
 *
 * In TypeScript `declare global { var Microsoft: OmnichannelMicrosoft }` says what it is, with the type of `omnichannel-link/preload`.
 * `refreshTab(tabId)` is the program's own: showing the link is its job, as it is the caller's on the page.
 *
 * The functions need no `this`. For everything that the page has no words for, such as options, there is the client itself.
 *
 * @param focus which conversation is meant when none is given, asked at the moment of each call; the client's focused one by default.
 * For programs in which one client serves several windows.
 * @throws {LinkError} `INVALID_ARGUMENT`
 */
export function createOmnichannel(client: OmnichannelClient, focus?: ConversationFocus): Omnichannel

/** A focused conversation. Every {@link OmnichannelClient} is one. */
export interface ConversationFocus {
  /** The focused conversation. */
  getConversationId(): string | null
  /** Focuses a conversation that exists; its id is in lower case, without braces. */
  openConversation(conversationId: string): void
}

/** The page's functions. All but {@link Omnichannel.getConversations} reject with a {@link OmnichannelFailure}. */
export interface Omnichannel {
  /** {@link OmnichannelClient.linkToConversation}. */
  linkToConversation(entityLogicalName: EntityLogicalName, recordId: string, conversationId?: string | null): Promise<OmnichannelSuccess>
  /** {@link OmnichannelClient.unlinkFromConversation}. */
  unlinkFromConversation(entityLogicalName: EntityLogicalName, recordId: string, conversationId?: string | null): Promise<OmnichannelSuccess>
  /** The focused conversation. Without one, rejects with the message `Couldn't fetch LiveWorkItemId from session context`. */
  getConversationId(): Promise<string>
  /** What is linked to the focused conversation. */
  getLinkedRecords(): Promise<OmnichannelRecord[]>
  /**
   * Focuses a conversation, which must exist. The success object has its id as `liveWorkItemId`. If another one was asked for or focused
   * while this one was looked up, that stays focused.
   * @param sessionId handed back in the success object; this package knows no sessions, so it is not compared with the conversation's
   * @param liveWorkStreamId the same
   */
  openConversation(conversationId: string, sessionId?: string | null, liveWorkStreamId?: string | null): Promise<OmnichannelSuccess>
  /**
   * The conversations of an agent, at most 5000. Rejects with a {@link OmnichannelQueryFailure}.
   * @param correlationId is for the product's telemetry; there is none here
   */
  getConversations(input: OmnichannelQuery, correlationId?: string): Promise<OmnichannelQueryResult>
}

/** What a change resolves with. */
export interface OmnichannelSuccess {
  /** As it was given; empty after `openConversation`. */
  entityLogicalName: string
  /** As it was given; after `openConversation` the session's id. */
  recordId: string | null | undefined
  /** The conversation, also when it was the focused one. */
  liveWorkItemId: string
  /** For people. */
  message: 'Linking successful' | 'UnLinking successful' | 'Conversation opened'
  /** Tells it from a failure. */
  status: 'success'
  /** What the product's own object has there, and the client's outcome. */
  additionalDetails: {
    /** The conversation; after a link or unlink. */
    liveWorkItemId?: string
    /** The record; after a link or unlink. */
    recordGuid?: string
    /** What the client's call resolved with; after a link or unlink. */
    outcome?: LinkOutcome | UnlinkOutcome
    /** As it was given to `openConversation`. */
    sessionId?: string | null
    /** As it was given to `openConversation`. */
    liveWorkStreamId?: string | null
  }
  /** The id the client gave the call. */
  currentReqId: string
}

/** What the functions reject with. A plain object, not an `Error`, as on the page. */
export interface OmnichannelFailure {
  /** The product's name of the part that failed, such as `linkRecordToConversation`. */
  component: string
  /** Tells it from a success. */
  status: 'failure'
  /** Such as `linkToConversation API`. */
  functionName: string
  /**
   * `Missing required Parameters` if one is null or missing, `Couldn't fetch LiveWorkItemId from session context` if no conversation is
   * focused, and otherwise the error's own.
   */
  message: string
  /** The id the client gave the call; empty if it made none. */
  currentReqId: string
  /** The arguments, by the product's names for them. */
  additionalDetails: Record<string, unknown>
  /** Why: switch on its `code`. A `LinkError`, or in a page of the Electron kit the plain data of one. */
  error: LinkErrorJson
}

/** What is linked. */
export interface OmnichannelRecord {
  /** Its table. */
  entityName: EntityLogicalName
  /** GUID in lower case, without braces. */
  recordId: string
}

/** What `getConversations` is asked for: lists of at most 100 entries. */
export interface OmnichannelQuery {
  /** The system user who serves them or did last. */
  agentId: string
  /**
   * Attributes besides `msdyn_ocliveworkitemid`, `statuscode` and `createdon`: `subject`, `msdyn_customer`, `msdyn_issueid` and
   * `msdyn_activeagentid` are known. Others are left out of the rows, as the page leaves out what is empty; so are
   * the workstream and the last session, which the page gives without being asked.
   */
  attributes?: readonly string[] | null | undefined
  /**
   * Values of `statuscode`, as numbers or texts.
   * @default every status
   */
  status?: readonly (number | string)[] | null | undefined
  /** The order, by any of these. */
  orderBy?: readonly {
    /** By which column. */
    attributeName: 'createdon' | 'statuscode' | 'subject'
    /** @default false */
    descending?: boolean | 'true' | 'false' | undefined
  }[] | null | undefined
  /** Only conversations that were created at least so many days ago, as a number or a text; 0 is no condition. */
  createdBeforeDays?: number | string | null | undefined
}

/** What `getConversations` resolves with. */
export interface OmnichannelQueryResult {
  /** Tells it from a failure. */
  status: true
  /** As the Web API wraps a list. */
  result: {
    /** The conversations. */
    value: OmnichannelConversation[]
  }
}

/** What `getConversations` rejects with. */
export interface OmnichannelQueryFailure {
  /** Tells it from a result. */
  status: false
  /** Why: switch on its `code`. A `LinkError`, or in a page of the Electron kit the plain data of one. */
  error: LinkErrorJson
}

/** A conversation by its columns, with the annotations of the Web API; what is empty is left out. */
export interface OmnichannelConversation {
  /** Its id. */
  activityid: string
  /** The same. */
  msdyn_ocliveworkitemid: string
  /** Its status: active is 2. */
  statuscode: number
  /** When it was created, as ISO 8601 in UTC. */
  createdon?: string
  /** Its title. */
  subject?: string
  /** The account or contact. */
  _msdyn_customer_value?: string
  /** The case. */
  _msdyn_issueid_value?: string
  /** The system user who serves it or did last. */
  _msdyn_activeagentid_value?: string
  /** Such as `_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname`. */
  [annotation: `${string}@${string}`]: string | undefined
}
