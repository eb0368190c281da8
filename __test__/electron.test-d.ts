// Valid and invalid uses of the page's functions and the Electron kit in the typings. Compiled, never run: `npm run types`.
import { createOmnichannel } from 'omnichannel-link'
import type { ConversationFocus, Omnichannel, OmnichannelClient, OmnichannelConversation, OmnichannelFailure, OmnichannelQuery, OmnichannelRecord, OmnichannelSuccess } from 'omnichannel-link'
import { serveOmnichannel } from 'omnichannel-link/electron'
import type { IpcMain, WebContents } from 'omnichannel-link/electron'
import type { OmnichannelMicrosoft } from 'omnichannel-link/preload'

declare const client: OmnichannelClient
declare const Microsoft: OmnichannelMicrosoft
declare const ipcMain: IpcMain<Contents>
/** Like Electron's, with more than the kit needs. */
interface Contents extends WebContents {
  readonly mainFrame: Frame
  reload(): void
}
declare const contents: Contents
const id = '6b726d86-d37c-43b8-b3a4-c4056ddd2e07'

// The documentation's script in a TypeScript page.
export const documented = () => Microsoft.Omnichannel.linkToConversation('incident', id, id).then(
  (response: OmnichannelSuccess) => Microsoft.Apm.refreshTab(response.liveWorkItemId),
  (error: OmnichannelFailure) => console.log(error.error.code === 'NOT_LINKED', error.error.hint)
)

export async function facade() {
  const page: Omnichannel = createOmnichannel(client)
  const focus: ConversationFocus = client
  createOmnichannel(client, focus)
  const focused: string = await page.getConversationId()
  const records: OmnichannelRecord[] = await page.getLinkedRecords()
  await page.openConversation(focused, null, id)
  const query: OmnichannelQuery = { agentId: id, status: [2, '3'], attributes: ['subject'], orderBy: [{ attributeName: 'createdon' }] }
  const rows: OmnichannelConversation[] = (await page.getConversations(query, 'correlation')).result.value
  const label: string | undefined = rows[0]?.['statuscode@OData.Community.Display.V1.FormattedValue']
  // @ts-expect-error: the page's functions have no options
  await page.linkToConversation('incident', id, id, { timeoutInMs: 5 })
  // @ts-expect-error: leads cannot be linked
  await page.unlinkFromConversation('lead', id)
  // @ts-expect-error: the query is required
  await page.getConversations({})
  // @ts-expect-error: conversations cannot be ordered by agent
  await page.getConversations({ agentId: id, orderBy: [{ attributeName: 'msdyn_activeagentid' }] })
  // @ts-expect-error: a client is required
  createOmnichannel()
  return [records, label]
}

export function shell() {
  const service = serveOmnichannel<Contents>({
    ipcMain, client, allow: ['app://desktop'], forwardEvents: true,
    onRefreshTab: (_tabId, contents) => contents.reload(), onOpenConversation: (id, contents) => contents.send('opened', id)
  })
  service.focus(contents, null)
  service.getWindows(id).forEach(contents => contents.reload())
  const focused: string | null = service.getConversationId(contents)
  serveOmnichannel({ ipcMain, client, allow: frame => frame.origin === 'app://desktop' }).close()
  // @ts-expect-error: allowed origins are required
  serveOmnichannel({ ipcMain, client })
  // @ts-expect-error: origins are a list
  serveOmnichannel({ ipcMain, client, allow: 'app://desktop' })
  // @ts-expect-error: unknown option
  serveOmnichannel({ ipcMain, client, allow: [], origins: [] })
  // @ts-expect-error: a number is not a window
  service.focus(5, id)
  return focused
}

/** Like Electron's; its `ipcMain` has typed windows. */
declare const electron: {
  handle(channel: string, listener: (event: { sender: Contents, senderFrame: Frame | null, frameId: number }, ...args: any[]) => (Promise<any>) | (any)): void
  handleOnce(channel: string): void
  removeHandler(channel: string): void
}
/** Like Electron's. */
interface Frame {
  readonly origin: string
  readonly url: string
}
declare const browserWindow: { readonly webContents: Contents, isDestroyed(): boolean, once(event: 'closed', listener: () => void): unknown }

export function program() {
  const service = serveOmnichannel({
    ipcMain: electron, client, allow: frame => new URL(frame.url).host === 'desktop', onRefreshTab: (_tabId, contents) => contents.reload()
  })
  service.focus(browserWindow.webContents, id)
  service.getWindows(id).forEach(contents => contents.reload())
  // @ts-expect-error: the window's contents are required
  service.focus(browserWindow, id)
  // @ts-expect-error: a number is not a window
  service.getConversationId(5)
}
