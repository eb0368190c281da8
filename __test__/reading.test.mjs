// Conversations and lists of conversations on both stores, compared with the sample data.
import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { dirname } from 'node:path'
import { describe, test } from 'node:test'
import { all } from './support/all.mjs'
import { rejects } from './support/expect.mjs'
import {
  account,
  contact,
  conversation,
  danglingConversation,
  emptyConversation,
  incident,
  missingContact,
  missingId,
  names,
  numbered,
  page,
  rows
} from './support/sample.mjs'
import { json, serve } from './support/server.mjs'
import { client, emptyEmbedded, filesOf, stores } from './support/stores.mjs'

const STATUSES = { 1: 'open', 2: 'active', 3: 'waiting', 4: 'closed', 5: 'wrapUp', 6: 'resolved', 7: 'scheduled' }
const TABLE = 'Microsoft.Dynamics.CRM.lookuplogicalname'

const linked = (recordId, entityLogicalName) => recordId && { entityLogicalName, recordId, name: names.get(recordId) ?? null }

/** The expected form of a row of the sample data. */
function shown(row) {
  return {
    conversationId: row.activityid,
    status: STATUSES[row.statuscode] ?? row.statuscode,
    customer: linked(row._msdyn_customer_value, row['_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname']),
    case: linked(row._msdyn_issueid_value, 'incident'),
    subject: row.subject ?? null,
    createdOn: row.createdon,
    agentId: row._msdyn_activeagentid_value
  }
}

/** The sort key of Dataverse, which ignores case. Ids break ties, in an order that depends on the store. */
const by =
  (...keys) =>
  (a, b) => {
    for (const [key, sign] of keys) {
      const [left, right] = [a, b].map(row => (typeof row[key] === 'string' ? row[key].toLowerCase() : row[key]))
      if (left !== right) return left < right ? -sign : sign
    }
    return 0
  }
const newestFirst = by(['createdon', -1])
const known = rows.msdyn_ocliveworkitems

/** All linked to `account`, every second one active; more than one page. */
const manyConversations = {
  ...page('msdyn_ocliveworkitems'),
  value: Array.from({ length: 300 }, (_, number) => ({
    ...liveWorkItem(number),
    createdon: new Date(1.7e12 + number * 1000).toISOString()
  }))
}

function liveWorkItem(number) {
  const [customer, agent] = ['_msdyn_customer_value', '_msdyn_activeagentid_value']
  return {
    activityid: numbered(number),
    statecode: 0,
    statuscode: number % 2 ? 3 : 2,
    [customer]: account.recordId,
    [`${customer}@${TABLE}`]: 'account',
    _msdyn_issueid_value: null,
    [agent]: missingId,
    [`${agent}@${TABLE}`]: 'systemuser'
  }
}

const linkTo = ({ headers }, page) => `http://${headers.host}/api/data/v9.2/msdyn_ocliveworkitems?page=${page}`

/** The conversation without the names of records that do not exist: only a server may still know those. */
function withKnownNames(found, expected) {
  const named = slot => (found[slot] && expected[slot]?.name === null ? { ...found[slot], name: null } : found[slot])
  return { ...found, customer: named('customer'), case: named('case') }
}

/** The same conversations in a valid order, with any order of ties. */
function same(actual, expected, order) {
  assert.deepEqual(new Set(actual.map(({ conversationId }) => conversationId)), new Set(expected.map(({ activityid }) => activityid)))
  const byId = new Map(expected.map(row => [row.activityid, row]))
  const inOrder = actual.map(({ conversationId }) => byId.get(conversationId))
  for (let index = 1; index < inOrder.length; index++) assert.ok(order(inOrder[index - 1], inOrder[index]) <= 0, `row ${index}`)
  for (const found of actual) {
    const expected = shown(byId.get(found.conversationId))
    assert.deepEqual(withKnownNames(found, expected), expected)
  }
}

