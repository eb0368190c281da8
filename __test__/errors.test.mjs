// Errors of the stores and of the network, by code.
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import initSqlJs from 'sql.js'
import { folder } from './support/afterwards.mjs'
import { GUID, rejects } from './support/expect.mjs'
import {
  account,
  byStatus,
  contact,
  conversation,
  data,
  emptyConversation,
  incident,
  missingId,
  otherAccount,
  page
} from './support/sample.mjs'
import { closedUrl, fault, json, row, serve } from './support/server.mjs'
import { client, emptyEmbedded, emulator, stores } from './support/stores.mjs'

const link = (client, options) => client.linkToConversation('contact', contact.recordId, conversation, options)

for (const [name, open] of Object.entries(stores)) {
  describe(name, () => {
    test('NO_FOCUSED_CONVERSATION', { timeout: 60_000 }, async t => {
      const { client } = await open(t)
      for (const id of [null, undefined]) {
        const error = await rejects(
          client.linkToConversation('contact', contact.recordId, id),
          'NO_FOCUSED_CONVERSATION',
          /`conversationId`/
        )
        assert.match(error.hint, /openConversation/)
        await rejects(client.unlinkFromConversation('contact', contact.recordId, id), 'NO_FOCUSED_CONVERSATION')
      }
    })

    test('CONVERSATION_NOT_FOUND creates nothing', { timeout: 60_000 }, async t => {
      const { client } = await open(t)
      for (const method of ['linkToConversation', 'unlinkFromConversation', 'linkToConversation']) {
        const error = await rejects(client[method]('contact', contact.recordId, missingId), 'CONVERSATION_NOT_FOUND', new RegExp(missingId))
        assert.deepEqual([error.store, error.isRetryable, error.maybeApplied], [name, false, false])
      }
    })

    test('CONVERSATION_NOT_ACTIVE names the status', { timeout: 60_000 }, async t => {
      const { client, read } = await open(t)
      for (const [status, id] of Object.entries(byStatus)) {
        const refused = client.linkToConversation('contact', contact.recordId, id)
        await rejects(refused, 'CONVERSATION_NOT_ACTIVE', new RegExp(status), { conversationStatus: status, isRetryable: false })
      }
      assert.deepEqual(await read(byStatus.closed), { customer: null, case: null })
    })

    test('RECORD_NOT_FOUND changes nothing', { timeout: 60_000 }, async t => {
      const { client, read } = await open(t)
      for (const entity of ['account', 'contact', 'incident']) {
        const error = await rejects(
          client.linkToConversation(entity, missingId, conversation),
          'RECORD_NOT_FOUND',
          new RegExp(`${entity} ${missingId}`)
        )
        assert.equal(error.maybeApplied, false)
      }
      // The id belongs to an account, not to a contact.
      await rejects(client.linkToConversation('contact', account.recordId, conversation), 'RECORD_NOT_FOUND')
      assert.deepEqual(await read(conversation), { customer: account, case: null })
    })

    test('NOT_LINKED states the linked record', { timeout: 60_000 }, async t => {
      const { client, read } = await open(t)
      const unlink = (entity, { recordId }, id = conversation) => client.unlinkFromConversation(entity, recordId, id)
      await rejects(unlink('account', otherAccount), 'NOT_LINKED', /account 0b7e4c0e/, { current: account, maybeApplied: false })
      await rejects(unlink('contact', account), 'NOT_LINKED', undefined, { current: account })
      await rejects(unlink('incident', incident), 'NOT_LINKED', /no case is linked/, { current: null })
      await rejects(unlink('account', account, emptyConversation), 'NOT_LINKED', /no customer is linked/, { current: null })
      assert.deepEqual(await read(conversation), { customer: account, case: null })
    })
  })
}

