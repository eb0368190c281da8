// `getConversations` of the page's `Microsoft.Omnichannel`: its query and its rows.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { OmnichannelClient, createOmnichannel } from 'omnichannel-link'
import { refused } from './support/expect.mjs'
import { account, conversation } from './support/sample.mjs'
import { emptyEmbedded, stores } from './support/stores.mjs'

const agent = 'c2dd22d0-9d47-4799-8d95-355c298bd4f2'

for (const [name, open] of Object.entries(stores)) {
  describe(name, () => {
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
    [{ agentId: agent, status: [2, 'active'] }, /`input\.status\[1\]`: expected a whole number, got a string/],
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
