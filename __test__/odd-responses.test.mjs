// Odd responses of a token authority, and of an environment that demands claims.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OmnichannelClient } from 'omnichannel-link'
import { row, serve } from './support/server.mjs'

const conversation = 'b7397aae-ecf8-43a6-aeb0-07d294efb494'
const credential = { tenantId: 'contoso.example', clientId: 'client', clientSecret: 'hunter2' }

/** A token authority and an environment. `grant` is the body of a token response. Returns a read of the conversation and the token requests. */
async function world(t, { grant = '{"access_token":"token"}', answer = response => row(response, conversation), options } = {}) {
  const forms = []
  const server = await serve(t, (request, response) => {
    if (request.method !== 'POST') return answer(response, request)
    let form = ''
    request
      .on('data', part => (form += part))
      .on('end', () => {
        forms.push(new URLSearchParams(form))
        response.writeHead(200, { 'content-type': 'application/json' })
        response.end(typeof grant === 'function' ? grant(forms.length) : grant)
      })
  })
  const dataverse = { ...server.dataverse, credential: { ...credential, authorityHost: server.url }, ...options }
  const client = new OmnichannelClient({ dataverse })
  t.after(() => client.close())
  return { read: () => client.getConversation(conversation), forms, server }
}

const odd = [
  '0',
  '-1',
  '1e999',
  '1e300',
  '18446744073709551615',
  '"soon"',
  '""',
  'null',
  'true',
  '[]',
  '{}',
  '"-1"',
  '"NaN"',
  '"inf"',
  '3599.5',
  '3599.0',
  '"3599.0"',
  '" 3599 "'
]
for (const lifetime of odd) {
  test(`a token with expires_in ${lifetime} is used, and requested once`, async t => {
    const { read, forms } = await world(t, {
      grant: `\ufeff{"token_type":7,"expires_in":${lifetime},"refresh_in":${lifetime},"access_token":"token"}`
    })
    for (let call = 0; call < 3; call++) await read()
    assert.equal(forms.length, 1)
  })
}

test('a token response without a lifetime, odd in other ways, is accepted', async t => {
  const { read, forms } = await world(t, { grant: '{"access_token":"token","x":1e999,"y":"\\ud83d","x":1,"z":[[[[]]]]}\r\n' })
  await read()
  await read()
  assert.equal(forms.length, 1)
})

for (const grant of [
  '{"access_token":"token"}x',
  '{"access_token":"token"}{}',
  '{"access_token":7}',
  '{"access_token":"a","access_token":"b"}',
  '[]',
  ''
]) {
  test(`a token response ${grant} is rejected`, async t => {
    const { read } = await world(t, { grant })
    await assert.rejects(read(), { code: 'AUTHENTICATION_FAILED' })
  })
}

const demanded = '{"access_token":{"acrs":{"essential":true,"value":"~?>c1"}}}'
const claims = Buffer.from(demanded).toString('base64')
const challenges = {
  'in a second line': ['Negotiate', `Bearer claims="${claims}"`],
  'in base64url': [`Bearer claims="${Buffer.from(demanded).toString('base64url')}"`],
  unquoted: [`Bearer error=insufficient_claims, claims=${claims}`],
  'with spaces': [`Bearer claims = "${claims}"`],
  'behind another challenge': [`Basic realm="a, b", Bearer error="x", claims="${claims}"`]
}
for (const [name, lines] of Object.entries(challenges)) {
  const challenge = response => {
    response.writeHead(
      401,
      lines.flatMap(line => ['WWW-Authenticate', line])
    )
    response.end()
  }
  test(`a claims challenge ${name} reaches the token authority`, async t => {
    let challenged = false
    const { read, forms } = await world(t, {
      grant: number => `{"access_token":"token-${number}"}`,
      answer: response => (challenged ? row(response, conversation) : ((challenged = true), challenge(response)))
    })
    await read()
    assert.deepEqual(
      forms.map(form => form.get('claims')),
      [null, demanded]
    )
  })

  test(`a claims challenge ${name} reaches a credential function`, async t => {
    const asked = []
    let challenged = false
    const { read } = await world(t, {
      answer: response => (challenged ? row(response, conversation) : ((challenged = true), challenge(response))),
      options: { credential: ({ claims }) => `token-${asked.push(claims)}` }
    })
    await read()
    assert.deepEqual(asked, [undefined, demanded])
  })
}

test('a secret or token may begin with a byte order mark', async t => {
  const { read, forms, server } = await world(t, { options: {} })
  await read()
  const marked = new OmnichannelClient({
    dataverse: {
      ...server.dataverse,
      credential: Object.fromEntries(
        Object.entries({ ...credential, authorityHost: server.url }).map(([name, text]) => [name, `\ufeff${text}`])
      )
    }
  })
  t.after(() => marked.close())
  await marked.getConversation(conversation)
  assert.equal(String(forms[1]), String(forms[0]))
  const sent = []
  const plain = await world(t, {
    answer: (response, request) => (sent.push(request.headers.authorization), row(response, conversation)),
    options: { credential: '\ufefftoken\r\n' }
  })
  await plain.read()
  assert.deepEqual(sent, ['Bearer token'])
})

const item = subject =>
  `{"activityid":"${conversation}","statuscode":2.0,"_msdyn_customer_value":null,"_msdyn_issueid_value":null,"subject":${subject}}`

test('an odd row hides neither itself nor the others', async t => {
  const { read, server } = await world(t, {
    answer: (response, { url }) => {
      const body = url.includes('msdyn_ocliveworkitems?') ? `{"value":[${item('"fine"')},${item('"x\\ud83d"')}]}` : item('"x\\ud83d"')
      response.writeHead(200, { 'content-type': 'application/json', etag: 'W/"1"' })
      response.end(`\ufeff${body}`)
    }
  })
  const one = await read()
  assert.equal(one.subject, 'x\ufffd')
  assert.equal(one.status, 'active')
  const client = new OmnichannelClient({ dataverse: server.dataverse })
  t.after(() => client.close())
  const subjects = []
  for await (const { subject } of client.getConversations()) subjects.push(subject)
  assert.deepEqual(subjects, ['fine', 'x\ufffd'])
  // It has read the page.
  await assert.rejects(client.waitForConversation({ timeoutInMs: 5000 }), { code: 'AMBIGUOUS' })
})

test('an error keeps its code if its message is cut in half', async t => {
  const { read } = await world(t, {
    answer: response => {
      response.writeHead(404, { 'content-type': 'application/json' })
      response.end('{"error":{"code":"0x80040217","message":"x\\ud83d"}}')
    }
  })
  await assert.rejects(read(), { code: 'CONVERSATION_NOT_FOUND' })
})
