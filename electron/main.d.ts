/**
 * The main-process half of the Electron kit: `require('omnichannel-link/electron')`.
 *
 * @module omnichannel-link/electron
 */
import type { OmnichannelClient } from '../index'

/** The part of Electron's `ipcMain` that this kit uses. `Contents` is Electron's `WebContents`. */
export interface IpcMain<Contents extends WebContents = WebContents> {
  /** Handles what pages `invoke`. */
  handle(channel: string, listener: (event: InvokeEvent<Contents>, ...values: any[]) => unknown): void
  /** Removes the handler. */
  removeHandler(channel: string): void
}

/** The part of an `IpcMainInvokeEvent` that this kit uses. */
export interface InvokeEvent<Contents extends WebContents = WebContents> {
  /** The calling window. */
  readonly sender: Contents
  /** The calling frame in it. */
  readonly senderFrame: Contents['mainFrame'] | null
}

/** The part of a `WebFrameMain` that this kit uses. */
export interface Frame {
  /** Its origin, as Chromium writes it. */
  readonly origin: string
}

/** The part of a window's `webContents` that this kit uses. */
export interface WebContents {
  /** The frame of the window's page. */
  readonly mainFrame: Frame
  /** Whether the window is destroyed. */
  isDestroyed(): boolean
  /** Listens for its destruction. */
  once(event: 'destroyed', listener: () => void): unknown
  /** Sends a message to the page. */
  send(channel: string, ...values: any[]): void
}

/** Options of {@link serveOmnichannel}. `Contents` is Electron's `WebContents`, inferred from `ipcMain`. */
export interface ServeOptions<Contents extends WebContents = WebContents> {
  /** Electron's `ipcMain`. */
  ipcMain: IpcMain<Contents>
  /** The client that all windows share. The client, its token and its options stay in the main process. */
  client: OmnichannelClient
  /**
   * Pages that may call: origins as Chromium writes them (`https://agent.contoso.com`, `app://desktop`, `file://`), or a function that gets the
   * calling frame, an Electron `WebFrameMain`, and returns true. Every call is checked; calls of other pages reject with `FORBIDDEN`. A
   * function that throws, as the accessors of a frame do after its window crashed, denies the call.
   */
  allow: readonly string[] | ((frame: Contents['mainFrame']) => boolean)
  /**
   * Implements `Microsoft.Apm.refreshTab(tabId)`; the page's promise waits for it. Without it that call rejects.
   *
   * An error that a callback throws or rejects with becomes a warning of the process (`process.on('warning')`), or the `cause` of one if it
   * is not an `Error`; the page learns only that `onRefreshTab` failed.
   */
  onRefreshTab?: ((tabId: string | null | undefined, webContents: Contents) => unknown) | undefined
  /** Called after a page has opened a conversation with `Microsoft.Omnichannel.openConversation` and its window has focused it. */
  onOpenConversation?: ((conversationId: string, webContents: Contents) => unknown) | undefined
  /**
   * Whether pages receive events: each `linked`, `replaced`, `unlinked` and `failed` event of the client is dispatched as an event
   * `omnichannel-link` on `window`, in the windows that have its conversation focused. Its `detail` has the data and the `type` of the event.
   * @default false
   */
  forwardEvents?: boolean | undefined
}

/** The service that {@link serveOmnichannel} returns, for the desktop program. */
export interface OmnichannelService<Contents extends WebContents = WebContents> {
  /**
   * Focuses a conversation in one window, given by its `webContents`; null removes the focus. A window starts without a focus, keeps it when it
   * navigates, and is forgotten when it is destroyed. Whether the conversation exists is not checked. A conversation that the page asked to
   * open earlier no longer changes the focus.
   * @throws {LinkError} `INVALID_ARGUMENT`
   */
  focus(webContents: Contents, conversationId: string | null): void
  /**
   * The conversation that is focused in a window.
   * @throws {LinkError} `INVALID_ARGUMENT`
   */
  getConversationId(webContents: Contents): string | null
  /**
   * The windows in which a conversation is focused: those to refresh after an event that a link of it has changed.
   * @throws {LinkError} `INVALID_ARGUMENT`
   */
  getWindows(conversationId: string): Contents[]
  /** Stops handling calls. Calls in progress finish; the client stays open. */
  close(): void
}

/**
 * Handles the calls of pages that have the preload script `omnichannel-link/preload`. Call it once, in the main process.
 *
 * Each window has its own focused conversation, which a call without a conversation id uses; the focus at the time of the call counts.
 * Pages can pass ids only: they cannot choose a window or pass options. They receive plain data; an error has the form that
 * `LinkError.prototype.toJSON` returns. Pages do not have the class: they switch on `failure.error.code`. Other Node processes can turn
 * it back into an error with `LinkError.fromJSON`.
 *
 * @throws {LinkError} `INVALID_CONFIGURATION`, naming the option, or if this `ipcMain` is already in use
 */
export function serveOmnichannel<Contents extends WebContents = WebContents>(options: ServeOptions<Contents>): OmnichannelService<Contents>