test('an unknown status is reported as its number', { timeout: 60_000 }, async t => {
  const { client: local } = emptyEmbedded(t)
  await local.importRecords(page('msdyn_ocliveworkitems', { activityid: conversation, statuscode: 192_350_000 }))
  const server = await serve(t, (_, response) => row(response, conversation, { status: 192_350_000 }))
  for (const store of [local, client(t, { dataverse: server.dataverse })]) {
    await rejects(link(store), 'CONVERSATION_NOT_ACTIVE', /192350000/, { conversationStatus: 192_350_000 })
  }
  await local.importRecords(page('contacts', { contactid: contact.recordId }))
  assert.equal((await link(local, { linkableStatuses: [192_350_000] })).status, 'linked')
})

test('STORE: the file belongs to another program', { timeout: 60_000 }, async t => {
  const SQL = await initSqlJs()
  const foreign = new SQL.Database()
  foreign.run('CREATE TABLE theirs (id INTEGER)')
  const files = {
    'text.db': ['These are not the bytes you are looking for.\n'.repeat(100), /not a SQLite database/],
    'foreign.db': [Buffer.from(foreign.export()), /another program/]
  }
  for (const [name, [content, message]] of Object.entries(files)) {
    const path = join(folder(t), name)
    writeFileSync(path, content)
    const store = client(t, { embedded: { path } })
    const error = await rejects(link(store), 'STORE', message, { store: 'embedded', isRetryable: false, maybeApplied: false })
    assert.ok(error.message.includes(path))
    assert.ok(error.hint)
    await rejects(store.importRecords(join(data, 'accounts.json')), 'STORE', message)
    assert.deepEqual(readFileSync(path), Buffer.from(content), 'it was changed')
  }
})

test('STORE: the path cannot be a file', { timeout: 60_000 }, async t => {
  const path = folder(t)
  mkdirSync(join(path, 'folder.db'))
  for (const name of ['folder.db', 'missing/links.db']) {
    const store = client(t, { embedded: { path: join(path, name) } })
    const error = await rejects(store.importRecords(join(data, 'accounts.json')), 'STORE', /cannot be opened/)
    assert.match(error.hint, /^Name a file, such as|folder must exist/)
  }
})

test('AUTHENTICATION_FAILED: the server does not accept the token', { timeout: 60_000 }, async t => {
  const server = await emulator(t)
  const wrong = client(t, { dataverse: { url: server.url, credential: 'not-the-token' } })
  const error = await rejects(link(wrong), 'AUTHENTICATION_FAILED', undefined, { httpStatus: 401, store: 'dataverse', maybeApplied: false })
  assert.match(error.requestId, GUID)
  assert.match(error.serviceRequestId, GUID)
  assert.match(error.hint, /\.default/)
  assert.doesNotMatch(inspect(error) + JSON.stringify(error), /not-the-token/)
  assert.equal((await server.requests())[0].headers['x-ms-client-request-id'], error.requestId)
})

const SECRET = 'client_secret=hunter2'
const credentials = {
  'throws an Error': () => {
    throw new Error(`invalid_client: ${SECRET}`)
  },
  'rejects with an Error': async () => {
    throw new Error(`invalid_client: ${SECRET}`)
  },
  'throws a text': () => {
    throw SECRET
  },
  'throws nothing': () => {
    throw undefined
  },
  'throws an object without a text': () => {
    throw Object.create(null)
  },
  'throws an Error with a cause': () => {
    throw new Error('no token', { cause: SECRET })
  },
  'gives a number': () => 5,
  'gives null': async () => null,
  'gives undefined': () => {},
  'gives a symbol': () => Symbol(SECRET),
  'gives an object without a token': () => ({ accessToken: SECRET }),
  'gives an empty text': () => '',
  'gives a text with a line break': () => `${SECRET}\r\nX: y`,
  'gives a promise that throws': () =>
    new Proxy(
      {},
      {
        get() {
          throw new Error(SECRET)
        }
      }
    )
}

for (const [what, credential] of Object.entries(credentials)) {
  test(`AUTHENTICATION_FAILED: the credential function ${what}`, { timeout: 60_000 }, async t => {
    const server = await serve(t)
    const store = client(t, { dataverse: { url: server.url, credential } })
    const error = await rejects(link(store), 'AUTHENTICATION_FAILED', undefined, { store: 'dataverse', maybeApplied: false })
    assert.match(error.hint, /credential/)
    assert.deepEqual(server.requests, [], 'something was sent without a token')
    assert.doesNotMatch(inspect(error) + JSON.stringify(error), /hunter2/)
  })
}

