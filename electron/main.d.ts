/**
 * The main process's half of the kit for Electron: `require('omnichannel-link/electron')`.
 *
 * @module omnichannel-link/electron
 */
import type { OmnichannelClient } from '../index'

/** What this kit uses of Electron's `ipcMain`. `Contents` is Electron's `WebContents`. */
export interface IpcMain<Contents extends WebContents = WebContents> {
  /** Answers what pages `invoke`. */
  handle(channel: string, listener: (event: InvokeEvent<Contents>, ...values: any[]) => unknown): void
  /** Stops answering. */
  removeHandler(channel: string): void
}

/** What it uses of an `IpcMainInvokeEvent`. */
export interface InvokeEvent<Contents extends WebContents = WebContents> {
  /** The window that asks. */
  readonly sender: Contents
  /** The frame in it that asks. */
  readonly senderFrame: Contents['mainFrame'] | null
}

/** What it uses of a `WebFrameMain`. */
export interface Frame {
  /** As Chromium writes it. */
  readonly origin: string
}

/** What it uses of a window's `webContents`. */
export interface WebContents {
  /** The frame that is the window's page. */
  readonly mainFrame: Frame
  /** Whether the window is gone. */
  isDestroyed(): boolean
  /** Tells when it goes. */
  once(event: 'destroyed', listener: () => void): unknown
  /** Tells the page something. */
  send(channel: string, ...values: any[]): void
}

/** Options of {@link serveOmnichannel}. `Contents` is Electron's `WebContents`, which `ipcMain` tells. */
export interface ServeOptions<Contents extends WebContents = WebContents> {
  /** Electron's. */
  ipcMain: IpcMain<Contents>
  /** The one client of all windows. It, its token and its options stay in the main process. */
  client: OmnichannelClient
  /**
   * Whose pages may call: origins as Chromium writes them (`https://agent.contoso.com`, `app://desktop`, `file://`), or a function that
   * is given the calling frame, an Electron `WebFrameMain`, and says true. Every call is checked; others reject with `FORBIDDEN`. A function
   * that throws, as the accessors of a frame do whose window crashed, has not said true.
   */
  allow: readonly string[] | ((frame: Contents['mainFrame']) => boolean)
  /**
   * What `Microsoft.Apm.refreshTab(tabId)` does; the page's promise waits for it. Without it that call rejects.
   *
   * What a callback throws, or its promise rejects with, is a warning of the process (`process.on('warning')`), or the `cause` of one if
   * it is no `Error`; the page learns only that `onRefreshTab` failed.
   */
  onRefreshTab?: ((tabId: string | null | undefined, webContents: Contents) => unknown) | undefined
  /** Told when a page has opened a conversation with `Microsoft.Omnichannel.openConversation`, which is then its window's focused one. */
  onOpenConversation?: ((conversationId: string, webContents: Contents) => unknown) | undefined
  /**
   * Whether pages are told of links: the client's events `linked`, `replaced`, `unlinked` and `failed` become an event `omnichannel-link`
   * of `window` in the windows on whose focused conversation they happened, with the event's data and its `type` as `detail`.
   * @default false
   */
  forwardEvents?: boolean | undefined
}

/** What {@link serveOmnichannel} returns, for the shell. */
export interface OmnichannelService<Contents extends WebContents = WebContents> {
  /**
   * Focuses a conversation in one window, given by its `webContents`, or none with null. A window has no focus at first, keeps it when it navigates, and is forgotten
   * when it is destroyed. Whether the conversation exists is not checked. What a page asked to open before does not move the focus any more.
   * @throws {LinkError} `INVALID_ARGUMENT`
   */
  focus(webContents: Contents, conversationId: string | null): void
  /**
   * The conversation that is focused in a window.
   * @throws {LinkError} `INVALID_ARGUMENT`
   */
  getConversationId(webContents: Contents): string | null
  /**
   * The windows in which a conversation is focused: those to refresh when the client tells that a link of it changed.
   * @throws {LinkError} `INVALID_ARGUMENT`
   */
  getWindows(conversationId: string): Contents[]
  /** Stops answering. Calls under way are finished; the client stays open. */
  close(): void
}

/**
 * Answers the pages that have the preload script `omnichannel-link/preload`. Call it once, in the main process.
 *
 * Each window has a focused conversation of its own, and a call that names none means the one of its window at the moment when the call
 * arrives. Pages hand over ids and nothing else: they cannot name a window, nor pass options. They get plain data back; an error is what
 * `LinkError.prototype.toJSON` returns. Pages cannot have the class: they switch on `failure.error.code`. Other processes of Node can make
 * an error of it again, with `LinkError.fromJSON`.
 *
 * @throws {LinkError} `INVALID_CONFIGURATION`, naming the option, or if `ipcMain` is served already
 */
export function serveOmnichannel<Contents extends WebContents = WebContents>(options: ServeOptions<Contents>): OmnichannelService<Contents>
