// Environments like a page, such as Jest with jsdom: their globals are old or missing, and their classes belong to another realm.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { test } from 'node:test'
import { compileFunction, createContext, runInContext } from 'node:vm'
import { OmnichannelClient } from 'omnichannel-link'
import { folder } from './support/afterwards.mjs'
import { run } from './support/child.mjs'
import { account, contact, conversation, data, emptyConversation, pages } from './support/sample.mjs'
import { emulator, stores } from './support/stores.mjs'
import { arrival, row, serve } from './support/server.mjs'

/** Makes calls on a client and returns everything that a program sees of them. */
async function use({ OmnichannelClient, LinkError, createOmnichannel }, options, { AbortController, record, other, conversation, seed }) {
  const seen = []
  const client = new OmnichannelClient(options)
  for (const page of seed) await client.importRecords(page)
  for (const name of ['linked', 'replaced', 'unlinked', 'failed'])
    client.on(name, ({ conversationId }) => seen.push([name, conversationId]))
  const controller = new AbortController()
  const { signal } = controller
  const target = [record.entityLogicalName, record.recordId, conversation]
  const codeOf = error => (error instanceof LinkError ? error.code : `${error?.name ?? error}`)
  seen.push((await client.linkToConversation(...target, { signal })).status)
  seen.push((await client.linkToConversation(other.entityLogicalName, other.recordId, conversation)).status)
  seen.push(await client.unlinkFromConversation(...target).catch(codeOf))
  seen.push(await client.linkToConversation('lead', record.recordId, conversation, { signal }).catch(codeOf))
  for await (const { outcome } of client.linkMany([{ ...record, conversationId: conversation }], {
    signal,
    onProgress: ({ done }) => seen.push(done)
  }))
    seen.push(outcome.status)
  for await (const { conversationId } of client.getConversations({ top: 1, signal })) seen.push(conversationId.length)
  seen.push(await client.waitForConversation({ record, timeoutInMs: 5000, signal }).then(({ status }) => status, codeOf))
  seen.push((await createOmnichannel(client).linkToConversation(...target)).status)
  controller.abort()
  seen.push(await client.unlinkFromConversation(...target, { signal }).catch(codeOf))
  seen.push(await client.waitForConversation({ signal }).catch(codeOf))
  seen.push((await client.unlinkFromConversation(...target)).status)
  await client.close()
  return seen
}

const expected = [
  ['linked', emptyConversation],
  'linked',
  ['replaced', emptyConversation],
  'replaced',
  ['failed', emptyConversation],
  'NOT_LINKED',
  ['failed', emptyConversation],
  'INVALID_ARGUMENT',
  ['replaced', emptyConversation],
  'replaced',
  1,
  36,
  'active',
  'success',
  'AbortError',
  'AbortError',
  ['unlinked', emptyConversation],
  'unlinked'
]

/** The `AbortController` of jsdom 20: its signal has no reason and no timeout. */
const POLYFILL = `class AbortController {
  #listeners = new Set()
  signal = {
    aborted: false, addEventListener: (_, listener) => this.#listeners.add(listener), removeEventListener: (_, listener) => this.#listeners.delete(listener)
  }
  abort() {
    this.signal.aborted = true
    for (const listener of this.#listeners) listener({ type: 'abort' })
  }
}`

const given = { record: contact, other: account, conversation: emptyConversation }
const seed = pages.map(page => `${data}${page}.json`)

/** Loads the package into another realm, like Jest: Node's modules and the addon come from outside, `process` from the realm. */
function load(context, process) {
  const loaded = new Map()
  const inContext = path => {
    if (!loaded.has(path)) {
      const module = { exports: {} }
      loaded.set(path, module)
      const outside = createRequire(path)
      const require = name => {
        if (name === 'node:process') return process
        const isOurs = name.startsWith('.') && !name.endsWith('.node')
        return isOurs ? inContext(outside.resolve(name)) : outside(name)
      }
      const code = compileFunction(readFileSync(path, 'utf8'), ['module', 'exports', 'require', '__filename', '__dirname'], {
        filename: path,
        parsingContext: context
      })
      code(module, module.exports, require, path, dirname(path))
    }
    return loaded.get(path).exports
  }
  return inContext(createRequire(import.meta.url).resolve('omnichannel-link'))
}