test('UNAVAILABLE: connection refused', { timeout: 60_000 }, async t => {
  const store = client(t, { dataverse: { url: closedUrl, credential: 'secret-token', retryOptions: { maxRetries: 0 } } })
  const error = await rejects(link(store), 'UNAVAILABLE', undefined, { isRetryable: true, maybeApplied: false })
  assert.doesNotMatch(inspect(error) + JSON.stringify(error), /secret-token/)
})

/** Responses to GET and, after a success, to PATCH; the code of the error; and its fields. */
const read = response => row(response, conversation)
const cut = response => response.destroy()
const answers = {
  'a lost connection': [cut, null, 'UNAVAILABLE', { isRetryable: true, maybeApplied: false }],
  'a connection lost while writing': [read, cut, 'UNAVAILABLE', { maybeApplied: true }],
  'a server that is out of order': [
    r => fault(r, 500, '0x80044150', 'Generic SQL error'),
    null,
    'UNAVAILABLE',
    {
      httpStatus: 500,
      serviceCode: '0x80044150',
      serviceMessage: 'Generic SQL error',
      maybeApplied: false
    }
  ],
  'a gateway that gave up while writing': [
    read,
    r => fault(r, 502, '', 'Bad gateway'),
    'UNAVAILABLE',
    { httpStatus: 502, maybeApplied: true }
  ],
  'a lacking privilege': [
    r => fault(r, 403, '0x80040220', 'missing prvRead', { 'x-ms-service-request-id': missingId }),
    null,
    'FORBIDDEN',
    {
      httpStatus: 403,
      serviceCode: '0x80040220',
      serviceMessage: 'missing prvRead',
      serviceRequestId: missingId
    }
  ],
  'a lacking privilege to write': [read, r => fault(r, 403, '0x80040220', 'missing prvAppendTo'), 'FORBIDDEN', { maybeApplied: false }],
  'a plug-in': [
    read,
    r => fault(r, 400, '0x80040265', 'Not on Sundays'),
    'REJECTED',
    {
      httpStatus: 400,
      serviceCode: '0x80040265',
      serviceMessage: 'Not on Sundays',
      maybeApplied: false
    }
  ],
  'used up limits': [
    r => fault(r, 429, '0x80072322', 'Number of requests', { 'retry-after': '7' }),
    null,
    'THROTTLED',
    {
      httpStatus: 429,
      retryAfterInMs: 7000,
      isRetryable: true,
      maybeApplied: false
    }
  ],
  'a page for people': [r => r.end('<html>Welcome</html>'), null, 'PROTOCOL', { httpStatus: 200, maybeApplied: false }],
  'another conversation': [r => row(r, missingId), null, 'PROTOCOL', {}],
  'a row without a version': [
    r => json(r, 200, { activityid: conversation, statuscode: 2, _msdyn_customer_value: null, _msdyn_issueid_value: null }),
    null,
    'PROTOCOL',
    {}
  ],
  'a customer of an unknown table': [r => row(r, conversation, { customer: { recordId: missingId } }), null, 'PROTOCOL', {}],
  'a request not understood': [read, r => fault(r, 400, '0x80048d19', 'Undeclared property'), 'PROTOCOL', { httpStatus: 400 }],
  'an answer without an end': [r => r.end(`{"activityid":"${' '.repeat(5 << 20)}"}`), null, 'PROTOCOL', { maybeApplied: false }],
  'a missing table': [r => fault(r, 404, '0x8006088a', 'Resource not found'), null, 'INVALID_CONFIGURATION', { httpStatus: 404 }],
  'a 404 of a proxy': [r => r.writeHead(404).end('<html>'), null, 'INVALID_CONFIGURATION', { httpStatus: 404 }],
  'a table without versions': [
    read,
    r => fault(r, 412, '0x80060883', 'Concurrency is off'),
    'INVALID_CONFIGURATION',
    { maybeApplied: false }
  ],
  'an expired token while writing': [read, r => r.writeHead(401).end(), 'AUTHENTICATION_FAILED', { httpStatus: 401, maybeApplied: false }],
  'a record that is missing': [read, r => fault(r, 404, '0x80040217', 'Does Not Exist'), 'RECORD_NOT_FOUND', { maybeApplied: false }],
  'another value, twice': [
    r => row(r, conversation, { customer: otherAccount }),
    r => row(r, conversation, { customer: otherAccount, etag: 'W/"2"' }),
    'VERIFICATION_FAILED',
    {
      current: otherAccount,
      maybeApplied: true,
      isRetryable: false
    }
  ],
  'no value, twice': [read, read, 'VERIFICATION_FAILED', { current: null, maybeApplied: true }]
}

