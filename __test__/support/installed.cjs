// A program that uses the installed packages: links on both stores, with the addon and the emulator of this platform.
const { mkdtempSync, rmSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { dirname, join } = require('node:path')
const { OmnichannelClient } = require('omnichannel-link')
const { startEmulator } = require('omnichannel-link-emulator')

const contact = '2d9f1c55-7b0a-4a9b-8f2e-0e4a7c1f9b10'
const conversation = 'b7397aae-ecf8-43a6-aeb0-07d294efb494'
const data = join(dirname(require.resolve('omnichannel-link/package.json')), 'examples/data')

async function link(options, pages) {
  const client = new OmnichannelClient(options)
  for (const page of pages) await client.importRecords(join(data, `${page}.json`))
  const { status } = await client.linkToConversation('contact', contact, conversation, { signal: AbortSignal.timeout(60_000) })
  for await (const { conversationId } of client.getConversations({ top: 1 })) if (!conversationId) throw new Error('no conversation')
  await client.close()
  return status
}

async function main() {
  const folder = mkdtempSync(join(tmpdir(), 'omnichannel-link-'))
  const { url, credential, close } = await startEmulator({ seed: data })
  const embedded = await link({ embedded: { path: join(folder, 'links.db') } }, [
    'accounts',
    'contacts',
    'incidents',
    'msdyn_ocliveworkitems'
  ])
  const dataverse = await link({ dataverse: { url, credential } }, [])
  await close()
  rmSync(folder, { recursive: true, force: true })
  console.log(embedded, dataverse)
}
main()
