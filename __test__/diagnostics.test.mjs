// Diagnostics channels and the log.
import assert from 'node:assert/strict'
import { execFile, execFileSync, spawn } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { closeSync, constants, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { OmnichannelClient } from 'omnichannel-link'
import { startEmulator } from 'omnichannel-link-emulator'
import { afterwards, folder } from './support/afterwards.mjs'
import { GUID } from './support/expect.mjs'

const conversation = 'b7397aae-ecf8-43a6-aeb0-07d294efb494'
const incident = '6b726d86-d37c-43b8-b3a4-c4056ddd2e07'
const root = fileURLToPath(new URL('..', import.meta.url))
let emulator

before(async () => {
  emulator = await startEmulator({ seed: fileURLToPath(new URL('../examples/data', import.meta.url)) })
})
after(() => emulator.close())

/** Collects the messages of a channel until the test ends. `until(n)` resolves when there are `n`. */
function collect(t, name) {
  const messages = []
  let wake
  const listener = message => {
    messages.push(message)
    wake?.()
  }
  subscribe(`omnichannel-link:${name}`, listener)
  t.after(() => unsubscribe(`omnichannel-link:${name}`, listener))
  const until = async count => {
    while (messages.length < count) await new Promise(resolve => (wake = resolve))
    return messages
  }
  return { messages, until }
}

function client(t, options) {
  const { url, credential } = emulator
  const made = new OmnichannelClient({ dataverse: { url, credential, retryOptions: { retryDelayInMs: 1 }, ...options } })
  t.after(() => made.close())
  return made
}

test('each attempt, retry and pause is published', { timeout: 60_000 }, async t => {
  await emulator.reset()
  await emulator.faults.add(
    { on: { method: 'GET' }, fault: { kind: 'status', status: 503 } },
    { on: { method: 'PATCH' }, fault: { kind: 'throttle', limit: 'requests', retryAfterInSeconds: 0 } }
  )
  const [request, retry, throttle] = ['request', 'retry', 'throttle'].map(name => collect(t, name))
  const { requestId } = await client(t).linkToConversation('incident', incident, conversation)
  const subject = { host: new URL(emulator.url).host, path: `/api/data/v9.2/msdyn_ocliveworkitems(${conversation})`, requestId }
  const requests = await request.until(4)
  for (const message of requests) {
    assert.ok(message.durationInMs >= 0)
    if (message.status !== 503) assert.match(message.serviceRequestId, GUID)
  }
  const told = (method, attempt, status, { durationInMs, serviceRequestId }) => ({
    ...subject,
    method,
    attempt,
    status,
    error: null,
    durationInMs,
    serviceRequestId
  })
  assert.deepEqual(requests, [
    told('GET', 1, 503, requests[0]),
    told('GET', 2, 200, requests[1]),
    told('PATCH', 1, 429, requests[2]),
    told('PATCH', 2, 200, requests[3])
  ])
  const retries = await retry.until(2)
  assert.deepEqual(
    retries.map(({ method, attempt, status, error }) => [method, attempt, status, error]),
    [
      ['GET', 1, 503, null],
      ['PATCH', 1, 429, null]
    ]
  )
  assert.ok(retries.every(({ delayInMs }) => delayInMs >= 1))
  const [{ delayInMs, ...pause }] = await throttle.until(1)
  assert.deepEqual(pause, { ...subject, method: 'PATCH', attempt: 1 })
  assert.ok(delayInMs >= 1)
})

test('an attempt without a response has a reason', { timeout: 60_000 }, async t => {
  await emulator.reset()
  await emulator.faults.add({ fault: { kind: 'drop' } }, { fault: { kind: 'hang' } })
  const request = collect(t, 'request')
  const aborting = new AbortController()
  const call = client(t, { retryOptions: { retryDelayInMs: 1, maxRetries: 1 } }).linkToConversation('incident', incident, conversation, {
    signal: aborting.signal
  })
  await emulator.faults.hanging()
  aborting.abort()
  await assert.rejects(call, { name: 'AbortError' })
  assert.deepEqual(
    (await request.until(2)).map(({ status, error }) => [status, error]),
    [
      [null, 'Interrupted'],
      [null, 'cancelled']
    ]
  )
})

test('nothing is published without a subscriber', { timeout: 60_000 }, async t => {
  await emulator.reset()
  const made = client(t)
  const heard = []
  const listener = message => heard.push(message)
  subscribe('omnichannel-link:request', listener)
  unsubscribe('omnichannel-link:request', listener)
  await made.linkToConversation('incident', incident, conversation)
  assert.deepEqual(heard, [])
})

const program = `
  const { OmnichannelClient } = require('omnichannel-link')
  const client = new OmnichannelClient({ dataverse: { credential: process.env.TOKEN, retryOptions: { retryDelayInMs: 1 } } })
  client.linkToConversation('incident', '${incident}', '${conversation}').then(({ requestId }) => console.log(requestId))
`

for (const [level, lines] of [
  [
    'debug',
    [
      /^request GET .*: 503 after \d+ ms/,
      /^retry GET .*: 503, again in \d+ ms/,
      /^request GET .*: 200 .*service request /,
      /^request PATCH .*: 200 /
    ]
  ],
  ['warn', [/^retry GET /]],
  ['off', []],
  ['', []]
]) {
  test(`OMNICHANNEL_LINK_LOG=${level} writes to stderr`, { timeout: 60_000 }, async () => {
    await emulator.reset()
    await emulator.faults.add({ on: { method: 'GET' }, fault: { kind: 'status', status: 503 } })
    const env = { ...process.env, DATAVERSE_URL: emulator.url, TOKEN: emulator.credential, OMNICHANNEL_LINK_LOG: level }
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ['-e', program], { cwd: root, env })
    const written = stderr.split('\n').filter(line => line.startsWith('OMNICHANNEL_LINK '))
    assert.equal(written.length, lines.length, stderr)
    for (const [number, line] of written.entries()) {
      assert.match(line.replace(/^OMNICHANNEL_LINK \d+: /, ''), lines[number])
      assert.ok(line.endsWith(`, call ${stdout.trim()}`))
    }
    assert.ok(!stderr.includes(emulator.credential) && !stderr.includes('$select'))
  })
}