for (const name of Object.keys(stores)) {
  test(`${name}: a realm without Node's globals is enough`, { timeout: 60_000 }, async t => {
    const context = createContext({})
    const { platform, arch } = process
    const link = load(context, { platform, arch })
    const AbortController = runInContext(`(${POLYFILL})`, context)
    const server = await emulator(t)
    const { url, credential } = server
    const options =
      name === 'embedded'
        ? { embedded: { path: `${folder(t)}/links.db` } }
        : {
            dataverse: {
              url,
              credential: runInContext(
                'token => async (request) => { if (!request.abortSignal) throw 1; return { token } }',
                context
              )(credential),
              proxy: async () => ''
            }
          }
    const inRealm = runInContext(`(${use})`, context)
    assert.deepEqual(
      structuredClone(await inRealm(link, options, { ...given, AbortController, seed: name === 'embedded' ? seed : [] })),
      expected
    )
    const wrong = [{}, { aborted: false }, new AbortController(), { aborted: 0, addEventListener() {}, removeEventListener() {} }]
    const client = new link.OmnichannelClient(options)
    for (const signal of wrong) {
      const error = await client.getConversation(conversation, { signal }).catch(error => error)
      assert.match(`${error.code} ${error.message}`, /^INVALID_ARGUMENT `options\.signal`/)
    }
    await client.close()
  })
}

test('a program that has lost its globals still links', { timeout: 60_000 }, async t => {
  const globals = [
    'AbortController',
    'AbortSignal',
    'Buffer',
    'DOMException',
    'Event',
    'EventTarget',
    'TextDecoder',
    'TextEncoder',
    'URL',
    'WeakRef',
    'FinalizationRegistry',
    'clearImmediate',
    'clearInterval',
    'clearTimeout',
    'crypto',
    'fetch',
    'performance',
    'process',
    'queueMicrotask',
    'setImmediate',
    'setInterval',
    'setTimeout',
    'structuredClone'
  ]
  const seen = await run(
    t,
    `
    const print = text => require('node:fs').writeSync(1, text)
    for (const name of globals) delete globalThis[name]
    delete Symbol.asyncDispose
    const again = require('node:module').createRequire(COMMONJS)
    for (const path of Object.keys(require.cache)) delete require.cache[path]
    const AbortController = ${POLYFILL}
    ${use}
    use(require(COMMONJS), { embedded: { path: 'links.db' } }, { ...given, seed, AbortController }).then(seen => print(JSON.stringify(seen)))`,
    { cwd: folder(t), globals, given, seed }
  )
  assert.deepEqual(seen, expected)
})

/** Signals that fail at some point, and whether the call is made anyway. */
const signals = {
  'cannot take its listener away': [
    {
      aborted: false,
      addEventListener() {},
      removeEventListener() {
        throw new Error('a signal')
      }
    },
    'linked'
  ],
  'cannot take its listener away, and throws nothing': [
    {
      aborted: false,
      addEventListener() {},
      removeEventListener() {
        throw undefined
      }
    },
    'linked'
  ],
  'aborts while its listener is taken away': [
    {
      aborted: false,
      addEventListener(_, listener) {
        this.listener = listener
      },
      removeEventListener() {
        this.listener()
      }
    },
    'linked'
  ],
  'aborts when it takes a listener': [
    { aborted: false, addEventListener: (_, listener) => listener(), removeEventListener() {} },
    'AbortError'
  ],
  'cannot take a listener': [
    {
      aborted: false,
      addEventListener() {
        throw new Error('a signal')
      },
      removeEventListener() {}
    },
    'INVALID_ARGUMENT'
  ],
  'does not tell whether it is aborted': [
    {
      get aborted() {
        throw new Error('a signal')
      },
      addEventListener() {},
      removeEventListener() {}
    },
    'INVALID_ARGUMENT'
  ]
}

for (const [what, [signal, expected]] of Object.entries(signals)) {
  test(`a signal that ${what}: ${expected}`, { timeout: 60_000 }, async t => {
    const { client, read } = await stores.embedded(t)
    const target = [contact.entityLogicalName, contact.recordId, emptyConversation]
    const ended = await client.linkToConversation(...target, { signal }).then(
      ({ status }) => status,
      error => (error.name === 'AbortError' ? error.name : error.code)
    )
    assert.equal(ended, expected)
    if (expected === 'linked') {
      const [{ outcome }] = [(await client.linkMany([{ ...contact, conversationId: emptyConversation }], { signal }).next()).value]
      assert.equal(outcome.status, 'alreadyLinked')
    }
    assert.deepEqual((await read(emptyConversation)).customer, expected === 'linked' ? contact : null)
  })
}

test('a signal without a reason rejects with an AbortError, also one whose reason throws', { timeout: 60_000 }, async t => {
  const server = await serve(t, (request, response) => {
    if (request.method !== 'GET') row(response, conversation)
  })
  const client = new OmnichannelClient({ dataverse: server.dataverse })
  t.after(() => client.close())
  for (const reason of [
    { value: undefined },
    {
      get() {
        throw new Error('a reason')
      }
    }
  ]) {
    let abort
    const signal = Object.defineProperty(
      { aborted: false, addEventListener: (_, listener) => (abort = listener), removeEventListener() {} },
      'reason',
      reason
    )
    const arrived = arrival(server.server, 'GET')
    const pending = client.getConversation(conversation, { signal })
    await arrived
    abort()
    await assert.rejects(pending, { name: 'AbortError', code: 20 })
  }
})
