// The focus: the conversation of a call without an id.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { GUID, rejects, throws } from './support/expect.mjs'
import { account, closedConversation, contact, conversation, emptyConversation, incident, missingId, numbered } from './support/sample.mjs'
import { emptyEmbedded, stores } from './support/stores.mjs'

const [one, two, three] = [1, 2, 3].map(numbered)

/** Opens, focuses (`!`) and closes (`-`) conversations in turn. Returns the focus after each step. */
function focused(t, ...steps) {
  const { client } = emptyEmbedded(t)
  return steps.map(step => {
    if (step.startsWith('-')) client.closeConversation(step.slice(1))
    else if (step.startsWith('!')) client.focusConversation(step.slice(1))
    else client.openConversation(step)
    return client.getConversationId()
  })
}

test('nothing is focused at first', t => {
  assert.equal(emptyEmbedded(t).client.getConversationId(), null)
})

test('opening focuses, and closing returns the focus along its history', t => {
  assert.deepEqual(focused(t, one, two, three), [one, two, three])
  assert.deepEqual(focused(t, one, two, three, `-${three}`, `-${two}`, `-${one}`).slice(3), [two, one, null])
  assert.deepEqual(focused(t, one, two, three, `!${one}`, `-${one}`, `-${three}`).slice(3), [one, three, two])
  assert.deepEqual(focused(t, one, two, three, `!${two}`, `!${one}`, `-${one}`, `-${two}`).slice(3), [two, one, two, three])
})

test('closing an unfocused conversation keeps the focus and removes it from the history', t => {
  assert.deepEqual(focused(t, one, two, three, `-${two}`, `-${three}`).slice(3), [three, one])
  assert.deepEqual(focused(t, one, `-${missingId}`), [one, one])
  assert.deepEqual(focused(t, `-${missingId}`), [null])
})

test('opening an open conversation focuses it', t => {
  assert.deepEqual(focused(t, one, two, one, `-${one}`, `-${two}`), [one, two, one, two, null])
})

test('focusing the focused one changes nothing', t => {
  assert.deepEqual(focused(t, one, two, `!${two}`, `-${two}`), [one, two, two, one])
})

test('a conversation that is not open cannot be focused', t => {
  const { client } = emptyEmbedded(t)
  const error = throws(() => client.focusConversation(one), 'INVALID_ARGUMENT', new RegExp(`\`conversationId\`.*${one} is not open`))
  assert.match(error.hint, /openConversation/)
  client.openConversation(one)
  client.openConversation(two)
  client.closeConversation(one)
  throws(() => client.focusConversation(one), 'INVALID_ARGUMENT')
  assert.equal(client.getConversationId(), two)
})

test('invalid ids throw and change nothing', t => {
  const { client } = emptyEmbedded(t)
  client.openConversation(one)
  for (const method of ['openConversation', 'focusConversation', 'closeConversation']) {
    for (const id of [undefined, null, '', 'x', 5, {}, `{${two}`]) throws(() => client[method](id), 'INVALID_ARGUMENT', /`conversationId`/)
  }
  assert.equal(client.getConversationId(), one)
})

test('all forms of an id are the same conversation', t => {
  assert.deepEqual(focused(t, `{${one.toUpperCase()}}`, two, `!${one.toUpperCase()}`, `-{${one}}`), [one, two, one, two])
  assert.match(focused(t, missingId.toUpperCase())[0], GUID)
})

test('the functions return nothing', t => {
  const { client } = emptyEmbedded(t)
  assert.deepEqual(
    [client.openConversation(one), client.focusConversation(one), client.closeConversation(one)],
    [undefined, undefined, undefined]
  )
})

test('every client has its own focus', { timeout: 60_000 }, async t => {
  const { client, make } = await stores.embedded(t)
  const other = make()
  client.openConversation(conversation)
  assert.equal(other.getConversationId(), null)
  await rejects(other.linkToConversation('incident', incident.recordId), 'NO_FOCUSED_CONVERSATION')
  other.openConversation(emptyConversation)
  assert.equal(client.getConversationId(), conversation)
  assert.equal((await other.linkToConversation('incident', incident.recordId)).conversationId, emptyConversation)
})

for (const [name, open] of Object.entries(stores)) {
  describe(name, () => {
    test('null and undefined mean the focused conversation', { timeout: 60_000 }, async t => {
      const { client, read } = await open(t)
      client.openConversation(emptyConversation)
      client.openConversation(conversation)
      assert.equal((await client.linkToConversation('contact', contact.recordId, null)).conversationId, conversation)
      assert.equal((await client.linkToConversation('incident', incident.recordId, undefined)).conversationId, conversation)
      assert.equal((await client.linkToConversation('incident', incident.recordId, emptyConversation)).conversationId, emptyConversation)
      assert.equal((await client.unlinkFromConversation('contact', contact.recordId)).conversationId, conversation)
      assert.equal((await client.unlinkFromConversation('incident', incident.recordId, null)).conversationId, conversation)
      assert.equal(client.getConversationId(), conversation, 'naming another one must not focus it')
      assert.deepEqual(await read(emptyConversation), { customer: null, case: incident })
    })

    test('a call uses the conversation that is focused when it is made', { timeout: 60_000 }, async t => {
      const { client, read } = await open(t)
      client.openConversation(emptyConversation)
      client.openConversation(conversation)
      const first = client.linkToConversation('incident', incident.recordId)
      client.focusConversation(emptyConversation)
      const second = client.linkToConversation('contact', contact.recordId, null)
      client.closeConversation(emptyConversation)
      const third = client.unlinkFromConversation('account', account.recordId)
      client.closeConversation(conversation)
      const fourth = client.linkToConversation('contact', contact.recordId)
      client.openConversation(closedConversation)
      await rejects(fourth, 'NO_FOCUSED_CONVERSATION')
      const outcomes = await Promise.all([first, second, third])
      assert.deepEqual(
        outcomes.map(({ conversationId }) => conversationId),
        [conversation, emptyConversation, conversation]
      )
      assert.deepEqual(await read(conversation), { customer: null, case: incident })
    })

    test('a focused conversation is checked only when a call needs it', { timeout: 60_000 }, async t => {
      const { client } = await open(t)
      client.openConversation(missingId)
      await rejects(client.linkToConversation('incident', incident.recordId), 'CONVERSATION_NOT_FOUND', new RegExp(missingId))
    })
  })
}
