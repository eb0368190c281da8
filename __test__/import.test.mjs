// Importing pages of the Web API into the embedded store.
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { folder, workIn } from './support/afterwards.mjs'
import { rejects } from './support/expect.mjs'
import {
  account,
  contact,
  conversation,
  conversations,
  data,
  emptyConversation,
  incident,
  missingId,
  numbered,
  page,
  pages
} from './support/sample.mjs'
import { client, emptyEmbedded, emulator, readFile } from './support/stores.mjs'

const CUSTOMER = '_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname'
const samplePage = name => JSON.parse(readFileSync(join(data, `${name}.json`), 'utf8'))
const summary = (entitySet, inserted, updated, danglingLinks, moreRowsExist = false) => ({
  entitySet,
  inserted,
  updated,
  danglingLinks,
  moreRowsExist
})
const liveWorkItem = (row = {}) => page('msdyn_ocliveworkitems', { activityid: conversation, statuscode: 2, ...row })

test('a page may be a file or an object, and importing it twice changes nothing', { timeout: 60_000 }, async t => {
  const { client } = emptyEmbedded(t)
  assert.deepEqual(await client.importRecords(join(data, 'accounts.json')), summary('accounts', 90, 0, 0))
  assert.deepEqual(await client.importRecords(samplePage('accounts')), summary('accounts', 0, 90, 0))
  assert.deepEqual(await client.importRecords(samplePage('contacts')), summary('contacts', 140, 0, 0))
  assert.deepEqual(await client.importRecords(join(data, 'contacts.json')), summary('contacts', 0, 140, 0))
})

test('a relative path is resolved in the working directory', { timeout: 60_000 }, async t => {
  const { client } = emptyEmbedded(t)
  workIn(t, data)
  assert.equal((await client.importRecords('incidents.json')).inserted, 120)
})

test('pages may come in any order, and dangling links are counted', { timeout: 60_000 }, async t => {
  const states = []
  for (const order of [pages, pages.toReversed()]) {
    const { client, path } = emptyEmbedded(t)
    const summaries = []
    for (const name of order) summaries.push(await client.importRecords(join(data, `${name}.json`)))
    assert.equal(summaries.at(-1).danglingLinks, 2)
    await client.close()
    states.push([conversation, emptyConversation].map(id => readFile(path, id)))
  }
  assert.deepEqual(states[0], states[1])
  assert.deepEqual(states[0][0], { customer: account, case: null })
})

test('dangling links are counted in the whole store after the import', { timeout: 60_000 }, async t => {
  const { client } = emptyEmbedded(t)
  const both = { _msdyn_customer_value: contact.recordId, [CUSTOMER]: 'contact', _msdyn_issueid_value: incident.recordId }
  assert.equal((await client.importRecords(liveWorkItem(both))).danglingLinks, 2)
  // The same id in another table is a different record.
  assert.equal((await client.importRecords(page('accounts', { accountid: contact.recordId }))).danglingLinks, 2)
  assert.equal((await client.importRecords(page('contacts', { contactid: contact.recordId }))).danglingLinks, 1)
  assert.equal((await client.importRecords(page('incidents', { incidentid: incident.recordId }))).danglingLinks, 0)
})

test('absent columns are kept, null columns are cleared', { timeout: 60_000 }, async t => {
  const { client, path } = emptyEmbedded(t)
  await client.importRecords(
    liveWorkItem({ _msdyn_customer_value: account.recordId, [CUSTOMER]: 'account', _msdyn_issueid_value: incident.recordId })
  )
  assert.deepEqual(
    await client.importRecords(page('msdyn_ocliveworkitems', { activityid: conversation })),
    summary('msdyn_ocliveworkitems', 0, 1, 2)
  )
  await client.importRecords(page('msdyn_ocliveworkitems', { activityid: conversation, _msdyn_issueid_value: null }))
  await client.close()
  assert.deepEqual(readFile(path, conversation), { customer: account, case: null })
})

test('imports overwrite links, and links overwrite imports', { timeout: 60_000 }, async t => {
  const { client } = emptyEmbedded(t)
  await client.importRecords(liveWorkItem())
  await client.importRecords(page('accounts', { accountid: account.recordId }))
  const link = () => client.linkToConversation('account', account.recordId, conversation)
  assert.equal((await link()).status, 'linked')
  await client.importRecords(liveWorkItem({ _msdyn_customer_value: null, statuscode: 4 }))
  await rejects(link(), 'CONVERSATION_NOT_ACTIVE')
  await client.importRecords(liveWorkItem())
  assert.equal((await link()).status, 'linked')
})