for (const [what, [get, patch, code, fields]] of Object.entries(answers)) {
  test(`${code}: the server returns ${what}`, { timeout: 60_000 }, async t => {
    const server = await serve(t, ({ method }, response) => (method === 'GET' ? get : patch)(response))
    const error = await rejects(link(client(t, { dataverse: server.dataverse })), code, undefined, { store: 'dataverse', ...fields })
    assert.match(error.requestId, GUID)
    assert.equal(server.requests.includes('PATCH'), patch !== null)
    // A write with an unknown result is followed by a read and sent again on the same condition. Any other is sent once.
    const most = code === 'UNAVAILABLE' && fields.maybeApplied ? 5 : 1
    assert.ok(server.requests.filter(method => method === 'PATCH').length <= most, server.requests.join(' '))
    assert.doesNotMatch(inspect(error) + JSON.stringify(error), /secret-token/)
  })
}

test('PROTOCOL: a redirect is not followed, because the token would follow it', { timeout: 60_000 }, async t => {
  const elsewhere = await serve(t, (_, response) => row(response, conversation))
  const server = await serve(t, (request, response) => response.writeHead(302, { location: elsewhere.url + request.url }).end())
  await rejects(link(client(t, { dataverse: server.dataverse })), 'PROTOCOL', /redirect/, { httpStatus: 302 })
  assert.deepEqual(elsewhere.requests, [])
})

test('CONFLICT: another writer comes first every time', { timeout: 60_000 }, async t => {
  let asked = 0
  let version = 0
  const server = await serve(t, ({ method }, response) =>
    method === 'GET'
      ? row(response, conversation, { etag: `W/"${++version}"` })
      : fault(response, 412, '0x80060882', 'The version does not match')
  )
  const store = client(t, { dataverse: { url: server.url, credential: () => `token-${++asked}` } })
  await rejects(link(store), 'CONFLICT', new RegExp(conversation), { isRetryable: true, maybeApplied: false })
  assert.equal(asked, 1, 'the credential function is called once per call')
  assert.ok(server.requests.filter(method => method === 'PATCH').length > 1, 'it gave up at once')
})

test("the server's message is shortened and redacted", { timeout: 60_000 }, async t => {
  const text = `Token eyJhbGciOi.J9.sig refused, see https://login/?code=hunter2 ${'x'.repeat(1000)}`
  const server = await serve(t, (_, response) => fault(response, 400, '0x80040265', text))
  const error = await rejects(link(client(t, { dataverse: server.dataverse })), 'REJECTED')
  assert.match(error.serviceMessage, /^Token \[redacted\] refused, see \[redacted\] x+$/)
  assert.equal(error.serviceMessage.length, 500)
  assert.doesNotMatch(inspect(error) + JSON.stringify(error), /eyJ|hunter2/)
})

test('a token in a server message is redacted', { timeout: 60_000 }, async t => {
  const server = await serve(t, (request, response) => fault(response, 400, '0x80040265', `${request.headers.authorization} was refused`))
  const error = await rejects(link(client(t, { dataverse: server.dataverse })), 'REJECTED', undefined, { httpStatus: 400 })
  assert.doesNotMatch(inspect(error) + JSON.stringify(error), /secret-token/)
})
