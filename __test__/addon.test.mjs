// The addon alone: programs that require the `.node` file and nothing else of the package.
import assert from 'node:assert/strict'
import { copyFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startEmulator } from 'omnichannel-link-emulator'
import { folder } from './support/afterwards.mjs'
import { run } from './support/child.mjs'
import { isOutcome } from './support/expect.mjs'
import { conversation, data, emptyConversation, incident, pages } from './support/sample.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Runs a program in a folder of its own with a copy of the addon, which it has as `addon`. */
async function runWithAddon(t, code, options) {
  const cwd = folder(t)
  const file = readdirSync(root).find(name => name.endsWith('.node'))
  copyFileSync(join(root, file), join(cwd, 'addon.node'))
  const COMMONJS = join(cwd, 'addon.node')
  const files = pages.map(name => `${data}${name}.json`)
  return await run(t, `const addon = link; (async () => { ${code} })()`, {
    cwd,
    COMMONJS,
    conversation,
    emptyConversation,
    files,
    incident,
    ...options
  })
}

const importSample = `
  const client = new addon.Client({ embedded: { path: 'omnichannel-link.db' } })
  for (const file of files) await client.importRecords(file)
  await client.close()`

test('sample data is imported, linked and unlinked', { timeout: 60_000 }, async t => {
  const [linked, unlinked, ...errors] = await runWithAddon(
    t,
    `${importSample}
    const { linkToConversation, unlinkFromConversation } = addon
    const failure = promise => promise.catch(error => ({ ...error, isError: error instanceof Error, message: error.message }))
    console.log(JSON.stringify([
      await linkToConversation('incident', incident.recordId, emptyConversation),
      await unlinkFromConversation('incident', incident.recordId, emptyConversation),
      await failure(unlinkFromConversation('incident', incident.recordId, emptyConversation)),
      await failure(linkToConversation('incident', 'x', emptyConversation)),
      await failure(linkToConversation('incident', incident.recordId)),
      await failure(linkToConversation('incident', incident.recordId, emptyConversation, { dryRun: true }))
    ]))`
  )
  const rest = { conversationId: emptyConversation, record: incident, store: 'embedded' }
  isOutcome(linked, { status: 'linked', previous: null, ...rest })
  isOutcome(unlinked, { status: 'unlinked', ...rest })
  assert.deepEqual(
    errors.map(({ code, argument, isError }) => [code, argument, isError]),
    [
      ['NOT_LINKED', undefined, true],
      ['INVALID_ARGUMENT', 'recordId', true],
      ['NO_FOCUSED_CONVERSATION', undefined, true],
      ['INVALID_ARGUMENT', 'options', true]
    ]
  )
})

test('the process environment of the caller chooses the store, and a worker has its own', { timeout: 60_000 }, async t => {
  const emulator = await startEmulator({ seed: data })
  t.after(() => emulator.close())
  const { tenantId, clientId, clientSecret } = emulator.application
  const env = {
    AZURE_TENANT_ID: tenantId,
    AZURE_CLIENT_ID: clientId,
    AZURE_CLIENT_SECRET: clientSecret,
    AZURE_AUTHORITY_HOST: emulator.url
  }
  const [refused, main, worker] = await runWithAddon(
    t,
    `
    const { Worker } = require('node:worker_threads')
    const { once } = require('node:events')
    process.env.DATAVERSE_URL = 'not a URL'
    const refused = await addon.linkToConversation('incident', incident.recordId, conversation).catch(({ code, argument }) => [code, argument])
    process.env.DATAVERSE_URL = url
    const { store } = await addon.linkToConversation('incident', incident.recordId, conversation)
    delete process.env.DATAVERSE_URL
    const code = \`require('node:worker_threads').parentPort.postMessage(null)
      require(\${JSON.stringify(COMMONJS)}).linkToConversation('incident', '\${incident.recordId}', '\${conversation}')
        .catch(({ code, store }) => require('node:worker_threads').parentPort.postMessage([code, store]))\`
    const worker = new Worker(code, { eval: true })
    const messages = []
    worker.on('message', message => messages.push(message))
    await once(worker, 'exit')
    console.log(JSON.stringify([refused, store, messages[1]]))`,
    { env, url: emulator.url }
  )
  assert.deepEqual(refused, ['INVALID_CONFIGURATION', 'DATAVERSE_URL'])
  assert.equal(main, 'dataverse')
  assert.deepEqual(worker, ['CONVERSATION_NOT_FOUND', 'embedded'])
})
