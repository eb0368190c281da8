// A program that prints everything it can get, on both streams: every error, outcome and message of each call.
import { subscribe } from 'node:diagnostics_channel'
import { inspect } from 'node:util'
import { OmnichannelClient } from 'omnichannel-link'

const conversation = 'b7397aae-ecf8-43a6-aeb0-07d294efb494'
const incident = '6b726d86-d37c-43b8-b3a4-c4056ddd2e07'
const show = value => console.log(inspect(value, { depth: Infinity, showHidden: true, maxStringLength: Infinity }))

for (const name of ['request', 'retry', 'throttle']) subscribe(`omnichannel-link:${name}`, show)
process.on('warning', show)

/** Makes a client with these options, makes every call, and prints the results. */
async function tell(options) {
  try {
    const client = new OmnichannelClient({
      dataverse: { retryOptions: { retryDelayInMs: 1, maxRetries: 0 }, ...options },
      timeoutInMs: 20_000
    })
    show(client)
    const calls = [
      () => client.linkToConversation('incident', incident, conversation),
      () => client.unlinkFromConversation('incident', incident, conversation),
      () => client.getConversation(conversation),
      () => client.getConversations().next(),
      () => client.getConversations({ record: { entityLogicalName: 'incident', recordId: incident } }).next(),
      () => client.findRecord('account', { accountnumber: 'A-1' }),
      () => client.diagnose()
    ]
    for (const call of calls) {
      const outcome = await call().catch(error => error)
      show(outcome)
      show(`${outcome.stack} ${JSON.stringify(outcome)} ${outcome.cause}`)
    }
    await client.close()
  } catch (error) {
    show(error)
  }
}

const { url, token, clientSecret, proxy, runs } = JSON.parse(process.env.INDISCREET)
const application = { tenantId: 'contoso.com', clientId: 'app', clientSecret, authorityHost: url }
for (let run = 0; run < runs; run++) {
  await tell({ url, credential: token, retryOptions: { retryDelayInMs: 1, maxRetries: run % 2 } })
  await tell({ url, credential: async () => token })
  await tell({ url, credential: application })
}
await tell({
  url,
  credential: async () => {
    throw new Error(`the vault says ${token}`)
  }
})
await tell({ url, credential: async () => ({ tokn: token }) })
await tell({ url, credential: `${token}\n` })
await tell({ url, credential: { ...application, tenantId: 7, secret: clientSecret } })
await tell({
  url: 'https://dataverse.contoso.example',
  credential: { ...application, authorityHost: 'https://login.contoso.example' },
  proxy
})
await tell({ url, credential: token, proxy })
await tell({ url: 'https://dataverse.contoso.example', credential: token, proxy: async () => proxy })
await tell({ url: 'https://dataverse.contoso.example', credential: token, proxy: proxy.replace('http:', 'socks5:') })
await tell({
  url: 'https://dataverse.contoso.example',
  credential: token,
  proxy: async () => {
    throw new Error(`not ${proxy}`)
  }
})
