// Long lists: memory stays bounded, and every outcome is true while the server fails and throttles.
import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { test } from 'node:test'
import { afterwards, folder } from './support/afterwards.mjs'
import { start } from './support/child.mjs'
import { account, contact, conversations, numbered, page } from './support/sample.mjs'
import { client, emulator } from './support/stores.mjs'

test('two hundred thousand requests in bounded memory', { timeout: 300_000 }, async t => {
  const { ended } = start(
    t,
    `
    const { setFlagsFromString } = require('node:v8')
    setFlagsFromString('--expose-gc')
    const gc = require('node:vm').runInNewContext('gc')
    const heap = () => (gc(), process.memoryUsage().heapUsed)
    const client = new link.OmnichannelClient({ embedded: { path: 'links.db' } })
    function* list(count) {
      for (let at = 0; at < count; at++) yield { ...contact, conversationId: page.value[at % page.value.length].activityid, at }
    }
    async function run(count) {
      let most = 0
      let at = 0
      for await (const { request, outcome } of client.linkMany(list(count), { signal: new AbortController().signal, onProgress() {} })) {
        if (!outcome || request.at !== at++) throw new Error('result ' + at)
        if (at % 50_000 === 0) most = Math.max(most, heap())
      }
      if (at !== count) throw new Error(at + ' results')
      return most
    }
    (async () => {
      for (const records of [page, contacts]) await client.importRecords(records)
      await run(50_000)
      const before = heap()
      console.log(JSON.stringify({ growth: await run(200_000) - before }))
      await client.close()
    })()`,
    { cwd: folder(t), contact, page: conversations(1000), contacts: page('contacts', { contactid: contact.recordId }) }
  )
  const { code, stdout, stderr } = await ended
  assert.equal(code, 0, stderr)
  // A hundred bytes per request would be 20 MB.
  assert.ok(JSON.parse(stdout).growth < 5e6, stdout)
})

test('two thousand outcomes are true with one percent faults and a server that throttles', { timeout: 120_000 }, async t => {
  const count = 1000
  const seed = [conversations(count), page('contacts', { contactid: contact.recordId }), page('accounts', { accountid: account.recordId })]
  const server = await emulator(t, seed)
  const { url, credential } = server
  const store = client(t, { dataverse: { url, credential, retryOptions: { retryDelayInMs: 1 }, maxConcurrency: 2 } })
  const faults = [
    { kind: 'drop' },
    { kind: 'drop', commit: true },
    { kind: 'status', status: 503 },
    { kind: 'status', status: 502, body: 'html', commit: true },
    { kind: 'throttle', limit: 'concurrency', retryAfterInSeconds: 0 },
    { kind: 'truncate' },
    { kind: 'writer', when: 'before', changes: { subject: 'Touched' } }
  ]
  // Each throttled request lengthens the pause by a second. Two at once keep it short.
  await server.faults.random({ seed: 7, rate: 0.01, faults })
  await server.faults.conditions({ limits: { requests: 2500, windowInMs: 1000 } })
  // Move the server's clock when the client begins to wait.
  let throttled = 0
  const advance = ({ delayInMs }) => {
    // Not for random faults, which have no Retry-After.
    if (delayInMs < 1000) return
    throttled++
    server.clock.advance(delayInMs)
  }
  subscribe('omnichannel-link:throttle', advance)
  afterwards(t, () => unsubscribe('omnichannel-link:throttle', advance))

  // Each conversation twice: the account replaces the contact.
  const list = Array.from({ length: 2 * count }, (_, at) => ({ ...(at < count ? contact : account), conversationId: numbered(at % count) }))
  const expected = new Map()
  const doubtful = new Set()
  let succeeded = 0
  let found = 0
  for await (const { request, outcome, error } of store.linkMany(list)) {
    if (outcome) {
      succeeded++
      if (!doubtful.has(request.conversationId)) {
        // A link from a cached row that loses its response finds its own write.
        const isFound = expected.has(request.conversationId) && outcome.status === 'alreadyLinked'
        if (isFound) found++
        else assert.equal(outcome.status, expected.has(request.conversationId) ? 'replaced' : 'linked')
      }
      doubtful.delete(request.conversationId)
      expected.set(request.conversationId, request.recordId)
    } else if (error.maybeApplied) {
      doubtful.add(request.conversationId)
    }
  }
  const requests = await server.requests()
  const met = new Set(requests.map(({ status, fault }) => fault ?? status))
  const lost = requests.filter(({ method, fault }) => method === 'PATCH' && ['drop', 'status', 'truncate'].includes(fault))
  assert.ok(found <= lost.length, `${found} found, ${lost.length} lost`)
  await server.faults.clear()
  const answer = await fetch(`${url}/api/data/v9.2/msdyn_ocliveworkitems?$select=_msdyn_customer_value`, {
    headers: { authorization: `Bearer ${credential}` }
  })
  const rows = (await answer.json()).value
  assert.equal(rows.length, count)
  for (const { activityid, _msdyn_customer_value: held } of rows) {
    if (!doubtful.has(activityid)) assert.equal(held, expected.get(activityid) ?? null)
  }
  // 429 of the limits. The random 429 counts as a fault.
  assert.ok(throttled > 0 && met.has(429) && met.has('throttle') && met.has('drop'), [...met].join())
  assert.ok(succeeded > 0.98 * list.length)
})
