// Scripts for the agent's page, run in Node: the documentation's scripts, and the results of the page's functions.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import { runInThisContext } from 'node:vm'
import { LinkError, OmnichannelClient, createOmnichannel } from 'omnichannel-link'
import { afterwards } from './support/afterwards.mjs'
import { GUID, refused, throws } from './support/expect.mjs'
import { link, unlink } from './support/page-scripts.mjs'
import { account, closedConversation, contact, conversation, emptyConversation, incident, missingId } from './support/sample.mjs'
import { emptyEmbedded, stores } from './support/stores.mjs'

/** Runs a script like the page, with this `Microsoft`. `printed` is its log. */
async function run(t, script, Microsoft) {
  const printed = []
  t.mock.method(console, 'log', (...values) => printed.push(...values))
  globalThis.Microsoft = Microsoft
  afterwards(t, () => delete globalThis.Microsoft)
  await runInThisContext(script)
  t.mock.restoreAll()
  return printed
}

/** A failure in the page's form, with an error of this code. */
function isFailure({ error, ...failure }, code, expected) {
  assert.ok(error instanceof LinkError, inspect(error))
  assert.equal(error.code, code)
  assert.deepEqual(failure, {
    status: 'failure',
    currentReqId: error.requestId ?? '',
    additionalDetails: {},
    message: error.message,
    ...expected
  })
}

