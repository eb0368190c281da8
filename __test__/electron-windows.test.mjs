// The kit in a real Electron: its IPC, origins, crashes and navigation. electron.test.mjs tests the rest without one.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { folder } from './support/afterwards.mjs'
import { link, unlink } from './support/page-scripts.mjs'
import { options, start } from './support/real-electron.mjs'
import { account, contact, conversation, conversations, emptyConversation, incident, page, pages, rows } from './support/sample.mjs'
import { client as clientOf, emulator, readFile, readServer } from './support/stores.mjs'

const program = fileURLToPath(new URL('support/windows.cjs', import.meta.url))
const samples = pages.map(set => page(set, ...rows[set]))
const linkIncident = `Microsoft.Omnichannel.linkToConversation('incident', '${incident.recordId}')`
const getId = 'Microsoft.Omnichannel.getConversationId()'
const refresh = `Microsoft.Apm.refreshTab('tab')`

/** Both stores with the sample data and other pages: the options of a client, and access without one. */
const stores = {
  async embedded(t, ...more) {
    const path = join(folder(t), 'links.db')
    const importer = clientOf(t, { embedded: { path } })
    for (const page of [...samples, ...more]) await importer.importRecords(page)
    await importer.close()
    return { options: { embedded: { path } }, read: id => readFile(path, id) }
  },
  async dataverse(t, ...more) {
    const server = await emulator(t, [...samples, ...more])
    const { url, credential, faults } = server
    return { options: { dataverse: { url, credential } }, read: id => readServer(server, id), faults }
  }
}

/** Starts the program with two windows. `run(name, expression)` evaluates an expression in the page of one. */
async function open(t, storeOptions) {
  const { main } = await start(t, program)
  await main(({ program }, options) => program.open(options), storeOptions)
  const run = (name, expression) =>
    main(({ program }, name, expression) => program.run(program.windows[name].mainFrame, expression), name, expression)
  const focus = (name, id) => main(({ program }, name, id) => program.service.focus(program.windows[name], id), name, id)
  // Messages keep their order: with the response to this call, earlier events have arrived.
  const seen = async name => (await run(name, `${getId}.catch(() => {}).then(() => seen)`)).value
  const windowsOf = id => main(({ program }, id) => program.service.getWindows(id).length, id)
  const close = () => main(({ program }) => program.client.close())
  return { main, run, focus, seen, windowsOf, close }
}

for (const [name, store] of Object.entries(stores)) {
  describe(name, () => {
    test("the documentation's scripts, the focus, refreshTab and events work in two windows", options, async t => {
      const { options, read } = await store(t)
      const { main, run, focus, seen, close } = await open(t, options)
      await focus('one', conversation)
      await focus('other', emptyConversation)
      for (const script of [link, unlink, link]) {
        await main(({ program }, script) => program.windows.one.executeJavaScript(script), script)
        // The script does not return the promise of refreshTab, so another call follows it.
        assert.deepEqual(await run('one', getId), { value: conversation })
      }
      assert.deepEqual(
        await main(({ program }) => program.refreshed),
        [1, 2, 3].map(() => ['tab-id-3', 'one'])
      )
      assert.equal((await run('other', linkIncident)).value.liveWorkItemId, emptyConversation)
      assert.deepEqual([await seen('one'), await seen('other')], [['linked', 'unlinked', 'linked'], ['linked']])
      const refused = `Microsoft.Omnichannel.unlinkFromConversation('account', '${account.recordId}')`
      assert.deepEqual(await run('other', refused), { failure: 'NOT_LINKED' })
      assert.deepEqual(
        [await seen('one'), await seen('other')],
        [
          ['linked', 'unlinked', 'linked'],
          ['linked', 'failed']
        ]
      )
      await close()
      assert.deepEqual(await read(conversation), { customer: account, case: incident })
      assert.deepEqual(await read(emptyConversation), { customer: null, case: incident })
    })

    test('the main process goes on with 256 links in flight', options, async t => {
      const many = conversations(256)
      const ids = many.value.map(({ activityid }) => activityid)
      const { options, read } = await store(t, many)
      const { main, close } = await open(t, options)
      const { links, seconds, delays } = await main(
        async ({ program, require }, ids, records) => {
          const delay = require('node:perf_hooks').monitorEventLoopDelay({ resolution: 1 })
          const linkAll = async id => {
            for (const { entityLogicalName, recordId } of records) await program.client.linkToConversation(entityLogicalName, recordId, id)
          }
          const begun = performance.now()
          delay.enable()
          await Promise.all(ids.map(linkAll))
          delay.disable()
          const delays = [50, 99, 100].map(percentile => delay.percentile(percentile) / 1e6)
          return { links: ids.length * records.length, seconds: (performance.now() - begun) / 1000, delays }
        },
        ids,
        Array.from({ length: 32 }, (_, round) => (round % 2 === 0 ? account : contact))
      )
      const [half, most, all] = delays.map(delay => delay.toFixed(1))
      t.diagnostic(
        `${links} links in ${seconds.toFixed(2)} s, 256 in flight; delay of the event loop: median ${half} ms, 99% ${most} ms, longest ${all} ms`
      )
      await close()
      for (const id of [ids[0], ids[255]]) assert.deepEqual(await read(id), { customer: contact, case: null })
    })
  })
}

