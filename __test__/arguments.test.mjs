// Invalid arguments: rejected before anything is read or written, and in which order they are checked.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { after, describe, test } from 'node:test'
import { LinkError, OmnichannelClient, createOmnichannel } from 'omnichannel-link'
import { serveOmnichannel } from 'omnichannel-link/electron'
import { startEmulator } from 'omnichannel-link-emulator'
import { rejects, throws } from './support/expect.mjs'
import { account, closedConversation, contact, conversation, data, incident, missingContact, missingId } from './support/sample.mjs'
import { client, emptyEmbedded, stores } from './support/stores.mjs'

const show = value => (typeof value === 'object' ? JSON.stringify(value) : String(value))

const ID = incident.recordId
/** Values that are not strings. */
const notTexts = [5, 5n, NaN, true, {}, [], [ID], Symbol('id'), () => ID, Object(ID), new Date(0)]
const malformed = [
  '',
  ' ',
  '{}',
  'null',
  '0',
  ` ${ID}`,
  `${ID} `,
  `${ID}\0`,
  `${ID}\n`,
  `{${ID}`,
  `${ID}}`,
  `{{${ID}}}`,
  `(${ID})`,
  `'${ID}'`,
  ID.replaceAll('-', ''),
  ID.slice(1),
  `${ID}0`,
  ID.replace('6', 'g'),
  ID.replaceAll('-', '–'),
  `urn:uuid:${ID}`,
  '6b726d86d-37c-43b8-b3a4-c4056ddd2e07',
  // A GUID and one more character of two, three or four bytes.
  `${ID}é`,
  `${ID}€`,
  `${ID}😀`,
  `{${ID}}é`,
  `{${ID}}€`,
  `{${ID}}😀`,
  `😀${ID}`,
  `${ID}\ud800`,
  ID.repeat(1000)
]
const entities = [
  'lead',
  '',
  ' ',
  'Account',
  'accounts',
  'account ',
  'account\0',
  'case',
  'msdyn_ocliveworkitem',
  '__proto__',
  'a'.repeat(1e6)
]
const notOptions = [5, 'options', '', true, 5n, Symbol('options'), () => {}, [], [20]]
const timeouts = [0, -1, -0, NaN, Infinity, -Infinity, 2 ** 31, '20', '', true, {}, [], 5n, Symbol('ms')]
const statuses = [
  'active',
  2,
  {},
  true,
  ['nope'],
  ['Active'],
  [''],
  ['2'],
  [null],
  [undefined],
  [2.5],
  [NaN],
  [Infinity],
  [2 ** 31],
  [true],
  [{}],
  [[2]],
  [Symbol('active')]
]
const signals = [null, {}, 'signal', 5, new AbortController(), { aborted: true, reason: 'x' }, new EventTarget()]

/** An argument or option, invalid values of it, and the arguments of a call with one of them. */
const wrong = [
  ['entityLogicalName', [...entities, ...notTexts, null, undefined], value => [value, ID, conversation]],
  ['recordId', [...malformed, ...notTexts, null, undefined], value => ['incident', value, conversation]],
  ['conversationId', [...malformed, ...notTexts], value => ['incident', ID, value]],
  ['options', notOptions, value => ['incident', ID, conversation, value]],
  ['options.timeoutInMs', timeouts, timeoutInMs => ['incident', ID, conversation, { timeoutInMs }]],
  ['options.signal', signals, signal => ['incident', ID, conversation, { signal }]],
  ...['timeoutInMs', 'dryRun', 'callerObjectId', 'traceparent'].map(name => [
    `options.${name}`,
    [null],
    value => ['incident', ID, conversation, { [name]: value }]
  ]),
  ['options.unknown', [1, undefined, null], unknown => ['incident', ID, conversation, { unknown }]],
  ['options.onProgress', [() => {}], onProgress => ['incident', ID, conversation, { onProgress }]],
  ['options.timeout', [20], timeout => ['incident', ID, conversation, { timeout, timeoutInMs: 20 }]]
]
const wrongForLink = [
  ...['ifLinked', 'linkableStatuses'].map(name => [`options.${name}`, [null], value => ['incident', ID, conversation, { [name]: value }]]),
  ['options.linkableStatuses', statuses, linkableStatuses => ['incident', ID, conversation, { linkableStatuses }]]
]
const wrongForUnlink = [
  ['options.linkableStatuses', [['closed']], linkableStatuses => ['incident', ID, conversation, { linkableStatuses }]]
]

// Shared by these tests, which must not send it anything.
const server = await startEmulator({ seed: data })
after(() => server.close())

const remote = async t => {
  const before = (await server.requests()).length
  const untouched = async () => assert.deepEqual((await server.requests()).slice(before), [])
  return { client: client(t, { dataverse: { url: server.url, credential: server.credential } }), untouched }
}
const local = t => {
  const { path, client } = emptyEmbedded(t)
  return { client, untouched: () => assert.equal(existsSync(path), false) }
}

