// The server repeats three secrets in every part of its responses. They must not appear in anything that a program can
// show: plain, percent-encoded or in base64.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const token = 's3ntinel-T0ken~with/every+kind=of.char'
const clientSecret = 's3ntinel~Client.Secret/+=?&%'
const password = 's3ntinel proxy:p@ss/word+%'
const secrets = { token, clientSecret, password }

const percent = text => Buffer.from(text).reduce((all, byte) => `${all}%${byte.toString(16).padStart(2, '0')}`, '')

/** The characters of its base64 that depend on the secret alone, not on the text around it. */
function base64(secret, encoding) {
  return [0, 1, 2].map(shift => {
    const bytes = Buffer.concat([Buffer.alloc(shift), Buffer.from(secret)])
    return bytes.toString(encoding).slice([0, 2, 3][shift], Math.floor((bytes.length * 8) / 6))
  })
}

const forms = secret => [
  secret,
  encodeURIComponent(secret),
  percent(secret),
  percent(secret).toUpperCase(),
  new URLSearchParams({ _: secret }).toString().slice(2),
  JSON.stringify(secret).slice(1, -1),
  ...base64(secret, 'base64'),
  ...base64(secret, 'base64url')
]
const found = (text, secret) => forms(secret).filter(form => text.includes(form))

/** The responses of a server that repeats everything, in order. */
const answers = [
  said => ({ status: 400, body: { error: { code: said, message: said, error_codes: [said] } } }),
  said => ({
    status: 401,
    headers: { 'www-authenticate': `Bearer error="${said}", claims="${said}"` },
    body: { Message: said, ErrorCode: said }
  }),
  said => ({
    status: 400,
    body: { error: 'invalid_client', error_description: said, error_codes: [7000215], trace_id: said, correlation_id: said }
  }),
  said => ({
    status: 200,
    headers: { etag: said, 'x-ms-service-request-id': said, req_id: said },
    body: { '@odata.etag': said, activityid: said }
  }),
  said => ({ status: 200, body: { activityid: 'b7397aae-ecf8-43a6-aeb0-07d294efb494', statuscode: said, access_token: { said } } }),
  said => ({ status: 302, headers: { location: `https://evil.example/?said=${encodeURIComponent(said)}` }, body: said }),
  said => ({ status: 403, body: { error: { code: '0x80040220', message: `Principal ${said} misses a privilege` } } }),
  // Longer than the timeout of any call.
  said => ({
    status: 429,
    headers: { 'retry-after': '3600', 'x-ms-retry-after-ms': said },
    body: { error: { code: said, message: said } }
  }),
  said => ({ status: 500, headers: { 'content-type': 'text/html' }, body: `<html>${said}</html>` }),
  said => ({ status: 503, statusMessage: said.replaceAll(/[^\w-]/g, ''), body: said })
]

test('no secret is shown, in whatever form the server repeats it', { timeout: 120_000 }, async t => {
  let reached = ''
  let turn = 0
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const { authorization = '' } = request.headers
    reached += `${authorization} ${decodeURIComponent(body.replaceAll('+', ' '))} `
    const bare = authorization.replace('Bearer ', '') || new URLSearchParams(body).get('client_secret') || ''
    const said = [
      bare,
      authorization,
      body,
      Buffer.from(bare).toString('base64'),
      btoa(`app:${bare}`),
      encodeURIComponent(bare),
      percent(bare)
    ].join(' and ')
    const { status, headers, statusMessage, body: answer } = answers[turn++ % answers.length](said)
    response.writeHead(status, statusMessage, { 'content-type': 'application/json', ...headers })
    response.end(typeof answer === 'string' ? answer : JSON.stringify(answer))
  })
  server.on('connect', (request, socket) => {
    const said = request.headers['proxy-authorization'] ?? ''
    reached += `${atob(said.replace('Basic ', ''))} `
    socket.end(`HTTP/1.1 407 Proxy ${said}\r\nProxy-Authenticate: NTLM ${said}\r\ncontent-length: ${said.length}\r\n\r\n${said}`)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const url = `http://127.0.0.1:${server.address().port}`
  const proxy = `http://me:${encodeURIComponent(password)}@127.0.0.1:${server.address().port}`
  const env = {
    ...process.env,
    OMNICHANNEL_LINK_LOG: 'debug',
    INDISCREET: JSON.stringify({ url, token, clientSecret, proxy, runs: answers.length })
  }
  const child = spawn(process.execPath, [fileURLToPath(new URL('support/indiscreet.mjs', import.meta.url))], { env })
  let shown = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => (shown += text))
  const [code] = await once(child, 'close')
  assert.equal(code, 0, shown)
  for (const [name, secret] of Object.entries(secrets)) {
    assert.ok(reached.includes(secret), `the ${name} reached the server`)
    assert.deepEqual(found(shown, secret), [], `the ${name} is shown nowhere`)
    // The search works.
    for (const form of forms(secret)) assert.notEqual(found(`${shown}${form}`, secret).length, 0)
  }
  for (const expected of [
    'AUTHENTICATION_FAILED',
    'PROTOCOL',
    'FORBIDDEN',
    'THROTTLED',
    'UNAVAILABLE',
    'INVALID_CONFIGURATION',
    '[redacted]',
    'OMNICHANNEL_LINK'
  ]) {
    assert.ok(shown.includes(expected), `${expected} was among what was shown`)
  }
})
