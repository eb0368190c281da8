// A library without Node's and DOM's types that passes signals on.
import type { LinkOutcome, OmnichannelClient } from 'omnichannel-link'

export const link = (client: OmnichannelClient, recordId: string, signal: AbortSignal): Promise<LinkOutcome> =>
  client.linkToConversation('contact', recordId, null, { signal })