for (const [name, open] of Object.entries(stores)) {
  describe(name, () => {
    test('a conversation has its linked records and their names', async t => {
      const { client } = await open(t)
      const row = known.find(row => row._msdyn_customer_value && row._msdyn_issueid_value)
      const expected = shown(row)
      assert.deepEqual(await client.getConversation(row.activityid), expected)
      assert.deepEqual(await client.getConversation(`{${row.activityid.toUpperCase()}}`), expected)
      client.openConversation(row.activityid)
      assert.deepEqual(await client.getConversation(), expected)
      assert.ok(expected.customer.name && expected.case.name)
    })

    test('a link is visible at once; a dangling link has no name', async t => {
      const { client } = await open(t)
      const linked = client.linkToConversation('incident', incident.recordId, emptyConversation)
      const read = await client.getConversation(emptyConversation)
      assert.equal(read.case?.recordId, incident.recordId)
      assert.equal((await linked).status, 'linked')
      const { customer } = await client.getConversation(danglingConversation)
      assert.deepEqual({ ...customer, name: null }, { ...missingContact, name: null })
    })

    test('missing conversations and records are errors', async t => {
      const { client } = await open(t)
      await rejects(client.getConversation(missingId), 'CONVERSATION_NOT_FOUND')
      await rejects(client.getConversation(), 'NO_FOCUSED_CONVERSATION')
      await rejects(client.getConversation(5), 'INVALID_ARGUMENT', /`conversationId`/)
      await rejects(client.getConversation(conversation, { timeout: 5 }), 'INVALID_ARGUMENT', /unknown field `timeout`/)
      const aborted = AbortSignal.abort(new Error('enough'))
      await assert.rejects(client.getConversation(conversation, { signal: aborted }), /enough/)
    })

    test('all conversations come in pages, the newest first', async t => {
      const { client } = await open(t)
      same(await all(client.getConversations()), known, newestFirst)
    })

    test('queries filter and order', async t => {
      const { client } = await open(t)
      const agentId = 'c2dd22d0-9d47-4799-8d95-355c298bd4f2'
      const mine = known.filter(row => row._msdyn_activeagentid_value === agentId)
      same(await all(client.getConversations({ agentId })), mine, newestFirst)
      const live = mine.filter(({ statuscode }) => [2, 3].includes(statuscode))
      same(await all(client.getConversations({ agentId, statuses: ['active', 3] })), live, newestFirst)
      const orderBy = [{ property: 'status' }, { property: 'subject', descending: true }]
      same(await all(client.getConversations({ orderBy })), known, by(['statuscode', 1], ['subject', -1]))
      const times = known.map(({ createdon }) => Date.parse(createdon)).toSorted((a, b) => a - b)
      const days = Math.floor((Date.now() - times[10]) / 86_400_000)
      const old = known.filter(({ createdon }) => Date.parse(createdon) <= Date.now() - days * 86_400_000)
      assert.ok(old.length > 10 && old.length < known.length)
      same(await all(client.getConversations({ createdBeforeDays: days })), old, newestFirst)
      assert.equal((await all(client.getConversations({ top: 7 }))).length, 7)
      assert.deepEqual(await all(client.getConversations({ statuses: [99] })), [])
      // Before any conversation.
      assert.deepEqual(await all(client.getConversations({ createdBeforeDays: 36_500 })), [])
    })

    test('leaving an iteration sends no more requests', async t => {
      const { client } = await open(t)
      for await (const { conversationId } of client.getConversations({ orderBy: [] })) {
        assert.ok(conversationId)
        break
      }
    })

    test('the conversations of a record are found, without those of the same id in another table', async t => {
      const { client } = await open(t)
      const recordId = '9a5d9d54-35b8-4488-ba41-7f521af02447'
      const linked = known.filter(row => row._msdyn_customer_value === recordId)
      const entityLogicalName = linked[0]['_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname']
      assert.equal(linked.length, 3)
      same(await all(client.getConversations({ record: { entityLogicalName, recordId } })), linked, newestFirst)
      const other = entityLogicalName === 'account' ? 'contact' : 'account'
      assert.deepEqual(await all(client.getConversations({ record: { entityLogicalName: other, recordId } })), [])
      const [{ statuscode }] = linked
      const some = linked.filter(row => row.statuscode === statuscode)
      same(await all(client.getConversations({ record: { entityLogicalName, recordId }, statuses: [statuscode] })), some, newestFirst)
      assert.equal((await all(client.getConversations({ record: { entityLogicalName, recordId }, top: 2 }))).length, 2)
      await client.linkToConversation('incident', incident.recordId, emptyConversation)
      assert.deepEqual(
        (await all(client.getConversations({ record: incident }))).map(({ conversationId }) => conversationId),
        [emptyConversation]
      )
    })

    test('invalid queries are rejected by name', async t => {
      const { client } = await open(t)
      for (const [query, message] of [
        [{ agentId: 'me' }, /`options\.agentId`: expected a GUID/],
        [{ statuses: ['lost'] }, /`options\.statuses\[0\]`/],
        [{ top: 0 }, /`options\.top`/],
        [{ orderBy: [{ property: 'size' }] }, /`options\.orderBy\[0\]\.property`/],
        [{ createdBeforeDays: -1 }, /createdBeforeDays/],
        [{ agent: missingId }, /unknown field `agent`/],
        [5, /`options`/],
        [
          { orderBy: [{ property: 'status' }, { property: 'subject' }, { property: 'status', descending: true }] },
          /`options\.orderBy\[2\]`: .* once/
        ],
        ...['agentId', 'record', 'statuses', 'createdBeforeDays', 'orderBy', 'top'].map(name => [
          { [name]: null },
          new RegExp(`\`options\\.${name}\`: .* got null`)
        ])
      ])
        await rejects(client.getConversations(query).next(), 'INVALID_ARGUMENT', message)
      for (const [record, message] of [
        ['x', /`options\.record`: expected an object, got a string/],
        [{ ...account, recordId: 'x' }, /`options\.record\.recordId`: expected a GUID/],
        [{ ...account, entityLogicalName: 'lead' }, /`options\.record\.entityLogicalName`: expected 'account'/],
        [{ recordId: missingId }, /missing field/]
      ])
        await rejects(client.getConversations({ record }).next(), 'INVALID_ARGUMENT', message)
    })

    test('an invalid number is rejected with the name of the field', async t => {
      const { client } = await open(t)
      const limits = { top: 'from 1 to 4294967295', createdBeforeDays: 'of days from 0 to 4294967295' }
      for (const [name, limit] of Object.entries(limits)) {
        for (const [value, got] of [
          [-1, '-1'],
          [2 ** 32, '4294967296'],
          [1.5, '1.5'],
          [Infinity, 'Infinity'],
          [NaN, 'NaN'],
          ['3', 'string "3"']
        ]) {
          const error = await rejects(
            client.getConversations({ [name]: value }).next(),
            'INVALID_ARGUMENT',
            RegExp(`\`options.${name}\`: .*${got}.* expected a whole number ${limit}`)
          )
          assert.doesNotMatch(error.message, /u32|nonzero/)
        }
      }
      await rejects(
        client.getConversation(conversation, { timeoutInMs: Infinity }),
        'INVALID_ARGUMENT',
        /`options\.timeoutInMs`: .*Infinity, expected a number of milliseconds/
      )
    })

    test('a named record is accepted as a record', async t => {
      const { client } = await open(t)
      const { customer } = await client.getConversation(conversation)
      assert.ok(customer.name)
      const { status } = await client.linkToConversation('contact', contact.recordId, conversation, { expected: customer, dryRun: true })
      assert.equal(status, 'replaced')
      assert.deepEqual(await all(client.getConversations({ record: customer })), await all(client.getConversations({ record: account })))
      const circle = { ...account }
      circle.name = circle
      await rejects(all(client.getConversations({ record: circle })), 'INVALID_ARGUMENT', /`options\.record\.name`/)
    })

    test('statuses must not be empty, and duplicates count once', async t => {
      const { client } = await open(t)
      const list = statuses => all(client.getConversations({ statuses }))
      assert.deepEqual(await list(Array(5000).fill('active')), await list(['active']))
      await rejects(list([]), 'INVALID_ARGUMENT', /`options\.statuses`: .*omit the option/)
      await rejects(list(Array.from({ length: 101 }, (_, code) => code)), 'INVALID_ARGUMENT', /`options\.statuses`: .*100/)
    })

    test('all conversations of a record are listed unless a limit is given', async t => {
      const { client } = await open(t, [page('accounts', { accountid: account.recordId }), manyConversations])
      assert.equal((await all(client.getConversations({ record: account }))).length, 300)
      assert.equal((await all(client.getConversations({ record: account, top: 260 }))).length, 260)
      const statuses = ['active']
      const orderBy = [{ property: 'createdOn' }]
      const oldest = await all(
        client.getConversations({ record: account, agentId: missingId, statuses, createdBeforeDays: 1, orderBy, top: 2 })
      )
      assert.deepEqual(
        oldest.map(({ conversationId }) => conversationId),
        [numbered(0), numbered(2)]
      )
    })

    test('an iteration stops when aborted, and reads its query when it begins', async t => {
      const { client } = await open(t)
      for (const at of [1, 2, 10]) {
        const controller = new AbortController()
        const seen = []
        const iterate = async () => {
          for await (const { conversationId } of client.getConversations({ signal: controller.signal })) {
            if (seen.push(conversationId) === at) controller.abort(new Error('enough'))
          }
        }
        await assert.rejects(iterate(), /enough/)
        assert.equal(seen.length, at)
      }
    })

    test('changing the query object during a call has no effect', async t => {
      const { client } = await open(t, [manyConversations])
      const query = { statuses: ['active', 'waiting'], top: 280 }
      let count = 0
      for await (const { conversationId } of client.getConversations(query)) {
        assert.ok(conversationId)
        query.statuses.fill('closed')
        query.top = 3
        count++
      }
      assert.equal(count, 280)
    })

    test('a time with an offset is converted to UTC', async t => {
      const { client } = await open(t, [page('msdyn_ocliveworkitems', { ...liveWorkItem(1), createdon: '2026-11-21T12:30:00+02:30' })])
      assert.equal((await client.getConversation(numbered(1))).createdOn, '2026-11-21T10:00:00Z')
    })
  })
}

