// `Microsoft.Omnichannel` of the agent's page, over a client.

import type { EntityLogicalName } from './calls'
import type { OmnichannelClient } from './client'
import type { LinkErrorJson } from './errors'
import type { LinkOutcome, UnlinkOutcome } from './outcomes'

/**
 * Creates `Microsoft.Omnichannel` as scripts of the agent's page know it, over a client. It resolves and rejects with the same objects as the
 * product's own script, so such scripts run in Node:
 *
 * ```js
 * globalThis.Microsoft = { Omnichannel: createOmnichannel(client), Apm: { refreshTab } }
 * ```
 *
 * In TypeScript, declare it with `declare global { var Microsoft: OmnichannelMicrosoft }`; the type is in `omnichannel-link/preload`.
 * `refreshTab(tabId)` is a function of your program, which shows the link, as on the page.
 *
 * The functions need no `this`. Use the client itself for options and everything else that the page does not have.
 *
 * @param focus returns the conversation for calls without an id, at the time of the call; by default the client's focused one. Needed if one
 * client serves several windows
 * @throws {LinkError} `INVALID_ARGUMENT`
 */
export function createOmnichannel(client: OmnichannelClient, focus?: ConversationFocus): Omnichannel

/** Holder of a focused conversation. Every {@link OmnichannelClient} is one. */
export interface ConversationFocus {
  /** Returns the id of the focused conversation. */
  getConversationId(): string | null
  /** Focuses a conversation that exists. The id is in lower case, without braces. */
  openConversation(conversationId: string): void
}

/** Functions of the page. All but {@link Omnichannel.getConversations} reject with an {@link OmnichannelFailure}. */
export interface Omnichannel {
  /** See {@link OmnichannelClient.linkToConversation}. */
  linkToConversation(entityLogicalName: EntityLogicalName, recordId: string, conversationId?: string | null): Promise<OmnichannelSuccess>
  /** See {@link OmnichannelClient.unlinkFromConversation}. */
  unlinkFromConversation(entityLogicalName: EntityLogicalName, recordId: string, conversationId?: string | null): Promise<OmnichannelSuccess>
  /**
   * Returns the id of the focused conversation. If there is none, rejects with the message
   * `Couldn't fetch LiveWorkItemId from session context`.
   */
  getConversationId(): Promise<string>
  /** Returns the records that are linked to the focused conversation. */
  getLinkedRecords(): Promise<OmnichannelRecord[]>
  /**
   * Focuses a conversation, which must exist. The success object has its id as `liveWorkItemId`. The latest request wins, and so does a focus
   * change that is made while the conversation is read.
   * @param sessionId returned in the success object; this package has no sessions, so it is not compared with the conversation's
   * @param liveWorkStreamId the same
   */
  openConversation(conversationId: string, sessionId?: string | null, liveWorkStreamId?: string | null): Promise<OmnichannelSuccess>
  /**
   * Returns the conversations of an agent, at most 5000. Rejects with an {@link OmnichannelQueryFailure}.
   * @param correlationId for the product's telemetry; ignored here
   */
  getConversations(input: OmnichannelQuery, correlationId?: string): Promise<OmnichannelQueryResult>
}

/** Result of a function that changes something. */
export interface OmnichannelSuccess {
  /** The argument of the call; empty after `openConversation`. */
  entityLogicalName: string
  /** The argument of the call; after `openConversation` the id of the session. */
  recordId: string | null | undefined
  /** The conversation, also if it was the focused one. */
  liveWorkItemId: string
  /** A message for people. */
  message: 'Linking successful' | 'UnLinking successful' | 'Conversation opened'
  /** Distinguishes it from a failure. */
  status: 'success'
  /** The details of the product's own object, and the client's outcome. */
  additionalDetails: {
    /** The conversation; after a link or unlink. */
    liveWorkItemId?: string
    /** The record; after a link or unlink. */
    recordGuid?: string
    /** The outcome of the client's call; after a link or unlink. */
    outcome?: LinkOutcome | UnlinkOutcome
    /** The argument of `openConversation`. */
    sessionId?: string | null
    /** The argument of `openConversation`. */
    liveWorkStreamId?: string | null
  }
  /** The id that the client gave the call. */
  currentReqId: string
}

/** Reason of a rejection. A plain object, not an `Error`, as on the page. */
export interface OmnichannelFailure {
  /** The product's name of the part that failed, such as `linkRecordToConversation`. */
  component: string
  /** Distinguishes it from a success. */
  status: 'failure'
  /** The function: `linkToConversation API`, for example. */
  functionName: string
  /**
   * `Missing required Parameters` if an argument is null or missing, `Couldn't fetch LiveWorkItemId from session context` if no conversation is
   * focused, otherwise the message of `error`.
   */
  message: string
  /** The id that the client gave the call; empty if it made none. */
  currentReqId: string
  /** The arguments, by the product's names. */
  additionalDetails: Record<string, unknown>
  /** The error: switch on its `code`. A `LinkError`, or its plain data in a page of the Electron kit. */
  error: LinkErrorJson
}

/** A linked record. */
export interface OmnichannelRecord {
  /** The table. */
  entityName: EntityLogicalName
  /** GUID in lower case, without braces. */
  recordId: string
}

/** Query of `getConversations`. Its arrays may have at most 100 entries. */
export interface OmnichannelQuery {
  /** The system user who serves the conversations, or served them last. */
  agentId: string
  /**
   * Attributes besides `msdyn_ocliveworkitemid`, `statuscode` and `createdon`: `subject`, `msdyn_customer`, `msdyn_issueid` and
   * `msdyn_activeagentid` are known. Unknown ones are left out of the rows, as the page leaves out empty ones; so are the workstream and the
   * last session, which the page returns in any case.
   */
  attributes?: readonly string[] | null | undefined
  /**
   * Values of `statuscode`, as numbers or strings.
   * @default every status
   */
  status?: readonly (number | string)[] | null | undefined
  /** Order of the results. */
  orderBy?: readonly {
    /** The column. */
    attributeName: 'createdon' | 'statuscode' | 'subject'
    /** @default false */
    descending?: boolean | 'true' | 'false' | undefined
  }[] | null | undefined
  /** Only conversations that were created at least this many days ago, as a number or a string; 0 is no condition. */
  createdBeforeDays?: number | string | null | undefined
}

/** Result of `getConversations`. */
export interface OmnichannelQueryResult {
  /** Distinguishes it from a failure. */
  status: true
  /** A list, wrapped as in the Web API. */
  result: {
    /** The conversations. */
    value: OmnichannelConversation[]
  }
}

/** Reason of a rejection of `getConversations`. */
export interface OmnichannelQueryFailure {
  /** Distinguishes it from a result. */
  status: false
  /** The error: switch on its `code`. A `LinkError`, or its plain data in a page of the Electron kit. */
  error: LinkErrorJson
}

/** A conversation by its columns, with the annotations of the Web API. Empty columns are left out. */
export interface OmnichannelConversation {
  /** Its id. */
  activityid: string
  /** Its id again. */
  msdyn_ocliveworkitemid: string
  /** Its status: 2 is active. */
  statuscode: number
  /** Creation time, as ISO 8601 in UTC. */
  createdon?: string
  /** Its title. */
  subject?: string
  /** The account or contact. */
  _msdyn_customer_value?: string
  /** The incident. */
  _msdyn_issueid_value?: string
  /** The system user who serves it, or served it last. */
  _msdyn_activeagentid_value?: string
  /** Annotations, such as `_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname`. */
  [annotation: `${string}@${string}`]: string | undefined
}