test('GUIDs in a page may have any form', { timeout: 60_000 }, async t => {
  const { client } = emptyEmbedded(t)
  await client.importRecords(page('accounts', { accountid: `{${account.recordId.toUpperCase()}}` }))
  assert.equal((await client.importRecords(page('accounts', { accountid: account.recordId }))).updated, 1)
})

test('a nextLink means more rows, in a file and in an object', { timeout: 60_000 }, async t => {
  const { client } = emptyEmbedded(t)
  const first = {
    ...page('accounts', { accountid: account.recordId }),
    '@odata.nextLink': 'https://contoso.crm4.dynamics.com/api/data/v9.2/accounts?$skiptoken=1'
  }
  const path = join(folder(t), 'page.json')
  writeFileSync(path, `\ufeff${JSON.stringify(first)}`)
  assert.deepEqual(await client.importRecords(first), summary('accounts', 1, 0, 0, true))
  assert.deepEqual(await client.importRecords(path), summary('accounts', 0, 1, 0, true))
})

test('an empty page creates the file', { timeout: 60_000 }, async t => {
  const { client, path } = emptyEmbedded(t)
  assert.deepEqual(await client.importRecords(page('incidents')), summary('incidents', 0, 0, 0))
  assert.equal(existsSync(path), true)
})

const badRows = {
  'no id': [{}, /activityid/],
  'a malformed id': [{ activityid: 'x' }, /`activityid`.*GUID/],
  'no object': [7, /7/],
  null: [null, /null/],
  'a status that is a string': [{ activityid: missingId, statuscode: '2' }, /`statuscode`/],
  'no status, and it is new': [{ activityid: missingId }, /`statuscode` is absent/],
  'a customer without its annotation': [
    { activityid: missingId, statuscode: 2, _msdyn_customer_value: missingId },
    /lookuplogicalname` is missing.*Prefer/
  ],
  'a customer of another table': [
    { activityid: missingId, statuscode: 2, _msdyn_customer_value: missingId, [CUSTOMER]: 'lead' },
    /neither 'account' nor 'contact'/
  ],
  'a malformed case': [{ activityid: missingId, statuscode: 2, _msdyn_issueid_value: 'x' }, /`_msdyn_issueid_value`/]
}

for (const [what, [row, reason]] of Object.entries(badRows)) {
  test(`a row with ${what} is reported, and nothing is imported`, { timeout: 60_000 }, async t => {
    const { client } = emptyEmbedded(t)
    const bad = { ...liveWorkItem(), value: [...conversations(2).value, row, { activityid: 'y' }] }
    const file = join(folder(t), 'page.json')
    writeFileSync(file, JSON.stringify(bad))
    for (const source of [bad, file]) {
      // Only the store finds this row invalid, so the row after it is reported first.
      const index = what.startsWith('no status') ? 3 : 2
      const error = await rejects(client.importRecords(source), 'INVALID_ARGUMENT', new RegExp(`row ${index} of \`value\``), {
        isRetryable: false,
        maybeApplied: false
      })
      if (index === 2) assert.match(error.message, reason)
      assert.match(error.hint, /Nothing was imported/)
    }
    const lonely = { ...bad, value: bad.value.slice(0, 3) }
    const error = await rejects(client.importRecords(lonely), 'INVALID_ARGUMENT', /row 2 of `value`/)
    assert.match(error.message, reason)
    await client.importRecords(page('accounts', { accountid: account.recordId }))
    for (const id of [0, 1].map(numbered))
      await rejects(client.linkToConversation('account', account.recordId, id), 'CONVERSATION_NOT_FOUND')
  })
}

const notPages = {
  'an empty object': {},
  'an array': [],
  'no context': { value: [] },
  'no value': { '@odata.context': 'https://x/$metadata#accounts' },
  'a value that is not an array': { '@odata.context': 'https://x/$metadata#accounts', value: {} },
  'another table': page('leads'),
  'a context that is not a string': { '@odata.context': 5, value: [] },
  'what JSON cannot hold': { ...page('accounts'), number: 5n },
  'a circle': (() => {
    const circle = page('accounts')
    circle.value.push(circle)
    return circle
  })(),
  'an object that throws': {
    toJSON() {
      throw new Error('no')
    }
  }
}

for (const [what, wrong] of Object.entries(notPages)) {
  test(`${what} is not a page, and creates nothing`, { timeout: 60_000 }, async t => {
    const { client, path } = emptyEmbedded(t)
    await rejects(client.importRecords(wrong), 'INVALID_ARGUMENT')
    assert.equal(existsSync(path), false)
  })
}