test('invalid links to the next page are not followed', { timeout: 60_000 }, async t => {
  const links = [() => 'https://evil.example/api/data/v9.2/msdyn_ocliveworkitems?x=1', ({ headers, url }) => `http://${headers.host}${url}`]
  for (const link of links) {
    const { requests, dataverse } = await serve(t, (request, response) =>
      json(response, 200, { value: [], '@odata.nextLink': link(request) })
    )
    await rejects(all(client(t, { dataverse }).getConversations({ record: account })), 'PROTOCOL', /next/)
    assert.deepEqual(requests, ['GET'])
  }
})

test('reading creates no file', async t => {
  const { client, path } = emptyEmbedded(t)
  await rejects(client.getConversation(conversation), 'CONVERSATION_NOT_FOUND')
  assert.deepEqual(await all(client.getConversations()), [])
  assert.deepEqual(await all(client.getConversations({ record: account })), [])
  assert.deepEqual(filesOf(dirname(path)), [])
})

test('a circle of pages is an error, and empty pages end at the deadline', { timeout: 60_000 }, async t => {
  const circle = await serve(t, (request, response) => {
    const number = Number(/page=(\d)/.exec(request.url)?.[1] ?? 1)
    json(response, 200, { value: [liveWorkItem(number)], '@odata.nextLink': linkTo(request, number === 2 ? 3 : 2) })
  })
  const around = client(t, { dataverse: circle.dataverse })
  await rejects(all(around.getConversations()), 'PROTOCOL', /leads back to an earlier page/)
  assert.ok(circle.requests.length < 20)
  const endless = await serve(t, (request, response, number) =>
    json(response, 200, { value: [], '@odata.nextLink': linkTo(request, number) })
  )
  const away = client(t, { dataverse: endless.dataverse })
  await rejects(away.getConversations({ timeoutInMs: 50 }).next(), 'TIMEOUT')
})