test('a window that crashes disturbs no other, and has its focus again when it is loaded again', options, async t => {
  const { options, read, faults } = await stores.dataverse(t)
  const { main, run, focus, seen, windowsOf } = await open(t, options)
  for (const name of ['one', 'other']) await focus(name, conversation)
  await faults.add({ on: { method: 'PATCH' }, fault: { kind: 'hang' } })
  // Without an answer: its page will be gone.
  run('one', linkIncident).catch(() => {})
  await faults.hanging()
  const reason = await main(
    ({ program: { windows } }) =>
      new Promise(resolve => {
        windows.one.once('render-process-gone', (_event, { reason }) => resolve(reason))
        windows.one.forcefullyCrashRenderer()
      })
  )
  assert.match(reason, /^(crashed|killed)$/)
  const linked = main(({ program: { client } }) => new Promise(resolve => client.once('linked', () => resolve())))
  await faults.release()
  await linked
  assert.deepEqual(await seen('other'), ['linked'])
  assert.deepEqual(await run('other', linkIncident).then(({ value }) => value.additionalDetails.outcome.status), 'alreadyLinked')
  assert.equal(await windowsOf(conversation), 2)
  assert.deepEqual(await read(conversation), { customer: account, case: incident })

  await main(({ program: { windows } }) => windows.one.loadURL('app://desktop/'))
  assert.deepEqual(await run('one', getId), { value: conversation })
  await run('one', `Microsoft.Omnichannel.unlinkFromConversation('incident', '${incident.recordId}')`)
  assert.deepEqual([await seen('one'), await seen('other')], [['unlinked'], ['linked', 'unlinked']])
  await main(({ program: { windows } }) => windows.one.close())
  await run('other', linkIncident)
  assert.equal(await windowsOf(conversation), 1)
})

test('a page of another origin can call nothing and learns nothing, also in a frame', options, async t => {
  const { options, read } = await stores.embedded(t)
  const { main, run, focus, seen, close } = await open(t, options)
  for (const name of ['one', 'other']) await focus(name, conversation)
  for (const url of ['app://evil/', 'app://desktop.evil/', 'data:text/html,<script>seen = []</script>']) {
    await main(({ program }, url) => program.windows.one.loadURL(url), url)
    for (const call of [linkIncident, getId, refresh])
      assert.deepEqual(await run('one', call), { failure: 'FORBIDDEN' }, `${call} of ${url}`)
    await run('other', linkIncident)
    assert.deepEqual(await seen('one'), [], url)
    await run('other', `Microsoft.Omnichannel.unlinkFromConversation('incident', '${incident.recordId}')`)
  }

  await main(({ program }) => program.windows.one.loadURL('app://desktop/'))
  await run(
    'one',
    `new Promise(resolve => { const frame = document.createElement('iframe'); frame.src = 'app://evil/'; frame.onload = () => resolve(); document.body.append(frame) })`
  )
  const inside = call => main(({ program }, call) => program.run(program.windows.one.mainFrame.frames[0], call), call)
  for (const call of [linkIncident, getId, refresh]) assert.deepEqual(await inside(call), { failure: 'FORBIDDEN' }, call)
  assert.deepEqual(await inside('origin'), { value: 'app://evil' })
  await run('one', linkIncident)
  assert.deepEqual([await seen('one'), await inside('seen')], [['linked'], { value: [] }])
  assert.deepEqual(await main(({ program }) => program.refreshed), [])
  await close()
  assert.deepEqual(await read(conversation), { customer: account, case: incident })
})
