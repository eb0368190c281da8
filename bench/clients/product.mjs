// This product, from the checkout in `from`. Warm: it remembers the row of each lane's conversation. Cold: each link has a new conversation.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { conversation } from '../wire.mjs'

/** The class of the client. Throws if the addon is not a release build. */
export function load(from) {
  const require = createRequire(pathToFileURL(join(from, 'index.js')))
  const profile = require('./lib/binding.js').Client.buildProfile()
  if (profile !== 'release') throw new Error(`${from} has a ${profile} build; only a release build is measured`)
  return require('./index.js').OmnichannelClient
}

function ensureWritten({ status }) {
  if (status !== 'linked' && status !== 'replaced') throw new Error(`nothing was written: ${status}`)
}

export function open({ from, url, certificate, inFlight, mode, firstConversation, contacts }) {
  const OmnichannelClient = load(from)
  const client = new OmnichannelClient({ dataverse: { url, credential: 'token', caCertificates: certificate, proxy: 'DIRECT' } })
  const link = async (conversationId, contact) => ensureWritten(await client.linkToConversation('contact', contact, conversationId))

  let next = firstConversation
  const linkNew = (_, contact) => link(conversation(next++), contact)

  /** One endless list over the same conversations, with as many items in flight as it allows. */
  async function linkMany(meter) {
    let isOver = false
    function* items() {
      for (let at = 0; ; at++) {
        if (isOver) return
        const conversationId = conversation(firstConversation + (at % inFlight))
        yield { entityLogicalName: 'contact', recordId: contacts[Math.floor(at / inFlight) % 2], conversationId }
      }
    }
    for await (const { outcome, error } of client.linkMany(items())) {
      if (error) throw error
      ensureWritten(outcome)
      isOver = !meter.record(null)
    }
  }

  return { link: mode === 'cold' ? linkNew : link, run: mode === 'many' ? linkMany : undefined, close: () => client.close() }
}
