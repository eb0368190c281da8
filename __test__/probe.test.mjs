// tools/probe against the emulator: the recording, the restoration, and what stays secret.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { afterwards, folder } from './support/afterwards.mjs'
import { byStatus, conversation, otherAccount } from './support/sample.mjs'
import { emulator, readServer } from './support/stores.mjs'

const program = fileURLToPath(new URL('../tools/probe/probe.mjs', import.meta.url))

/** Starts the probe. `ended` resolves with its exit code, its output and the lines of its recording. */
function probe(t, env, ...args) {
  const out = join(folder(t), 'recording.jsonl')
  const child = spawn(process.execPath, [program, '--out', out, ...args], { env: { PATH: process.env.PATH, ...env } })
  afterwards(t, () => child.kill('SIGKILL'))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => (output += text))
  const ended = once(child, 'close').then(([code]) => {
    const recorded = existsSync(out) ? readFileSync(out, 'utf8') : ''
    const lines = recorded
      .split('\n')
      .filter(Boolean)
      .map(line => JSON.parse(line))
    const answers = Object.fromEntries(lines.filter(({ kind }) => kind === 'answer').map(({ question, answer }) => [question, answer]))
    return { code, output, recorded, exchanges: lines.filter(({ kind }) => kind === 'exchange'), answers }
  })
  return { child, ended }
}

const environment = ({ url, credential }) => ({ DATAVERSE_URL: url, DATAVERSE_TOKEN: credential })
const writes = exchanges => exchanges.filter(({ request }) => !['GET', 'POST'].includes(request.method))

test('it answers every question, records every exchange, and restores the customer', { timeout: 60_000 }, async t => {
  const server = await emulator(t)
  const before = await readServer(server, conversation)
  await server.reset()
  const { code, output, recorded, exchanges, answers } = await probe(t, environment(server), '--conversation', conversation, '--yes').ended
  assert.equal(code, 0, output)
  assert.deepEqual(await readServer(server, conversation), before)
  assert.equal(exchanges.length, (await server.requests()).length - 1)
  for (const { request, response, durationInMs } of exchanges) {
    assert.equal(request.headers.authorization, '***')
    assert.ok(response.status >= 200 && typeof response.body === 'string' && typeof response.headers === 'object' && durationInMs >= 0)
  }
  assert.ok(!recorded.includes(server.credential) && !output.includes(server.credential))
  for (const { request } of writes(exchanges)) assert.match(request.headers['if-match'], /^W\/"/)
  assert.match(answers.optimisticConcurrency, /^true; the set is msdyn_ocliveworkitems, the key activityid/)
  assert.match(answers.navigationProperties, /msdyn_IssueId_msdyn_ocliveworkitem/)
  assert.match(answers.writeInStatus, /^statuscode 2: Accepted/)
  assert.match(answers.noOpWrite, /^Yes/)
  assert.match(answers.etagOn204, /^Accepted \(204\)\. Without/)
  for (const name of ['staleVersion', 'stalePutReference', 'staleDeleteReference'])
    assert.match(answers[name], /^Rejected \(412, 0x80060882\)/, name)
  assert.match(answers.wrongTypeNull, /now has no customer/)
  assert.match(answers.wrongTypeBind, /^Rejected \(400/)
  assert.match(answers.restore, /as before the probe/)
  assert.match(output, new RegExp(`change one row: msdyn_ocliveworkitems\\(${conversation}\\)`))
})

test('without --yes it names the row and writes nothing, without a conversation it only reads', { timeout: 60_000 }, async t => {
  const server = await emulator(t)
  for (const [args, status, words] of [
    [['--conversation', conversation], 2, /change one row: .*\n[^]*Add --yes/],
    [[], 0, /nothing was written/]
  ]) {
    const { code, output, exchanges } = await probe(t, environment(server), ...args).ended
    assert.equal(code, status, output)
    assert.match(output, words)
    assert.deepEqual(writes(exchanges), [])
  }
  for (const [args, words] of [
    [['--yes'], /needs --conversation/],
    [['--conversation', 'x'], /not a GUID/],
    [['--x'], /Usage/]
  ]) {
    const { code, output } = await probe(t, environment(server), ...args).ended
    assert.equal(code, 1)
    assert.match(output, words)
  }
})

test('the customer comes back after an interruption and after lost responses', { timeout: 60_000 }, async t => {
  const server = await emulator(t)
  const before = await readServer(server, conversation)
  const run = () => probe(t, environment(server), '--conversation', conversation, '--yes')
  // The sixth PATCH is the first that changes the customer.
  await server.faults.add({ on: { method: 'PATCH', nth: 6 }, fault: { kind: 'hang', commit: true } })
  const interrupted = run()
  await server.faults.hanging(1)
  assert.notDeepEqual(await readServer(server, conversation), before)
  interrupted.child.kill('SIGTERM')
  interrupted.child.kill('SIGINT')
  const { code, output } = await interrupted.ended
  if (process.platform !== 'win32') {
    assert.equal(code, 130, output)
    assert.deepEqual(await readServer(server, conversation), before)
  }
  for (const nth of [1, 6, 9]) {
    await server.reset()
    await server.faults.add({ on: { method: 'PATCH', nth }, fault: { kind: 'drop', commit: true } })
    const { code, output, answers } = await run().ended
    assert.equal(code, 0, output)
    assert.match(answers.restore, /as before the probe/)
    assert.deepEqual(await readServer(server, conversation), before)
  }
})

test("another writer's change ends the experiments and stays", { timeout: 60_000 }, async t => {
  const server = await emulator(t)
  await server.faults.add({
    on: { method: 'PATCH', nth: 9 },
    fault: { kind: 'writer', when: 'before', changes: { msdyn_customer: otherAccount } }
  })
  const { code, output, answers } = await probe(t, environment(server), '--conversation', conversation, '--yes').ended
  assert.equal(code, 1, output)
  assert.match(answers.restore, /was left alone/)
  assert.deepEqual((await readServer(server, conversation)).customer, otherAccount)
})

test('the application signs in, and its secret is not recorded', { timeout: 60_000 }, async t => {
  const server = await emulator(t)
  const { tenantId, clientId, clientSecret } = server.application
  const env = {
    DATAVERSE_URL: server.url,
    AZURE_TENANT_ID: tenantId,
    AZURE_CLIENT_ID: clientId,
    AZURE_CLIENT_SECRET: clientSecret,
    AZURE_AUTHORITY_HOST: server.url
  }
  // The server repeats the secret.
  await server.faults.add({ on: { path: 'WhoAmI' }, fault: { kind: 'status', status: 403, message: `You sent ${clientSecret}` } })
  const { code, output, recorded, answers } = await probe(t, env, '--conversation', byStatus.waiting, '--yes').ended
  assert.equal(code, 0, output)
  assert.match(answers.whoAmI, /You sent \*\*\*/)
  assert.match(answers.writeInStatus, /^statuscode 3: Accepted/)
  assert.ok(!recorded.includes(clientSecret) && !output.includes(clientSecret))
  const refused = await probe(t, { ...env, AZURE_CLIENT_SECRET: 'hunter2' }).ended
  assert.equal(refused.code, 1)
  assert.ok(!refused.output.includes('hunter2'))
})