for (const [name, open] of Object.entries(stores)) {
  describe(name, () => {
    test("the documentation's scripts run unchanged", { timeout: 60_000 }, async t => {
      const { client, read } = await open(t)
      const refreshed = []
      const Microsoft = { Omnichannel: createOmnichannel(client), Apm: { refreshTab: tab => refreshed.push(tab) } }
      assert.deepEqual(await run(t, link, Microsoft), [])
      assert.deepEqual(await run(t, unlink, Microsoft), [])
      assert.deepEqual(refreshed, ['tab-id-3', 'tab-id-3'])
      const [failure] = await run(t, unlink, Microsoft)
      assert.equal(failure.error.code, 'NOT_LINKED')
      assert.equal(refreshed.length, 2)
      await run(t, link, Microsoft)
      assert.deepEqual(await read(conversation), { customer: account, case: incident })
    })

    test('changes resolve with the success object of the product', { timeout: 60_000 }, async t => {
      const { linkToConversation, unlinkFromConversation } = createOmnichannel((await open(t)).client)
      for (const [call, message] of [
        [linkToConversation, 'Linking successful'],
        [unlinkFromConversation, 'UnLinking successful']
      ]) {
        const { currentReqId, additionalDetails, ...success } = await call(
          'contact',
          contact.recordId.toUpperCase(),
          `{${emptyConversation}}`
        )
        assert.match(currentReqId, GUID)
        assert.deepEqual(success, {
          entityLogicalName: 'contact',
          recordId: contact.recordId.toUpperCase(),
          liveWorkItemId: emptyConversation,
          message,
          status: 'success'
        })
        const { outcome, ...details } = additionalDetails
        assert.deepEqual(details, { liveWorkItemId: emptyConversation, recordGuid: contact.recordId.toUpperCase() })
        assert.deepEqual([outcome.store, outcome.record, outcome.requestId], [name, contact, currentReqId])
      }
    })

    test('changes reject with the failure object of the product, which has the error', { timeout: 60_000 }, async t => {
      const { linkToConversation, unlinkFromConversation } = createOmnichannel((await open(t)).client)
      const linking = { component: 'linkRecordToConversation', functionName: 'linkToConversation API' }
      const failure = await refused(linkToConversation('incident', incident.recordId, closedConversation))
      const additionalDetails = { recordGuid: incident.recordId, liveWorkItemId: closedConversation }
      isFailure(failure, 'CONVERSATION_NOT_ACTIVE', { ...linking, additionalDetails })
      assert.match(failure.currentReqId, GUID)
      assert.equal(failure.error.conversationStatus, 'closed')
      assert.match(inspect(failure), /functionName: 'linkToConversation API'[\s\S]*LinkError[\s\S]*CONVERSATION_NOT_ACTIVE/)
      isFailure(await refused(unlinkFromConversation('incident', incident.recordId, emptyConversation)), 'NOT_LINKED', {
        component: 'unlinkRecordFromConversation',
        functionName: 'unlinkFromConversation API',
        additionalDetails: { ...additionalDetails, liveWorkItemId: emptyConversation }
      })
      isFailure(await refused(linkToConversation('incident', null, emptyConversation)), 'INVALID_ARGUMENT', {
        ...linking,
        message: 'Missing required Parameters',
        additionalDetails: { recordGuid: null, liveWorkItemId: emptyConversation }
      })
      isFailure(await refused(linkToConversation('lead', incident.recordId, emptyConversation)), 'INVALID_ARGUMENT', {
        ...linking,
        additionalDetails: { ...additionalDetails, liveWorkItemId: emptyConversation }
      })
    })

    test('without a conversation the focused one is used', { timeout: 60_000 }, async t => {
      const client = (await open(t)).client
      const { getConversationId, getLinkedRecords, linkToConversation, openConversation } = createOmnichannel(client)
      const { currentReqId: _, ...opened } = await openConversation(emptyConversation.toUpperCase(), 'a session', 'a workstream')
      assert.deepEqual(opened, {
        entityLogicalName: '',
        recordId: 'a session',
        liveWorkItemId: emptyConversation,
        message: 'Conversation opened',
        status: 'success',
        additionalDetails: { sessionId: 'a session', liveWorkStreamId: 'a workstream' }
      })
      assert.equal(await getConversationId(), emptyConversation)
      assert.equal(client.getConversationId(), emptyConversation)
      assert.deepEqual(await getLinkedRecords(), [])
      const linking = linkToConversation('incident', incident.recordId)
      client.openConversation(conversation)
      assert.equal((await linking).liveWorkItemId, emptyConversation, 'the focus of the moment of the call counts')
      const { additionalDetails } = await refused(linkToConversation('incident', missingId))
      assert.deepEqual(additionalDetails, { recordGuid: missingId, liveWorkItemId: conversation })
      assert.deepEqual(await getLinkedRecords(), [{ entityName: 'account', recordId: account.recordId }])
      await linkToConversation('incident', incident.recordId)
      assert.deepEqual(await getLinkedRecords(), [
        { entityName: 'account', recordId: account.recordId },
        { entityName: 'incident', recordId: incident.recordId }
      ])
    })

    test('a conversation that does not exist is not opened', { timeout: 60_000 }, async t => {
      const client = (await open(t)).client
      const { openConversation } = createOmnichannel(client)
      const expected = { component: 'openConversation', functionName: 'openConversation API' }
      const details = { sessionId: undefined, liveWorkStreamId: undefined }
      isFailure(await refused(openConversation(missingId)), 'CONVERSATION_NOT_FOUND', {
        ...expected,
        additionalDetails: { ...details, liveWorkItemId: missingId }
      })
      isFailure(await refused(openConversation()), 'INVALID_ARGUMENT', {
        ...expected,
        message: 'Missing required Parameters',
        additionalDetails: { ...details, liveWorkItemId: undefined }
      })
      assert.equal(client.getConversationId(), null)
    })

    test('of several openings in progress, the last one is focused', { timeout: 60_000 }, async t => {
      const client = (await open(t)).client
      const { openConversation } = createOmnichannel(client)
      const opening = [conversation, closedConversation, emptyConversation].map(id => openConversation(id))
      assert.deepEqual(
        (await Promise.all(opening)).map(success => success.liveWorkItemId),
        [conversation, closedConversation, emptyConversation]
      )
      assert.equal(client.getConversationId(), emptyConversation)
      assert.deepEqual(
        await Promise.all([openConversation(conversation), refused(openConversation(missingId)), refused(openConversation('x'))]).then(
          ends => ends.map(({ status }) => status)
        ),
        ['success', 'failure', 'failure']
      )
      assert.equal(client.getConversationId(), conversation)
      const late = openConversation(conversation)
      client.openConversation(closedConversation)
      assert.equal((await late).status, 'success')
      assert.equal(client.getConversationId(), closedConversation)
    })
  })
}

