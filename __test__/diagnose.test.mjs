// diagnose() as JavaScript sees it. What it finds is tested in tests/diagnose.
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startEmulator } from 'omnichannel-link-emulator'
import { afterwards } from './support/afterwards.mjs'
import { run } from './support/child.mjs'
import { rejects } from './support/expect.mjs'
import { conversation, data } from './support/sample.mjs'
import { serve } from './support/server.mjs'
import { client, emptyEmbedded, emulator, filesOf, stores } from './support/stores.mjs'

const typings = readFileSync(fileURLToPath(new URL('../types/diagnose.d.ts', import.meta.url)), 'utf8')
/** The names of a union in diagnose.d.ts. */
const union = name =>
  typings
    .split(`export type ${name} =`)[1]
    .split('\n\n')[0]
    .match(/'\w+'/g)
    .map(text => text.slice(1, -1))

/** Expects a report of the documented form, and returns its checks by name. */
function isReport({ store, target, healthy, checks, ...rest }, expected) {
  assert.deepEqual(rest, {})
  assert.deepEqual({ store, target }, expected)
  assert.equal(
    healthy,
    checks.every(({ status }) => status !== 'failed')
  )
  for (const check of checks) {
    assert.deepEqual(Object.keys(check).toSorted(), ['code', 'durationInMs', 'fix', 'found', 'meaning', 'name', 'status'])
    const { name, status, found, meaning, fix, code, durationInMs } = check
    for (const text of [name, found, meaning]) assert.ok(typeof text === 'string' && text.length > 0, `${name}: ${text}`)
    assert.ok(['passed', 'failed', 'skipped'].includes(status))
    if (status === 'failed') assert.ok(fix.length > 0 && typeof code === 'string')
    else assert.deepEqual([fix, code], [null, null])
    assert.ok(durationInMs >= 0)
  }
  return Object.fromEntries(checks.map(check => [check.name, check]))
}

test('a Dataverse client reports the network, the caller and the tables', { timeout: 60_000 }, async t => {
  const { url, credential } = await emulator(t)
  const report = await client(t, { dataverse: { url, credential } }).diagnose()
  const checks = isReport(report, { store: 'dataverse', target: url })
  assert.ok(report.healthy, JSON.stringify(report))
  assert.deepEqual(Object.keys(checks), union('DataverseCheckName'))
  assert.ok(!JSON.stringify(report).includes(credential))
})

test('over https it reports the certificate of the server', { timeout: 60_000 }, async t => {
  const server = await startEmulator({ seed: data, tls: true })
  afterwards(t, () => server.close())
  const { url, credential, caCertificate } = server
  const trusting = client(t, { dataverse: { url, credential, caCertificates: caCertificate } })
  assert.match(isReport(await trusting.diagnose(), { store: 'dataverse', target: url }).tls.found, /issued by omnichannel-link-emulator/)

  const report = await client(t, { dataverse: { url, credential } }).diagnose()
  const { tls, whoAmI } = isReport(report, { store: 'dataverse', target: url })
  assert.deepEqual([report.healthy, tls.status, tls.code, whoAmI.status], [false, 'failed', 'INVALID_CONFIGURATION', 'skipped'])
  assert.match(tls.found, /issued by omnichannel-link-emulator/)
  assert.match(tls.fix, /caCertificates/)
})

test('the report contains failures with the error codes that a link would get', { timeout: 60_000 }, async t => {
  const server = await emulator(t)
  await server.faults.conditions({ concurrencyOff: ['msdyn_ocliveworkitem'] })
  const examined = client(t, { dataverse: { url: server.url, credential: server.credential } })
  const { concurrency } = isReport(await examined.diagnose(), { store: 'dataverse', target: server.url })
  const error = await examined.linkToConversation('incident', '6b726d86-d37c-43b8-b3a4-c4056ddd2e07', conversation).catch(error => error)
  assert.equal(concurrency.code, error.code)
})

test('an embedded client reports on its file and creates none', { timeout: 60_000 }, async t => {
  const { client: empty, path } = emptyEmbedded(t)
  const report = await empty.diagnose()
  const checks = isReport(report, { store: 'embedded', target: path })
  assert.ok(report.healthy)
  assert.deepEqual(Object.keys(checks), union('EmbeddedCheckName'))
  assert.equal(checks.contents.status, 'skipped')
  assert.deepEqual(filesOf(dirname(path)), [])

  const { client: filled } = await stores.embedded(t)
  assert.match((await filled.diagnose()).checks.at(-1).found, /^Conversations: \d+\. .* Dangling links: 2\.$/)
})

