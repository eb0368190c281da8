// Policies of a link and verification of outcomes, on both stores.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { rejects } from './support/expect.mjs'
import { account, contact, conversation, emptyConversation, incident } from './support/sample.mjs'
import { stores } from './support/stores.mjs'

async function collect(iterable) {
  const collected = []
  for await (const item of iterable) collected.push(item)
  return collected
}

for (const [name, open] of Object.entries(stores)) {
  describe(name, () => {
    test('another record is replaced, kept or rejected', async t => {
      const { client, read } = await open(t)
      const link = options => client.linkToConversation('contact', contact.recordId, conversation, options)
      const kept = await link({ ifLinked: 'keep' })
      assert.deepEqual([kept.status, kept.previous, kept.current, kept.record], ['kept', null, account, contact])
      assert.deepEqual((await rejects(link({ ifLinked: 'reject' }), 'OCCUPIED')).current, account)
      assert.deepEqual((await rejects(link({ expected: null }), 'CONFLICT')).current, account)
      assert.deepEqual((await rejects(link({ expected: contact }), 'CONFLICT')).isRetryable, false)
      const dry = await link({ expected: account, dryRun: true })
      assert.deepEqual([dry.status, dry.previous, dry.dryRun], ['replaced', account, true])
      const replaced = await link({ expected: account })
      assert.deepEqual(
        [replaced.status, replaced.previous, 'dryRun' in replaced, 'current' in replaced],
        ['replaced', account, false, false]
      )
      for (const [options, message] of [
        [{ ifLinked: 'drop' }, /`options\.ifLinked`/],
        [{ expected: {} }, /`options\.expected`/],
        [{ expected: 'x' }, /`options\.expected`/],
        [{ dryRun: 1 }, /`options\.dryRun`/]
      ])
        await rejects(link(options), 'INVALID_ARGUMENT', message)
      assert.deepEqual((await read(conversation)).customer, contact)
    })

    test('undefined means not given', async t => {
      const { client } = await open(t)
      const link = expected => client.linkToConversation('contact', contact.recordId, conversation, { expected, dryRun: true })
      assert.equal((await link(undefined)).status, 'replaced')
      await rejects(link(null), 'CONFLICT')
      const requests = [{ ...contact, conversationId: conversation }]
      const [{ outcome }] = await collect(client.linkMany(requests, { expected: undefined, dryRun: true }))
      assert.equal(outcome.status, 'replaced')
    })

    test('a record of the other slot cannot be expected', async t => {
      const { client } = await open(t)
      const link = (record, expected) =>
        client.linkToConversation(record.entityLogicalName, record.recordId, emptyConversation, { expected })
      await rejects(link(contact, incident), 'INVALID_ARGUMENT', /`options\.expected`: .*incident.*customer slot/)
      await rejects(link(incident, account), 'INVALID_ARGUMENT', /`options\.expected`: .*account.*case slot/)
      // A list may have records of both slots.
      const requests = [
        { ...incident, conversationId: emptyConversation },
        { ...contact, conversationId: emptyConversation }
      ]
      const results = await collect(client.linkMany(requests, { expected: incident }))
      assert.deepEqual(
        results.map(({ error }) => error.code),
        ['CONFLICT', 'INVALID_ARGUMENT']
      )
    })

    test('an outcome can be verified later', async t => {
      const { client } = await open(t)
      const linked = await client.linkToConversation('contact', contact.recordId, conversation)
      const verified = await client.verify(linked)
      assert.deepEqual(verified, { stands: true, current: { ...contact, name: 'Ana Testa' }, conversationStatus: 'active', store: name })
      const unlinked = await client.unlinkFromConversation('contact', contact.recordId, conversation)
      assert.deepEqual(
        [await client.verify(linked), await client.verify(unlinked)].map(({ stands, current }) => [stands, current]),
        [
          [false, null],
          [true, null]
        ]
      )
      await client.linkToConversation('account', account.recordId, conversation)
      assert.equal((await client.verify(unlinked)).stands, true)
      const kept = await client.linkToConversation('contact', contact.recordId, conversation, { ifLinked: 'keep' })
      assert.equal((await client.verify(kept)).stands, true)
      await client.unlinkFromConversation('account', account.recordId, conversation)
      assert.equal((await client.verify(kept)).stands, false)
      assert.equal((await client.verify({ ...unlinked, mine: 1, requestId: undefined })).stands, true)
      const record = { ...account, recordId: `{${account.recordId.toUpperCase()}}` }
      const shouted = { ...linked, conversationId: conversation.toUpperCase(), record }
      await client.linkToConversation('account', account.recordId, conversation)
      assert.equal((await client.verify(shouted)).stands, true)
      const dry = await client.unlinkFromConversation('account', account.recordId, conversation, { dryRun: true })
      for (const [wrong, message] of [
        [undefined, /`outcome`: expected an object, got undefined/],
        ['linked', /`outcome`/],
        [{}, /`outcome`: missing field/],
        [dry, /`outcome`.* dry run/],
        [{ ...linked, status: 'lost' }, /`outcome\.status`.*lost/],
        [{ ...linked, store: name === 'dataverse' ? 'embedded' : 'dataverse' }, /`outcome\.store`.* other store/],
        [{ ...linked, record: { ...contact, entityLogicalName: 'lead' } }, /`outcome\.record\.entityLogicalName`: expected 'account'/],
        [{ ...linked, record: { ...contact, recordId: 'x' } }, /`outcome\.record\.recordId`/],
        [{ ...linked, conversationId: 'x' }, /`outcome\.conversationId`/],
        [{ ...linked, status: 'kept' }, /`outcome\.current`/]
      ])
        await rejects(client.verify(wrong), 'INVALID_ARGUMENT', message)
    })
  })
}