for (const [name, open] of Object.entries({ embedded: local, dataverse: remote })) {
  describe(name, () => {
    for (const [method, table] of [
      ['linkToConversation', [...wrong, ...wrongForLink]],
      ['unlinkFromConversation', [...wrong, ...wrongForUnlink]]
    ]) {
      for (const [argument, values, call] of table) {
        test(`${method} rejects an invalid ${argument} by name and touches nothing`, { timeout: 60_000 }, async t => {
          const { client, untouched } = await open(t)
          const accepted = []
          for (const value of values) {
            const error = await client[method](...call(value)).catch(error => error)
            const named = error.code === 'INVALID_ARGUMENT' && error.message.includes(`\`${argument}`)
            if (!named) accepted.push(`${show(value).slice(0, 50)}: ${error.code ?? 'resolved'} ${error.message ?? ''}`)
            else assert.deepEqual([error.isRetryable, error.maybeApplied], [false, false])
          }
          assert.deepEqual(accepted, [])
          await untouched()
        })
      }
    }

    test('focus methods accept only a GUID', { timeout: 60_000 }, async t => {
      const { client, untouched } = await open(t)
      client.openConversation(conversation)
      for (const method of ['openConversation', 'focusConversation', 'closeConversation']) {
        for (const id of [...malformed, ...notTexts, null, undefined])
          throws(() => client[method](id), 'INVALID_ARGUMENT', /`conversationId`/)
      }
      assert.equal(client.getConversationId(), conversation)
      await untouched()
    })
  })
}

const made = async options => new OmnichannelClient(options)

test('no error repeats a long string', { timeout: 60_000 }, async t => {
  const { client } = emptyEmbedded(t)
  const long = 'ä'.repeat(1e6)
  const options = [
    { [long]: 1 },
    { ifLinked: long },
    { linkableStatuses: [long] },
    { timeoutInMs: long },
    { dryRun: long },
    { callerObjectId: long },
    { traceparent: long },
    { expected: { ...account, [long]: 1 } },
    { expected: { ...account, recordId: long } },
    { signal: long },
    {
      get dryRun() {
        throw new Error(long)
      }
    },
    {
      get dryRun() {
        throw long
      }
    }
  ]
  const local = { embedded: { path: 'a.db' } }
  const url = 'https://contoso.example'
  const configurations = [
    { [long]: 1 },
    { timeoutInMs: long },
    { embedded: { path: `\0${long}` } },
    { dataverse: { url: long, credential: 'x' } },
    { dataverse: { url: `${url}/${long}?`, credential: 'x' } },
    { dataverse: { url, credential: { [long]: 1 } } },
    { dataverse: { url, credential: { tenantId: long, clientId: long, clientSecret: long, authorityHost: long } } },
    { dataverse: { url, credential: 'x', proxy: long } },
    { dataverse: { url, credential: 'x', caCertificates: long } },
    { dataverse: { url, credential: 'x', concurrency: long } },
    { dataverse: { url, credential: 'x', application: long } },
    {
      get embedded() {
        throw new Error(long)
      }
    },
    { ...local, dataverse: long }
  ]
  const refusals = [
    client.linkToConversation('account', long, conversation),
    client.linkToConversation(long, account.recordId, conversation),
    client.linkToConversation('account', account.recordId, long),
    client.linkToConversation('account', account.recordId, conversation, long),
    ...options.map(options => client.linkToConversation('account', account.recordId, conversation, options)),
    ...configurations.map(made),
    client.findRecord(long, {}),
    client.findRecord('account', { [long]: 1 }),
    client.findRecord('account', { name: { [long]: 1 } }),
    client.findRecord('account', { accountid: long }),
    client.getConversations({ orderBy: [{ property: long }] }).next(),
    client.getConversations({ agentId: long }).next(),
    client.waitForConversation({ [long]: 1 }),
    client.importRecords(long),
    client.importRecords({ [long]: long }),
    client.importRecords({ value: [{ accountid: long }] }),
    client.verify({ status: long }),
    client.diagnose({ probe: long }),
    createOmnichannel(client)
      .getConversations({ agentId: long })
      .catch(({ error }) => Promise.reject(error)),
    (async () => client.on(long, () => {}))(),
    (async () => client.openConversation(long))(),
    (async () => serveOmnichannel({ ipcMain: { handle() {} }, client, allow: [long] }))(),
    (async () => serveOmnichannel({ [long]: 1 }))()
  ]
  await Promise.all(
    refusals.map(async refused => {
      const error = await refused.then(
        value => assert.fail(`it passed: ${JSON.stringify(value).slice(0, 200)}`),
        error => error
      )
      assert.ok(error instanceof LinkError, `${error.name}: ${error.message?.slice(0, 200)}`)
      assert.ok(JSON.stringify(error).length < 4000, error.message.slice(0, 200))
    })
  )
})

