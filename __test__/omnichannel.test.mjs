// Scripts for the agent's page, run in Node: the documentation's scripts, and the results of the page's functions.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import { runInThisContext } from 'node:vm'
import { LinkError, OmnichannelClient, createOmnichannel } from 'omnichannel-link'
import { afterwards } from './support/afterwards.mjs'
import { GUID, throws } from './support/expect.mjs'
import { link, unlink } from './support/page-scripts.mjs'
import { account, closedConversation, contact, conversation, emptyConversation, incident, missingId } from './support/sample.mjs'
import { emptyEmbedded, stores } from './support/stores.mjs'

const agent = 'c2dd22d0-9d47-4799-8d95-355c298bd4f2'

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

/** The reason of a rejected promise. */
const refused = promise =>
  promise.then(
    value => assert.fail(`resolved with ${inspect(value)}`),
    failure => failure
  )

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

    test('conversations of an agent come with the columns of the page', { timeout: 60_000 }, async t => {
      const { getConversations } = createOmnichannel((await open(t)).client)
      const input = {
        attributes: ['subject', 'msdyn_customer', 'msdyn_issueid', 'msdyn_title'],
        agentId: agent,
        status: [2, '3'],
        orderBy: [{ attributeName: 'createdon', descending: true }]
      }
      const { status, result } = await getConversations(input, 'correlation')
      assert.equal(status, true)
      assert.equal(result.value.length, 14)
      assert.deepEqual(
        result.value.map(row => row.createdon),
        result.value
          .map(row => row.createdon)
          .sort()
          .toReversed()
      )
      const row = result.value.find(row => row.activityid === conversation)
      assert.deepEqual(row, {
        activityid: conversation,
        msdyn_ocliveworkitemid: conversation,
        statuscode: 2,
        'statuscode@OData.Community.Display.V1.FormattedValue': 'Active',
        createdon: '2025-11-19T15:03:42Z',
        subject: 'Visitor 17',
        _msdyn_customer_value: account.recordId,
        '_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname': 'account',
        '_msdyn_customer_value@OData.Community.Display.V1.FormattedValue': 'Fabrikam Coffee'
      })
      assert.deepEqual((await getConversations({ agentId: agent, createdBeforeDays: 20_000 })).result.value, [])
      const everything = await getConversations({ agentId: agent, createdBeforeDays: 0 })
      assert.equal(everything.result.value.length, 21)
      assert.deepEqual(await getConversations({ agentId: agent, status: [] }), everything)
      assert.deepEqual(Object.keys(everything.result.value[0]).sort(), [
        'activityid',
        'createdon',
        'msdyn_ocliveworkitemid',
        'statuscode',
        'statuscode@OData.Community.Display.V1.FormattedValue'
      ])
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

test('other errors, also of the client, come before a missing focus', { timeout: 60_000 }, async t => {
  const { client } = emptyEmbedded(t)
  const failed = []
  client.on('failed', ({ error, conversationId }) => failed.push([error.code, conversationId]))
  const nowhere = { getConversationId: () => null, openConversation() {} }
  const codes = async ({ linkToConversation, unlinkFromConversation, getLinkedRecords }) => {
    const calls = [
      linkToConversation('lead', incident.recordId),
      unlinkFromConversation('incident', 'x'),
      linkToConversation('incident', incident.recordId),
      getLinkedRecords()
    ]
    return (await Promise.all(calls.map(refused))).map(({ error }) => error.code)
  }
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
    throws(() => createOmnichannel(client), 'INVALID_ARGUMENT', /^`client`: expected an OmnichannelClient, got \w+\.$/)
  const { client } = emptyEmbedded(t)
  for (const focus of [null, {}, conversation, { getConversationId: () => null }]) {
    throws(() => createOmnichannel(client, focus), 'INVALID_ARGUMENT', /^`focus`: expected an object with getConversationId/)
  }
})

test('an invalid query is rejected before anything is read', { timeout: 60_000 }, async t => {
  const { getConversations } = createOmnichannel(emptyEmbedded(t).client)
  for (const [input, message] of [
    [undefined, /^Missing key "agentId" in input object$/],
    [{ agentId: '' }, /^Missing key "agentId" in input object$/],
    [{ agentId: 'x' }, /`input\.agentId`: expected a GUID/],
    [{ agentId: { a: 1 } }, /`input\.agentId`/],
    [
      {
        get agentId() {
          throw new Error('a getter')
        }
      },
      /^`input` cannot be read\.$/
    ],
    [{ agentId: agent, attributes: [{ toString: 5 }] }, /^`input` cannot be read\.$/],
    [{ agentId: agent, status: 3 }, /`input\.status`: expected an array, got 3/],
    [{ agentId: agent, status: [2, 'active'] }, /`input\.status\[1\]`: expected a whole number, got string/],
    [{ agentId: agent, status: [Symbol('active')] }, /`input\.status\[0\]`.*symbol/],
    [{ agentId: agent, status: ['9'.repeat(1000)] }, /`input\.status\[0\]`/],
    [{ agentId: agent, status: [['3']] }, /`input\.status\[0\]`/],
    [{ agentId: agent, status: Array.from({ length: 101 }, () => 2) }, /`input\.status`: expected at most 100 entries, got 101/],
    [{ agentId: agent, attributes: Array.from({ length: 1e6 }) }, /`input\.attributes`: expected at most 100 entries/],
    [{ agentId: agent, createdBeforeDays: -1 }, /`input\.createdBeforeDays`: expected a whole number, got -1/],
    [{ agentId: agent, createdBeforeDays: 'week' }, /`input\.createdBeforeDays`/],
    [
      { agentId: agent, orderBy: [{ attributeName: 'createdon', descending: 'yes' }] },
      /`input\.orderBy\[0\]\.descending`: expected true or false/
    ],
    [{ agentId: agent, attributes: 'subject' }, /`input\.attributes`/],
    [
      { agentId: agent, orderBy: [{ attributeName: 'constructor' }] },
      /`input\.orderBy\[0\]\.attributeName`: .*createdon, statuscode, subject/
    ],
    [{ agentId: agent, orderBy: [null] }, /`input\.orderBy\[0\]\.attributeName`/]
  ]) {
    const { status, error } = await refused(getConversations(input))
    assert.equal(status, false)
    assert.equal(error.code, 'INVALID_ARGUMENT')
    assert.match(error.message, message)
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

test('a query is translated to the options of the client', async () => {
  const asked = []
  const client = Object.assign(Object.create(OmnichannelClient.prototype), {
    getConversations: query => {
      asked.push(query)
      return []
    }
  })
  const { getConversations } = createOmnichannel(client)
  const orderBy = [
    { attributeName: 'statuscode', descending: true },
    { attributeName: 'subject', descending: 'false' },
    { attributeName: 'createdon' },
    { attributeName: 'subject', descending: 'true' }
  ]
  await getConversations({
    agentId: `{${agent.toUpperCase()}}`,
    status: ['3', 5],
    createdBeforeDays: '2',
    orderBy,
    attributes: null,
    top: 9,
    timeoutInMs: 1
  })
  await getConversations({ agentId: agent, status: null, orderBy: null, createdBeforeDays: null })
  assert.deepEqual(asked, [
    {
      agentId: agent,
      statuses: [3, 5],
      createdBeforeDays: 2,
      top: 5000,
      orderBy: [
        ['status', true],
        ['subject', false],
        ['createdOn', false],
        ['subject', true]
      ].map(([property, descending]) => ({ property, descending }))
    },
    { agentId: agent, top: 5000 }
  ])
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
