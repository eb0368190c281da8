// Every function and method of the typings in normal use: one table of cases for both stores, then the client itself.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { folder, workIn } from './support/afterwards.mjs'
import { GUID, isOutcome, rejects } from './support/expect.mjs'
import {
  account,
  byStatus,
  closedConversation,
  contact,
  conversation,
  danglingConversation,
  data,
  emptyConversation,
  incident,
  missingContact,
  missingId,
  otherAccount,
  otherIncident
} from './support/sample.mjs'
import { client, emptyEmbedded, emulator, stores } from './support/stores.mjs'

const link = (client, { entityLogicalName, recordId }, ...rest) => client.linkToConversation(entityLogicalName, recordId, ...rest)
const unlink = (client, { entityLogicalName, recordId }, ...rest) => client.unlinkFromConversation(entityLogicalName, recordId, ...rest)

/** Name, call, and the links of the conversation afterwards. Every case begins with the sample data. */
const cases = {
  async 'the documented example links and unlinks an incident'({ client, name, read }) {
    isOutcome(await client.linkToConversation('incident', incident.recordId, conversation), {
      status: 'linked',
      conversationId: conversation,
      record: incident,
      previous: null,
      store: name
    })
    isOutcome(await client.unlinkFromConversation('incident', incident.recordId, conversation), {
      status: 'unlinked',
      conversationId: conversation,
      record: incident,
      store: name
    })
    assert.deepEqual(await read(conversation), { customer: account, case: null })
  },

  async 'a link into an empty slot is read back'({ client, name, read }) {
    for (const record of [contact, incident]) {
      const expected = { status: 'linked', conversationId: emptyConversation, record, previous: null, store: name }
      isOutcome(await link(client, record, emptyConversation), expected)
    }
    assert.deepEqual(await read(emptyConversation), { customer: contact, case: incident })
  },

  async 'another record of the slot is replaced, and the other slot is left alone'({ client, name, read }) {
    const replaced = (record, previous) => ({ status: 'replaced', conversationId: conversation, record, previous, store: name })
    isOutcome(await link(client, contact, conversation), replaced(contact, account))
    isOutcome(await link(client, otherAccount, conversation), replaced(otherAccount, contact))
    await link(client, incident, conversation)
    isOutcome(await link(client, otherIncident, conversation), replaced(otherIncident, incident))
    assert.deepEqual(await read(conversation), { customer: otherAccount, case: otherIncident })
  },

  async 'what is linked already is not written again'({ client, name, read, emulator }) {
    const expected = { status: 'alreadyLinked', conversationId: conversation, record: account, previous: null, store: name }
    isOutcome(await link(client, account, conversation), expected)
    for (const { method } of (await emulator?.requests()) ?? []) assert.equal(method, 'GET')
    assert.deepEqual(await read(conversation), { customer: account, case: null })
  },

  async 'a dangling link is already linked, and can be removed but not made'({ client, read }) {
    assert.equal((await link(client, missingContact, danglingConversation)).status, 'alreadyLinked')
    assert.equal((await unlink(client, missingContact, danglingConversation)).status, 'unlinked')
    await rejects(link(client, missingContact, danglingConversation), 'RECORD_NOT_FOUND')
    assert.deepEqual((await read(danglingConversation)).customer, null)
  },

  async 'GUIDs come in either case and in braces, and go out in lower case without'({ client, name, read }) {
    const forms = [id => id.toUpperCase(), id => `{${id}}`, id => `{${id.toUpperCase()}}`]
    const statuses = ['linked', 'alreadyLinked', 'alreadyLinked']
    for (const [index, form] of forms.entries()) {
      const outcome = await client.linkToConversation('contact', form(contact.recordId), form(emptyConversation))
      const expected = { status: statuses[index], conversationId: emptyConversation, record: contact, previous: null, store: name }
      isOutcome(outcome, expected)
    }
    client.openConversation(forms[2](emptyConversation))
    assert.equal(client.getConversationId(), emptyConversation)
    isOutcome(await client.unlinkFromConversation('contact', forms[2](contact.recordId)), {
      status: 'unlinked',
      conversationId: emptyConversation,
      record: contact,
      store: name
    })
    assert.deepEqual(await read(emptyConversation), { customer: null, case: null })
  },

  async 'linkableStatuses widens the set, by name and by number'({ client, read }) {
    for (const [name, id] of Object.entries(byStatus)) {
      await rejects(link(client, otherAccount, id), 'CONVERSATION_NOT_ACTIVE', undefined, { conversationStatus: name })
      assert.match((await link(client, otherAccount, id, { linkableStatuses: [name] })).status, /^(linked|replaced)$/)
    }
    await rejects(link(client, contact, closedConversation, { linkableStatuses: ['open', 5] }), 'CONVERSATION_NOT_ACTIVE')
    assert.equal((await link(client, contact, closedConversation, { linkableStatuses: [4] })).status, 'replaced')
    // Active is always included, and unlinking ignores the status.
    assert.equal((await link(client, contact, emptyConversation, { linkableStatuses: ['closed'] })).status, 'linked')
    assert.equal((await unlink(client, contact, closedConversation)).status, 'unlinked')
    assert.deepEqual(await read(closedConversation), { customer: null, case: null })
  },

  async 'calls on one conversation take effect in call order'({ client, read }) {
    const outcomes = await Promise.all([
      link(client, contact, emptyConversation),
      link(client, otherAccount, emptyConversation),
      unlink(client, otherAccount, emptyConversation),
      link(client, account, emptyConversation),
      link(client, account, emptyConversation)
    ])
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['linked', 'replaced', 'unlinked', 'linked', 'alreadyLinked']
    )
    assert.equal(new Set(outcomes.map(({ requestId }) => requestId)).size, 5)
    assert.deepEqual((await read(emptyConversation)).customer, account)
  },

  async 'null and undefined options are ignored'({ client }) {
    for (const options of [undefined, null, {}, { timeoutInMs: undefined, signal: undefined, linkableStatuses: undefined }]) {
      assert.ok(await link(client, incident, conversation, options))
    }
    for (const options of [null, { timeoutInMs: 20_000 }]) await link(client, account, conversation, options)
    assert.equal((await unlink(client, incident, conversation, null)).status, 'unlinked')
  },

  async 'two clients of one store see each other, and are closed one by one'({ client, make }) {
    const other = make({ timeoutInMs: 20_000 })
    await link(client, contact, emptyConversation)
    assert.equal((await link(other, contact, emptyConversation)).status, 'alreadyLinked')
    await client.close()
    assert.equal((await unlink(other, contact, emptyConversation)).status, 'unlinked')
  },

  async 'close lets pending calls finish, also when it is called twice'({ client, read }) {
    let settled = 0
    // Many, so that the last have not begun when close is called.
    const pending = Array.from({ length: 100 }, async (_, number) => {
      const { status } = await [link, unlink][number % 2](client, incident, conversation)
      settled += 1
      return status
    })
    const closing = client.close()
    assert.equal(await client.close(), undefined)
    assert.equal(settled, 100, 'the second close did not wait')
    await closing
    // They take effect in call order. The order in which they settle is not specified.
    assert.deepEqual(
      await Promise.all(pending),
      Array.from({ length: 100 }, (_, number) => (number % 2 ? 'unlinked' : 'linked'))
    )
    assert.deepEqual(await read(conversation), { customer: account, case: null })
  },

  async 'close rejects later calls at once'({ client, name }) {
    const closing = client.close()
    await rejects(link(client, incident, conversation), 'CLOSED', /closed/, { store: name, isRetryable: false })
    await rejects(unlink(client, incident, conversation), 'CLOSED')
    await closing
    await rejects(link(client, incident, conversation), 'CLOSED')
  },

  async 'every error of the store names it, and the call'({ client, name }) {
    const error = await rejects(link(client, account, missingId), 'CONVERSATION_NOT_FOUND', new RegExp(missingId), { store: name })
    assert.match(error.requestId, GUID)
  }
}