test('arguments that throw when read are INVALID_ARGUMENT', { timeout: 60_000 }, async t => {
  const { client } = emptyEmbedded(t)
  for (const thrown of [new Error('a trap'), 'a trap']) {
    const trap = new Proxy(
      {},
      {
        get() {
          throw thrown
        },
        ownKeys() {
          throw thrown
        }
      }
    )
    for (const refused of [
      client.findRecord('contact', trap),
      client.getConversations({ record: trap }).next(),
      client.verify({ ...contact, record: trap }),
      client.linkToConversation('contact', contact.recordId, conversation, { expected: trap })
    ])
      await rejects(refused, 'INVALID_ARGUMENT', /cannot be read: .*a trap/)
  }
})

test('options that throw when read are a LinkError', { timeout: 60_000 }, async t => {
  const { client } = emptyEmbedded(t)
  for (const name of ['timeoutInMs', 'signal', 'linkableStatuses', 'onProgress']) {
    const options = {
      get [name]() {
        throw new Error('a getter of the caller')
      }
    }
    await rejects(client.linkToConversation('account', account.recordId, conversation, options), 'INVALID_ARGUMENT', /options/)
    await rejects(client.importRecords(`${data}accounts.json`, options), 'INVALID_ARGUMENT', /options/)
  }
  // Nested deeper than any stack.
  let nested = []
  for (let depth = 0; depth < 100_000; depth++) nested = [nested]
  await rejects(
    client.linkToConversation('account', account.recordId, conversation, { linkableStatuses: nested }),
    'INVALID_ARGUMENT',
    /linkableStatuses/
  )
})

/** Reasons for an error, in the order of the checks. Each call also has every later fault. */
const order = {
  'a bad argument beats an aborted signal': { entity: 'lead', aborted: true, closed: true, focus: null, code: 'INVALID_ARGUMENT' },
  'a bad option beats an aborted signal': { options: { unknown: 1 }, aborted: true, closed: true, focus: null, code: 'INVALID_ARGUMENT' },
  'an aborted signal beats a closed client': { aborted: true, closed: true, focus: null },
  'a closed client beats a missing focus': { closed: true, focus: null, code: 'CLOSED' },
  'a missing focus beats everything the store knows': { focus: null, code: 'NO_FOCUSED_CONVERSATION' },
  'the conversation is checked before the record': { focus: missingId, code: 'CONVERSATION_NOT_FOUND' },
  'a status beats a missing record': { focus: closedConversation, code: 'CONVERSATION_NOT_ACTIVE', unlinked: 'NOT_LINKED' },
  'a missing record comes last': { focus: conversation, code: 'RECORD_NOT_FOUND', unlinked: 'NOT_LINKED' }
}

for (const [name, open] of Object.entries(stores)) {
  describe(`order of checks, ${name}`, () => {
    for (const [title, { entity = 'contact', options, aborted, closed, focus, code, unlinked = code }] of Object.entries(order)) {
      test(title, { timeout: 60_000 }, async t => {
        const { client, read } = await open(t)
        const reason = new Error('reason')
        const signal = aborted ? AbortSignal.abort(reason) : new AbortController().signal
        if (focus) client.openConversation(focus)
        if (closed) await client.close()
        for (const [method, expected] of [
          ['linkToConversation', code],
          ['unlinkFromConversation', unlinked]
        ]) {
          const refused = client[method](entity, missingContact.recordId, undefined, { ...options, signal })
          if (expected) await rejects(refused, expected)
          else await assert.rejects(refused, error => error === reason)
        }
        assert.deepEqual(await read(conversation), { customer: account, case: null })
      })
    }

    test('the status is checked before the existing link', { timeout: 60_000 }, async t => {
      const { client } = await open(t)
      await client.linkToConversation('contact', contact.recordId, closedConversation, { linkableStatuses: ['closed'] })
      await rejects(client.linkToConversation('contact', contact.recordId, closedConversation), 'CONVERSATION_NOT_ACTIVE')
    })
  })
}

test('imports are checked in the same order', { timeout: 60_000 }, async t => {
  const { path, client } = emptyEmbedded(t)
  const reason = new Error('reason')
  const signal = AbortSignal.abort(reason)
  await client.close()
  await rejects(client.importRecords(`${data}accounts.json`, { signal, unknown: 1 }), 'INVALID_ARGUMENT', /`options\.unknown`/)
  await assert.rejects(client.importRecords(`${data}accounts.json`, { signal }), error => error === reason)
  await rejects(client.importRecords(`${data}accounts.json`), 'CLOSED')
  assert.equal(existsSync(path), false)
})