test('the timeout applies to each page', { timeout: 60_000 }, async t => {
  // Every page except the last comes at once.
  const server = await serve(t, (request, response, number) => {
    if (number < 4) json(response, 200, { value: [liveWorkItem(number)], '@odata.nextLink': linkTo(request, number) })
  })
  const ids = new Set()
  const listener = ({ requestId }) => ids.add(requestId)
  subscribe('omnichannel-link:request', listener)
  await rejects(
    all(client(t, { dataverse: server.dataverse }).getConversations({ record: account, timeoutInMs: 1000 })),
    'TIMEOUT',
    /1000 ms/
  )
  unsubscribe('omnichannel-link:request', listener)
  assert.equal(server.requests.length, 4)
  // The message of the last request may come after the rejection.
  assert.ok(ids.size >= 3)
})

test('a read waits for earlier calls and delays no later ones', { timeout: 60_000 }, async t => {
  const { client, emulator } = await stores.dataverse(t)
  await emulator.faults.add({ on: { method: 'GET' }, times: 2, fault: { kind: 'hang' } })
  const controller = new AbortController()
  const reads = [1, 2].map(() => client.getConversation(conversation, { signal: controller.signal }))
  const left = Promise.all(reads.map(read => assert.rejects(read, /enough/)))
  // Both at once.
  await emulator.faults.hanging(2)
  const linked = client.linkToConversation('contact', contact.recordId, conversation)
  const after = client.getConversation(conversation)
  assert.deepEqual((await linked).previous, account)
  assert.equal((await after).customer.recordId, contact.recordId)
  controller.abort(new Error('enough'))
  await left
})