test('without a focused conversation the functions fail like in the page', { timeout: 60_000 }, async t => {
  const { getConversationId, getLinkedRecords, linkToConversation } = createOmnichannel(emptyEmbedded(t).client)
  for (const [call, component] of [
    [getConversationId, 'getConversationId'],
    [getLinkedRecords, 'getLinkedRecords']
  ]) {
    isFailure(await refused(call()), 'NO_FOCUSED_CONVERSATION', {
      component,
      functionName: `${component} API`,
      message: "Couldn't fetch LiveWorkItemId from session context"
    })
  }
  const missing = await refused(linkToConversation('incident'))
  assert.deepEqual(
    [missing.error.code, missing.error.hint],
    ['INVALID_ARGUMENT', 'Needed: `recordId`.'],
    'what is wrong anyway comes first'
  )
  const { message, error } = await refused(linkToConversation('incident', incident.recordId))
  assert.equal(message, "Couldn't fetch LiveWorkItemId from session context")
  assert.equal(error.code, 'NO_FOCUSED_CONVERSATION')
})

/** The codes of the errors of four calls. */
const codes = async ({ linkToConversation, unlinkFromConversation, getLinkedRecords }) => {
  const calls = [
    linkToConversation('lead', incident.recordId),
    unlinkFromConversation('incident', 'x'),
    linkToConversation('incident', incident.recordId),
    getLinkedRecords()
  ]
  return (await Promise.all(calls.map(refused))).map(({ error }) => error.code)
}

test('other errors, also of the client, come before a missing focus', { timeout: 60_000 }, async t => {
  const { client } = emptyEmbedded(t)
  const failed = []
  client.on('failed', ({ error, conversationId }) => failed.push([error.code, conversationId]))
  const nowhere = { getConversationId: () => null, openConversation() {} }
  const pages = [createOmnichannel(client), createOmnichannel(client, nowhere)]
  const expected = ['INVALID_ARGUMENT', 'INVALID_ARGUMENT', 'NO_FOCUSED_CONVERSATION']
  for (const page of pages) {
    assert.deepEqual(await codes(page), [...expected, 'NO_FOCUSED_CONVERSATION'])
    assert.deepEqual(
      failed.splice(0).toSorted(),
      expected.map(code => [code, null])
    )
  }
  client.openConversation(conversation)
  assert.equal(
    (await refused(pages[1].linkToConversation('incident', incident.recordId))).error.code,
    'NO_FOCUSED_CONVERSATION',
    "never the client's own"
  )
  client.closeConversation(conversation)
  await client.close()
  for (const page of pages) assert.deepEqual(await codes(page), ['INVALID_ARGUMENT', 'INVALID_ARGUMENT', 'CLOSED', 'CLOSED'])
})

test('an invalid client or focus is rejected at once', { timeout: 60_000 }, t => {
  for (const client of [undefined, null, {}, 'x', 5])
    throws(() => createOmnichannel(client), 'INVALID_ARGUMENT', /^`client`: expected an OmnichannelClient, got [\w ]+\.$/)
  const { client } = emptyEmbedded(t)
  for (const focus of [null, {}, conversation, { getConversationId: () => null }]) {
    throws(() => createOmnichannel(client, focus), 'INVALID_ARGUMENT', /^`focus`: expected an object with getConversationId/)
  }
})

test('a slow response does not move the focus back', async () => {
  const lookups = new Map()
  const client = {
    linkToConversation() {},
    getConversation: conversationId => new Promise(resolve => lookups.set(conversationId, () => resolve({ conversationId })))
  }
  const opened = []
  const { openConversation } = createOmnichannel(client, {
    getConversationId: () => opened.at(-1) ?? null,
    openConversation: id => opened.push(id)
  })
  const [slow, fast] = [openConversation('slow'), openConversation('fast')]
  lookups.get('fast')()
  await fast
  lookups.get('slow')()
  await slow
  assert.deepEqual(opened, ['fast'])
})

test('an unexpected error becomes INTERNAL with its cause', async () => {
  const defect = new TypeError('secret')
  const client = Object.assign(Object.create(OmnichannelClient.prototype), {
    linkToConversation: async () => {
      throw defect
    }
  })
  const failure = await refused(createOmnichannel(client).linkToConversation('incident', incident.recordId, conversation))
  assert.equal(failure.error.code, 'INTERNAL')
  assert.equal(failure.error.cause, defect)
  assert.doesNotMatch(failure.message, /secret/)
})