test('a file without permissions is not reported as healthy', { timeout: 60_000, skip: process.platform === 'win32' }, async t => {
  const folder = dirname(emptyEmbedded(t).path)
  for (const name of ['hidden', 'closed', 'open']) mkdirSync(join(folder, name))
  const page = { '@odata.context': 'https://x/$metadata#accounts', value: [] }
  const filled = client(t, { embedded: { path: join(folder, 'hidden', 'links.db') } })
  await filled.importRecords(page)
  await filled.close()
  // As a file that was copied there: not in WAL, so that the first write makes a log.
  writeFileSync(join(folder, 'closed', 'empty.db'), '')
  for (const [name, mode] of Object.entries({ '.': 0o755, open: 0o777, hidden: 0o000, closed: 0o555, 'closed/empty.db': 0o666 }))
    chmodSync(join(folder, name), mode)
  const code = `
    // root may do everything.
    if (process.getuid() === 0) process.setgid(65534), process.setuid(65534)
    ;(async () => {
      const reports = []
      for (const path of paths) {
        const client = new link.OmnichannelClient({ embedded: { path } })
        const { healthy, checks } = await client.diagnose()
        const imported = await client.importRecords(page).then(() => true, () => false)
        const { name, found, fix } = checks.find(check => check.status === 'failed') ?? {}
        reports.push([healthy, imported, name, found, fix])
        await client.close()
      }
      console.log(JSON.stringify(reports))
    })()`
  const paths = ['hidden/links.db', 'hidden/missing.db', 'closed/missing.db', 'closed/empty.db', 'open/missing.db'].map(path =>
    join(folder, path)
  )
  const reports = await run(t, code, { paths, page }).finally(() => chmodSync(join(folder, 'hidden'), 0o700))
  assert.deepEqual(
    reports.map(([healthy, imported, name]) => [healthy, imported, name]),
    [
      [false, false, 'file'],
      [false, false, 'file'],
      [false, false, 'file'],
      [false, false, 'writable'],
      [true, true, null]
    ]
  )
  assert.match(reports[0][3], /cannot be accessed: Permission denied/)
  assert.match(reports[2][3], /may not create files in the folder/)
  for (const [, , , , fix] of reports.slice(0, 4)) assert.match(fix, /permission/)
})

test('invalid options are rejected by name', { timeout: 60_000 }, async t => {
  const { client: embedded } = emptyEmbedded(t)
  const { url, credential } = await emulator(t)
  const dataverse = client(t, { dataverse: { url, credential } })
  for (const examined of [embedded, dataverse]) {
    for (const [options, name] of [
      [{ prob: conversation }, /`options\.prob`/],
      [{ probe: conversation }, /`options\.probe`/],
      [{ timeoutInMs: 0 }, /`options\.timeoutInMs`/],
      [{ signal: 5 }, /`options\.signal`/],
      [{ callerObjectId: conversation }, /`options\.callerObjectId`/],
      ['x', /`options`/]
    ])
      await rejects(examined.diagnose(options), 'INVALID_ARGUMENT', name)
  }
})

test('a closed client, a signal and the deadline reject', { timeout: 60_000 }, async t => {
  const { dataverse } = await serve(t)
  const examined = client(t, { dataverse })
  await rejects(examined.diagnose({ timeoutInMs: 1 }), 'TIMEOUT')
  const reason = new Error('enough')
  await assert.rejects(examined.diagnose({ signal: AbortSignal.abort(reason) }), error => error === reason)
  const controller = new AbortController()
  const aborted = examined.diagnose({ signal: controller.signal })
  controller.abort(reason)
  await assert.rejects(aborted, error => error === reason)
  await examined.close()
  await rejects(examined.diagnose(), 'CLOSED')
})

test('the default client can be diagnosed', { timeout: 60_000 }, async t => {
  const cwd = dirname(emptyEmbedded(t).path)
  const code = 'link.defaultClient().diagnose().then(({ target, healthy }) => console.log(JSON.stringify({ target, healthy })))'
  assert.deepEqual(await run(t, code, { cwd }), { target: join(cwd, 'omnichannel-link.db'), healthy: true })
})