test('a file that is not a page is reported, and creates nothing', { timeout: 60_000 }, async t => {
  const { client, path } = emptyEmbedded(t)
  const here = folder(t)
  for (const [name, content] of [
    ['empty.json', ''],
    ['text.json', 'hello'],
    ['cut.json', '{"@odata.context":"x/$metadata#accounts","value":[{'],
    ['list.json', '[]']
  ]) {
    writeFileSync(join(here, name), content)
    const error = await rejects(client.importRecords(join(here, name)), 'INVALID_ARGUMENT')
    assert.ok(error.message.includes(join(here, name)), error.message)
  }
  for (const missing of [join(here, 'missing.json'), here]) {
    const error = await rejects(client.importRecords(missing), 'INVALID_ARGUMENT', /cannot be read/)
    assert.ok(error.message.includes(missing))
  }
  assert.equal(existsSync(path), false)
})

test('invalid arguments are rejected by name', { timeout: 60_000 }, async t => {
  const { client, path } = emptyEmbedded(t)
  const file = join(data, 'accounts.json')
  for (const wrong of [undefined, null, 5, true, 5n, Symbol('path'), () => file]) {
    await rejects(client.importRecords(wrong), 'INVALID_ARGUMENT', /`pathOrPage`/)
  }
  for (const onProgress of [null, 5, 'log', {}, []])
    await rejects(client.importRecords(file, { onProgress }), 'INVALID_ARGUMENT', /`options\.onProgress`/)
  for (const signal of [null, {}, 'x']) await rejects(client.importRecords(file, { signal }), 'INVALID_ARGUMENT', /`options\.signal`/)
  for (const timeoutInMs of [0, -1, NaN, '5'])
    await rejects(client.importRecords(file, { timeoutInMs }), 'INVALID_ARGUMENT', /`options\.timeoutInMs`/)
  await rejects(client.importRecords(file, { linkableStatuses: [] }), 'INVALID_ARGUMENT', /`options\.linkableStatuses`/)
  assert.equal(existsSync(path), false)
  for (const options of [5, 'x', () => {}, []]) await rejects(client.importRecords(file, options), 'INVALID_ARGUMENT', /`options`/)
})

test('an empty path is rejected by name', { timeout: 60_000 }, async t => {
  await rejects(emptyEmbedded(t).client.importRecords(''), 'INVALID_ARGUMENT', /`pathOrPage`/)
})

test('a Dataverse client rejects imports', { timeout: 60_000 }, async t => {
  const server = await emulator(t)
  const remote = client(t, { dataverse: { url: server.url, credential: server.credential } })
  await rejects(remote.importRecords(join(data, 'accounts.json')), 'INVALID_CONFIGURATION', /embedded/)
  await rejects(remote.importRecords(page('accounts')), 'INVALID_CONFIGURATION')
  await rejects(remote.importRecords(5), 'INVALID_ARGUMENT')
  assert.deepEqual(await server.requests(), [])
})

test('an import takes effect in call order', { timeout: 60_000 }, async t => {
  const { client } = emptyEmbedded(t)
  const link = () => client.linkToConversation('account', account.recordId, conversation)
  const outcomes = await Promise.allSettled([
    link(),
    client.importRecords(liveWorkItem()),
    link(),
    client.importRecords(page('accounts', { accountid: account.recordId })),
    link(),
    client.importRecords(liveWorkItem({ statuscode: 4 })),
    link()
  ])
  assert.deepEqual(
    outcomes.map(({ value, reason }) => value?.status ?? value?.entitySet ?? reason.code),
    [
      'CONVERSATION_NOT_FOUND',
      'msdyn_ocliveworkitems',
      'RECORD_NOT_FOUND',
      'accounts',
      'linked',
      'msdyn_ocliveworkitems',
      'CONVERSATION_NOT_ACTIVE'
    ]
  )
})

test('progress grows, and ends when the promise settles', { timeout: 120_000 }, async t => {
  const { client } = emptyEmbedded(t)
  const rowsTotal = 200_000
  const calls = []
  let settled = false
  const done = await client
    .importRecords(conversations(rowsTotal), { onProgress: progress => calls.push({ ...progress, settled }) })
    .finally(() => (settled = true))
  assert.deepEqual(done, summary('msdyn_ocliveworkitems', rowsTotal, 0, 0))
  const count = calls.length
  // Pending callbacks would run in the next turns of the loop.
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
  assert.equal(calls.length, count)
  let before = 0
  for (const { rowsDone, settled, ...progress } of calls) {
    assert.deepEqual([progress, settled], [{ rowsTotal }, false])
    assert.ok(rowsDone > before && rowsDone <= rowsTotal, `${rowsDone} after ${before}`)
    before = rowsDone
  }
})
