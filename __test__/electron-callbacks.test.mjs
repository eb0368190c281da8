// Failing functions of the program in the Electron kit, and what pages see of them.
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { test } from 'node:test'
import { runInNewContext } from 'node:vm'
import { LinkError } from 'omnichannel-link'
import { ORIGIN, shell } from './support/electron.mjs'
import { refused } from './support/expect.mjs'
import { conversation } from './support/sample.mjs'

/** Values that a program can throw, with `secret` in them. */
const secret = 'what only the program may know'
const thrown = {
  'an Error': new TypeError(secret),
  'an Error of another realm': runInNewContext(`new Error('${secret}')`),
  'a LinkError': LinkError.fromJSON({ code: 'CONFLICT', message: secret }),
  'a failure object of a page': { error: LinkError.fromJSON({ code: 'CONFLICT', message: 'x' }), secret },
  'an object': { secret },
  'a string': secret
}

for (const [what, value] of Object.entries(thrown)) {
  test(
    `${what} thrown by a callback or the client becomes a warning in the program and does not reach pages`,
    { timeout: 60_000 },
    async t => {
      const client = { linkToConversation: () => Promise.reject(value), getConversation: async conversationId => ({ conversationId }) }
      const fail = () => {
        throw value
      }
      const isIt = ([warning]) =>
        assert.ok((warning === value || warning.cause === value) && !(warning !== value && warning.stack.includes(secret)))
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
    }
  )
}

const disposed = () => {
  throw new Error('Render frame was disposed before WebFrameMain could be accessed')
}
const crashed = {
  'a window that crashed': [
    [ORIGIN],
    window =>
      (window.frame = window.mainFrame =
        {
          get origin() {
            return disposed()
          }
        })
  ],
  'a window whose frames throw': [
    [ORIGIN],
    window => ['frame', 'mainFrame'].forEach(name => Object.defineProperty(window, name, { get: disposed }))
  ],
  'an allow function that throws': [
    frame => new URL(frame.url).host === 'desktop',
    window => (window.frame = window.mainFrame = { url: '' })
  ]
}
for (const [what, [allow, damage]] of Object.entries(crashed)) {
  test(`${what} gets no events and responses, and the others do`, { timeout: 60_000 }, async t => {
    const client = Object.assign(new EventEmitter(), { linkToConversation() {} })
    const { one, other, focus } = shell(t, client, { forwardEvents: true, allow })
    for (const window of [one, other]) {
      focus(window.webContents, conversation)
      window.frame = window.mainFrame = { origin: ORIGIN, url: `${ORIGIN}/` }
      window.run(`addEventListener('omnichannel-link', event => seen.push(event.detail.type))`)
    }
    damage(one)
    client.emit('linked', { conversationId: conversation })
    assert.equal((await refused(one.run('Microsoft.Omnichannel.getConversationId()'))).error.code, 'FORBIDDEN')
    await other.run('Microsoft.Omnichannel.getConversationId()')
    assert.deepEqual(
      [one, other].map(window => window.run('seen.length')),
      [0, 1]
    )
  })
}
