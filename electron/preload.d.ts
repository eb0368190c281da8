/**
 * The page's half of the kit for Electron. The preload script has no exports: its path, `require.resolve('omnichannel-link/preload')`, goes
 * into a window's `webPreferences.preload`, and pages find `Microsoft`. It works in sandboxed windows with context isolation, which are
 * Electron's defaults.
 *
 * @module omnichannel-link/preload
 */

import type { Omnichannel } from '../index'

/** What a page finds as `globalThis.Microsoft`; declare it with `declare const Microsoft: OmnichannelMicrosoft`. */
export interface OmnichannelMicrosoft {
  /** The page's functions, answered by the main process. */
  readonly Omnichannel: Omnichannel
  /** What the product calls the Application Profile Manager, as far as links need it. */
  readonly Apm: {
    /** Calls the program's `onRefreshTab`; resolves when that is done. */
    refreshTab(tabId: string): Promise<void>
  }
}
