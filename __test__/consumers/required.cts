// CommonJS in TypeScript.
import link = require('omnichannel-link')
import electron = require('omnichannel-link/electron')
import emulator = require('omnichannel-link-emulator')

export const client: link.OmnichannelClient = new link.OmnichannelClient()
export const code: link.LinkErrorCode = 'TIMEOUT'
export const serve: typeof electron.serveOmnichannel = electron.serveOmnichannel
export const start: () => Promise<emulator.Emulator> = () => emulator.startEmulator()
