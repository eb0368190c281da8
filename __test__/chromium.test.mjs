// Scripts for the agent's page, run in a real Chromium page with the preload's functions, on both stores.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { chromium, openPage } from './support/chromium.mjs'
import { link, unlink } from './support/page-scripts.mjs'
import { account, conversation, emptyConversation, incident } from './support/sample.mjs'
import { stores } from './support/stores.mjs'

const skip = chromium ? false : 'Chromium not found: install it, or set CHROMIUM to its path'
const options = { skip, timeout: 120_000 }

for (const [name, open] of Object.entries(stores)) {
  describe(name, () => {
    test("the documentation's scripts run unchanged", options, async t => {
      const { client, read } = await open(t)
      const { run, focus } = await openPage(t, client)
      assert.deepEqual(await run(link), ['refreshTab', 'tab-id-3'])
      assert.deepEqual(await run(unlink), ['refreshTab', 'tab-id-3'])
      const [what, failure] = await run(unlink)
      assert.equal(what, 'log')
      assert.deepEqual([failure.status, failure.functionName, failure.error.code], ['failure', 'unlinkFromConversation API', 'NOT_LINKED'])
      assert.deepEqual(await run(link), ['refreshTab', 'tab-id-3'])

      focus(emptyConversation)
      const focused = link.replace(`, "${conversation}"`, '')
      assert.notEqual(focused, link)
      assert.deepEqual(await run(focused), ['refreshTab', 'tab-id-3'])
      assert.deepEqual(await run('Microsoft.Omnichannel.getConversationId().then(id => console.log(id))'), ['log', emptyConversation])
      assert.deepEqual(await read(emptyConversation), { customer: null, case: incident })
    })
  })
}

test('a page gets events of links', options, async t => {
  const { client } = await stores.embedded(t)
  const { run, focus } = await openPage(t, client)
  focus(conversation)
  assert.deepEqual(
    await run(
      `addEventListener('omnichannel-link', ({ detail }) => console.log(detail.type, detail.after.recordId)); console.log('ready')`
    ),
    ['log', 'ready']
  )
  assert.deepEqual(await run(`Microsoft.Omnichannel.linkToConversation('incident', '${incident.recordId}')`), [
    'log',
    'linked',
    incident.recordId
  ])
})

test('a page of another origin is rejected', options, async t => {
  const { client, read } = await stores.embedded(t)
  const { run } = await openPage(t, client, 'localhost')
  const [what, failure] = await run(link)
  assert.deepEqual([what, failure.error.code], ['log', 'FORBIDDEN'])
  assert.deepEqual(await read(conversation), { customer: account, case: null })
})
