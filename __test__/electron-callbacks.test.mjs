// What the program's own functions do to the Electron kit when they fail, and what pages learn of it.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { runInNewContext } from 'node:vm'
import { LinkError } from 'omnichannel-link'
import { refused, shell } from './support/electron.mjs'
import { conversation } from './support/sample.mjs'

/** Whatever a program can throw, with `secret` somewhere in it. */
const secret = 'what only the program may know'
const thrown = {
  'an Error': new TypeError(secret),
  'an Error of another realm': runInNewContext(`new Error('${secret}')`),
  'a LinkError': LinkError.fromJSON({ code: 'CONFLICT', message: secret }),
  'a failure of a page': { error: LinkError.fromJSON({ code: 'CONFLICT', message: 'x' }), secret },
  'an object': { secret },
  'a text': secret
}

for (const [what, value] of Object.entries(thrown)) {
  test(`${what} that a callback or the client throws stays in the program, as a warning`, { timeout: 60_000 }, async t => {
    const client = { linkToConversation: () => Promise.reject(value), getConversation: async conversationId => ({ conversationId }) }
    const fail = () => {
      throw value
    }
    const isIt = ([warning]) => assert.ok((warning === value || warning.cause === value) && !(warning !== value && warning.stack.includes(secret)))
    for (const onRefreshTab of [fail, async () => fail()]) {
      const { one, ...service } = shell(t, client, { onRefreshTab, onOpenConversation: onRefreshTab })
      let warned = once(process, 'warning')
      const failure = await refused(one.run('Microsoft.Apm.refreshTab("tab-id-3")'))
      isIt(await warned)
      assert.deepEqual([failure.functionName, failure.error.code, failure.error.cause], ['refreshTab API', 'INTERNAL', undefined])
      assert.ok(!JSON.stringify(failure).includes(secret))
      warned = once(process, 'warning')
      assert.equal((await one.run(`Microsoft.Omnichannel.openConversation('${conversation}')`)).status, 'success')
      isIt(await warned)
      assert.equal(service.getConversationId(one.webContents), conversation)
    }
    if (value instanceof LinkError) return
    const { one } = shell(t, client)
    const warned = once(process, 'warning')
    const failure = await refused(one.run(`Microsoft.Omnichannel.linkToConversation('incident', 'r', 'c')`))
    isIt(await warned)
    assert.equal(failure.error.code, 'INTERNAL')
    assert.ok(!JSON.stringify(failure).includes(secret))
  })
}