for (const [name, open] of Object.entries(stores)) {
  describe(name, () => {
    for (const [title, run] of Object.entries(cases)) test(title, { timeout: 60_000 }, async t => run(await open(t)))
  })
}

test('a client opens no file and sends nothing before the first call', { timeout: 60_000 }, async t => {
  const server = await emulator(t)
  const remote = client(t, { dataverse: { url: server.url, credential: server.credential } })
  const { path, client: local } = emptyEmbedded(t)
  for (const idle of [remote, local]) {
    idle.openConversation(conversation)
    assert.equal(idle.getConversationId(), conversation)
    await idle.close()
  }
  assert.deepEqual(await server.requests(), [])
  assert.equal(existsSync(path), false)
})

test('two clients have separate stores', { timeout: 60_000 }, async t => {
  const [one, two] = [emptyEmbedded(t), emptyEmbedded(t)]
  await one.client.importRecords(join(data, 'msdyn_ocliveworkitems.json'))
  await rejects(one.client.linkToConversation('account', otherAccount.recordId, conversation), 'RECORD_NOT_FOUND')
  await rejects(two.client.linkToConversation('account', otherAccount.recordId, conversation), 'CONVERSATION_NOT_FOUND')
  assert.deepEqual([existsSync(one.path), existsSync(two.path)], [true, false])
})

test('a relative path is resolved when the client is made', { timeout: 60_000 }, async t => {
  const [first, second] = [folder(t), folder(t)]
  workIn(t, first)
  const relative = client(t, { embedded: { path: 'links.db' } })
  workIn(t, second)
  await relative.importRecords(join(data, 'accounts.json'))
  assert.deepEqual([existsSync(join(first, 'links.db')), existsSync(join(second, 'links.db'))], [true, false])
  await relative.close()
})

test('a credential may be a string, a function or an async function', { timeout: 60_000 }, async t => {
  const { url, credential } = await emulator(t)
  let asked = 0
  const given = [credential, () => credential, async () => (asked++, credential)]
  for (const credential of given) {
    const linked = await link(client(t, { dataverse: { url, credential } }), account, conversation)
    assert.equal(linked.status, 'alreadyLinked')
  }
  assert.equal(asked, 1)
})

test('the URL may include the path of the API', { timeout: 60_000 }, async t => {
  const { url, credential } = await emulator(t)
  for (const form of [`${url}/`, `${url}/api/data/v9.2/`, url.replace('127.0.0.1', 'localhost')]) {
    assert.equal((await link(client(t, { dataverse: { url: form, credential } }), account, conversation)).store, 'dataverse')
  }
})
