// Faults, clock and reset in the Node package. Rust tests check each fault on the wire: emulator/tests/.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { startEmulator } from '../emulator/index.js'

const CONVERSATION = '7b7c9a3e-0d11-4f9e-9c39-5d0f6f3b1a01'
const ROW = `msdyn_ocliveworkitems(${CONVERSATION})`
const seed = {
  '@odata.context': 'https://contoso.crm4.dynamics.com/api/data/v9.2/$metadata#msdyn_ocliveworkitems',
  value: [{ activityid: CONVERSATION, subject: 'Visitor 17', statecode: 0, statuscode: 2 }]
}

async function start(t) {
  const emulator = await startEmulator({ seed })
  t.after(() => emulator.close())
  return emulator
}

function get({ url, credential }, { token = credential, ...init } = {}) {
  return fetch(`${url}/api/data/v9.2/${ROW}`, { ...init, headers: { authorization: `Bearer ${token}` } })
}

test('rules apply in order and then end', { timeout: 60_000 }, async t => {
  const emulator = await start(t)
  await emulator.faults.add(
    { on: { method: 'GET' }, fault: { kind: 'status', status: 503, headers: { 'retry-after': '3' } } },
    { fault: { kind: 'drop' } }
  )
  await emulator.faults.add([{ fault: { kind: 'throttle', limit: 'concurrency' } }])
  assert.equal(await emulator.faults.waiting(), 3)

  const unavailable = await get(emulator)
  assert.deepEqual([unavailable.status, unavailable.headers.get('retry-after')], [503, '3'])
  await assert.rejects(get(emulator), TypeError)
  const throttled = await get(emulator)
  assert.deepEqual([throttled.status, (await throttled.json()).error.code], [429, '0x80072326'])
  assert.equal((await get(emulator)).status, 200)
  assert.deepEqual(
    (await emulator.requests()).map(({ status, fault }) => [status, fault]),
    [
      [503, 'status'],
      [0, 'drop'],
      [429, 'throttle'],
      [200, null]
    ]
  )

  await emulator.faults.add({ times: 'always', fault: { kind: 'unauthorized' } })
  assert.equal((await get(emulator)).status, 401)
  await emulator.faults.clear()
  assert.equal((await get(emulator)).status, 200)
})

test('a request hangs until it is released or cancelled', { timeout: 60_000 }, async t => {
  const emulator = await start(t)
  await emulator.faults.add({ times: 2, fault: { kind: 'hang' } })
  const pending = get(emulator)
  await emulator.faults.hanging()
  assert.equal((await emulator.requests())[0].status, 0)
  await emulator.faults.release()
  assert.equal((await pending).status, 200)

  const controller = new AbortController()
  const given = get(emulator, { signal: controller.signal })
  await emulator.faults.hanging(1)
  controller.abort()
  await assert.rejects(given, { name: 'AbortError' })
  await emulator.faults.hanging(0)
})

test('moving the clock resets limits and expires tokens', { timeout: 60_000 }, async t => {
  const emulator = await start(t)
  const { tenantId, clientId, clientSecret } = emulator.application
  const token = await fetch(`${emulator.url}/${tenantId}/oauth2/v2.0/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: clientId,
      client_secret: clientSecret,
      scope: `${emulator.url}/.default`
    })
  })
  const { access_token: issued, expires_in: lifetime } = await token.json()
  assert.equal((await get(emulator, { token: issued })).status, 200)
  assert.equal(await emulator.clock.advance(lifetime * 1000), 3_599_000)
  assert.equal((await get(emulator, { token: issued })).status, 401)
  assert.ok(!JSON.stringify(await emulator.requests()).includes(clientSecret))

  await emulator.faults.conditions({ limits: { requests: 1 } })
  assert.equal((await get(emulator)).status, 200)
  assert.equal((await get(emulator)).headers.get('retry-after'), '300')
  await emulator.clock.advance(300_000)
  assert.equal((await get(emulator)).status, 200)
})

test('conditions apply until the next ones replace them', { timeout: 60_000 }, async t => {
  const emulator = await start(t)
  await emulator.faults.conditions({
    alternateKeys: { msdyn_ocliveworkitem: ['subject'] },
    hiddenRelationships: ['msdyn_incident_msdyn_ocliveworkitem'],
    missingPrivileges: ['prvReadActivity'],
    refHonoursIfMatch: false,
    twoValuesForOneLookup: 'refuse'
  })
  const refused = await get(emulator)
  assert.deepEqual([refused.status, (await refused.json()).error.code], [403, '0x80040220'])
  await emulator.faults.conditions({ applicationUserMissing: true })
  assert.equal((await get(emulator)).status, 200)
  for (const [conditions, message] of [
    [{ missingPrivileges: ['prvFly'] }, /`missingPrivileges`: no privilege 'prvFly'/],
    [{ hiddenRelationships: ['x'] }, /`hiddenRelationships`: no relationship 'x'/],
    [{ alternateKeys: { nope: [] } }, /`alternateKeys`: no table 'nope'/],
    [{ twoValuesForOneLookup: 'both' }, /unknown variant `both`/]
  ]) {
    await assert.rejects(emulator.faults.conditions(conditions), { name: 'TypeError', message })
  }
})

test('random faults repeat with their seed, and reset restores the start', { timeout: 60_000 }, async t => {
  const emulator = await start(t)
  const runs = []
  for (const _ of [1, 2]) {
    const faults = [{ kind: 'status', status: 500 }, { kind: 'unauthorized' }]
    await emulator.faults.random({ seed: 42, rate: 0.5, faults })
    for (let n = 0; n < 20; n += 1) await get(emulator)
    runs.push((await emulator.requests()).map(({ number, status, fault }) => ({ number, status, fault })))
    await emulator.reset()
    assert.deepEqual(await emulator.requests(), [])
  }
  assert.deepEqual(runs[0], runs[1])
  assert.equal(new Set(runs[0].map(({ status }) => status)).size, 3)
  assert.equal(await emulator.clock.now(), 0)
  assert.equal((await get(emulator)).status, 200)
})

test('invalid rules and plans are rejected by name', { timeout: 60_000 }, async t => {
  const { faults, clock } = await start(t)
  const drop = { kind: 'drop' }
  for (const [work, message] of [
    [() => faults.add({ tims: 1, fault: drop }), /^faults\.add: .*unknown field `tims`/],
    [() => faults.add({ fault: { kind: 'dorp' } }), /unknown variant `dorp`/],
    [() => faults.add(), null],
    [() => faults.random({ seed: 1, rate: 2, faults: [drop] }), /^faults\.random: `rate` must be from 0 to 1/],
    [() => faults.conditions({ limit: {} }), /^faults\.conditions: .*unknown field `limit`/],
    [() => faults.hanging(-1), /^faults\.hanging: /],
    [() => clock.advance('1'), /^clock\.advance: /],
    [() => clock.advance(), /^clock\.advance: /]
  ]) {
    if (message === null) await work()
    else await assert.rejects(work(), { name: 'TypeError', message })
  }
  assert.equal(await faults.waiting(), 0)
})
