/**
 * The page's half of the Electron kit. The preload script has no exports: set a window's `webPreferences.preload` to its path,
 * `require.resolve('omnichannel-link/preload')`, and pages find `Microsoft`. It works in sandboxed windows with context isolation, which are
 * Electron's defaults.
 *
 * @module omnichannel-link/preload
 */

import type { Omnichannel } from '../index'

/** Type of the page's `globalThis.Microsoft`; declare it with `declare const Microsoft: OmnichannelMicrosoft`. */
export interface OmnichannelMicrosoft {
  /** The page's functions, which the main process executes. */
  readonly Omnichannel: Omnichannel
  /** The part of the product's Application Profile Manager that links need. */
  readonly Apm: {
    /** Calls the program's `onRefreshTab`, and resolves when that has finished. */
    refreshTab(tabId: string): Promise<void>
  }
}
