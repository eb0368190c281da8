// The exports of the addon that lib/ uses, for type checks of lib/ itself. Not part of the public API. src/node/ defines them.

import type { Conversation, DiagnosisReport, ImportSummary, LinkedRecord, StoreName, Verification } from '../index'

/** The options of a call, then its cancellation. */
type CallArguments = unknown[]

/** The last argument is not given: these functions take no options. */
type ChangeFunction = (entityLogicalName: unknown, recordId: unknown, conversationId: unknown, none: undefined | null) => Promise<string>

/** A client in the addon. The promises reject with an `Error` that call.js turns into a `LinkError`; a cancelled call rejects with null. */
export class Client {
  /** `rest` is the credential function, the proxy function and Node's `process`. */
  constructor(options?: object, ...rest: unknown[])
  static buildProfile(): 'debug' | 'release'
  static flushLog(): void
  /** Resolves with the string that outcome.js reads. */
  link(entityLogicalName: unknown, recordId: unknown, conversationId?: unknown, ...rest: CallArguments): Promise<string>
  unlink(entityLogicalName: unknown, recordId: unknown, conversationId?: unknown, ...rest: CallArguments): Promise<string>
  linkFunction(): ChangeFunction
  unlinkFunction(): ChangeFunction
  readConversation(conversationId: unknown, ...rest: CallArguments): Promise<Conversation>
  listConversations(query: unknown, continuation?: object, cancellation?: Cancellation): Promise<{ conversations: Conversation[], continuation?: object }>
  findRecord(entityLogicalName: unknown, key: unknown, ...rest: CallArguments): Promise<LinkedRecord>
  verify(outcome: unknown, ...rest: CallArguments): Promise<Verification>
  importRecords(path?: string, page?: string, options?: object, onProgress?: Function, cancellation?: Cancellation): Promise<ImportSummary>
  diagnose(...rest: CallArguments): Promise<DiagnosisReport>
  openConversation(conversationId: unknown): void
  focusConversation(conversationId: unknown): void
  closeConversation(conversationId: unknown): void
  getConversationId(): string | null
  observe(publish?: Function): void
  store(): StoreName
  implicitStoreHint(): string | null
  close(): Promise<void>
}

/** Cancels the call that it was passed to. */
export class Cancellation {
  cancel(): void
}
