// An agent desktop: the main process, and a page that finds `Microsoft`.
import { OmnichannelClient } from 'omnichannel-link'
import { serveOmnichannel } from 'omnichannel-link/electron'
import type { IpcMain, OmnichannelService, WebContents } from 'omnichannel-link/electron'
import type { OmnichannelMicrosoft } from 'omnichannel-link/preload'

export function serve(ipcMain: IpcMain, window: WebContents): OmnichannelService<WebContents> {
  const service = serveOmnichannel<WebContents>({
    ipcMain, client: new OmnichannelClient(), allow: ['app://desktop'], onRefreshTab: (tabId, contents) => contents.send('refresh', tabId)
  })
  service.focus(window, 'b7397aae-ecf8-43a6-aeb0-07d294efb494')
  return service
}

declare const Microsoft: OmnichannelMicrosoft

export async function onPage(): Promise<void> {
  await Microsoft.Omnichannel.linkToConversation('incident', '6b726d86-d37c-43b8-b3a4-c4056ddd2e07')
  await Microsoft.Apm.refreshTab('tab-id-3')
}
