// The preload script has no exports: its path goes into a window's `webPreferences.preload`, and pages find `Microsoft`. It works in
// sandboxed windows with context isolation, which are Electron's defaults.

import type { Omnichannel } from '../index'

/** What a page finds as `globalThis.Microsoft`; declare it with `declare const Microsoft: PageMicrosoft`. */
export interface PageMicrosoft {
  readonly Omnichannel: Omnichannel
  readonly Apm: {
    /** Calls the program's `onRefreshTab`; resolves when that is done. */
    refreshTab(tabId: string): Promise<void>
  }
}