test('a stderr that is never read blocks neither calls nor the exit', { skip: process.platform === 'win32', timeout: 60_000 }, async t => {
  await emulator.reset()
  const pipe = join(folder(t), 'stderr')
  execFileSync('mkfifo', [pipe])
  // Open at both ends, so that opening does not block and the pipe has a reader.
  const stderr = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK)
  afterwards(t, () => closeSync(stderr))
  // More than the buffer of a pipe.
  const program = `
    const { OmnichannelClient } = require('omnichannel-link')
    const client = new OmnichannelClient({ dataverse: { credential: process.env.TOKEN } })
    const read = () => client.getConversation('${conversation}')
    ;(async () => {
      for (let round = 0; round < 10; round++) await Promise.all(Array.from({ length: 100 }, read))
      console.log('done')
    })()`
  const env = { ...process.env, DATAVERSE_URL: emulator.url, TOKEN: emulator.credential, OMNICHANNEL_LINK_LOG: 'debug' }
  const blocking = openSync(pipe, 'w')
  const child = spawn(process.execPath, ['-e', program], { cwd: root, env, stdio: ['ignore', 'pipe', blocking] })
  closeSync(blocking)
  afterwards(t, () => child.kill('SIGKILL'))
  const [stdout] = await once(child.stdout.setEncoding('utf8'), 'data')
  assert.equal(stdout, 'done\n')
  assert.deepEqual(await once(child, 'exit'), [0, null])
  const kept = Buffer.alloc(1 << 16)
  const lines = kept.toString('utf8', 0, readSync(stderr, kept)).split('\n')
  for (const line of lines.slice(0, -1)) assert.match(line, /^OMNICHANNEL_LINK \d+: request GET .*: 200 /)
})
