// Options that are not plain data, such as getters and proxies, are read by one rule.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createContext, runInContext } from 'node:vm'
import { OmnichannelClient, createOmnichannel } from 'omnichannel-link'
import { SHAPES } from '../lib/options.js'
import { rejects, throws } from './support/expect.mjs'
import { calls, outcome, request, settings } from './support/options.mjs'
import { contact, data, emptyConversation, incident } from './support/sample.mjs'
import { client, emptyEmbedded, stores } from './support/stores.mjs'

const { entityLogicalName, recordId } = contact

const realm = createContext()
/** Ways for an object to have a property with this name and value. */
const carriers = {
  'a getter of its class': (name, value) =>
    new (class {
      get [name]() {
        return value
      }
    })(),
  'a getter of a class that it inherits from': (name, value) =>
    new (class extends class {
      get [name]() {
        return value
      }
    } {
      get() {}
      toString() {}
    })(),
  'a getter of its own': (name, value) => ({
    get [name]() {
      return value
    }
  }),
  'a property that is not enumerable': (name, value) => Object.defineProperty({}, name, { value }),
  'a getter of a frozen object': (name, value) =>
    Object.freeze(
      Object.create({
        get [name]() {
          return value
        }
      })
    ),
  'a property of its prototype': (name, value) => Object.create({ [name]: value }),
  'a property of a dictionary that it inherits from': (name, value) => Object.create(Object.assign(Object.create(null), { [name]: value })),
  'a field of its class': (name, value) =>
    new (class {
      [name] = value
      describe() {}
    })(),
  'a private field behind a getter': (name, value) =>
    new (class {
      #value = value
      get [name]() {
        return this.#value
      }
    })(),
  'a dictionary': (name, value) => Object.assign(Object.create(null), { [name]: value }),
  'a dictionary that looks like Object.prototype': (name, value) =>
    Object.assign(Object.create(null, { isPrototypeOf: { value } }), { [name]: value }),
  'a proxy': (name, value) => new Proxy({ [name]: value }, {}),
  'a proxy that names nothing': (name, value) => new Proxy({}, { get: (target, key) => (key === name ? value : target[key]) }),
  'a proxy that has defaults': (name, value) =>
    new Proxy({ [name]: undefined }, { get: (target, key) => target[key] ?? (key === name ? value : undefined) }),
  'another realm': (name, value) => Object.assign(runInContext('new (class { describe() {} })', realm), { [name]: value })
}

for (const [method, [call, shape]] of Object.entries(calls)) {
  test(`${method} reads each option from any kind of object`, { timeout: 60_000 }, async t => {
    const { client } = emptyEmbedded(t)
    const ignored = []
    for (const name of Object.keys(shape)) {
      for (const [carrier, carry] of Object.entries(carriers)) {
        // Symbols are not options.
        const error = await call(client, carry(name, Symbol('wrong'))).catch(error => error)
        const isNamed = error.code === 'INVALID_ARGUMENT' && error.message.includes(name)
        if (!isNamed) ignored.push(`${name}, ${carrier}: ${error.code} ${error.message}`)
      }
    }
    assert.deepEqual(ignored, [])
  })
}

for (const [store, open] of Object.entries(stores)) {
  test(`${store}: a dry run writes nothing, in any kind of options object`, { timeout: 60_000 }, async t => {
    const { client, read } = await open(t)
    for (const [carrier, carry] of Object.entries(carriers)) {
      const linked = await client.linkToConversation(entityLogicalName, recordId, emptyConversation, carry('dryRun', true))
      assert.equal(linked.dryRun, true, carrier)
      const [{ outcome }] = [(await client.linkMany([request], carry('dryRun', true)).next()).value]
      assert.equal(outcome.dryRun, true, carrier)
    }
    assert.deepEqual((await read(emptyConversation)).customer, null)
  })
}

test('nested options are read from any kind of object', { timeout: 60_000 }, async t => {
  const { client } = emptyEmbedded(t)
  const nested = [
    [
      'options.expected.recordId',
      value => client.linkToConversation(entityLogicalName, recordId, emptyConversation, { expected: value }),
      'recordId'
    ],
    ['options.orderBy[0].descending', value => client.getConversations({ orderBy: [value] }).next(), 'descending'],
    ['options.record.recordId', value => client.getConversations({ record: value }).next(), 'recordId'],
    ['options.record.recordId', value => client.waitForConversation({ record: value }), 'recordId'],
    ['outcome.record.recordId', value => client.verify({ ...outcome, record: value }), 'recordId'],
    ['outcome.conversationId', value => client.verify(value), 'status'],
    ['key.name', value => client.findRecord('account', value), 'name']
  ]
  for (const [path, call, name] of nested) {
    for (const [carrier, carry] of Object.entries(carriers)) {
      // A key may have any name, so a proxy without ownKeys has none.
      if (path === 'key.name' && /names nothing|looks like/.test(carrier)) continue
      const error = await rejects(call(carry(name, Symbol('wrong'))), 'INVALID_ARGUMENT')
      assert.ok(error.message.includes(name), `${path}, ${carrier}: ${error.message}`)
    }
  }
})

test('a client reads each option from any kind of object', () => {
  for (const [path, options, name] of settings) {
    for (const [carrier, carry] of Object.entries(carriers)) {
      const error = throws(() => new OmnichannelClient(options(carry(name, Symbol('wrong')))), 'INVALID_CONFIGURATION')
      assert.ok(error.message.includes(`\`${path}\``), `${path}, ${carrier}: ${error.message}`)
    }
  }
})

test('a client accepts an instance of a class as options', { timeout: 60_000 }, async t => {
  const { path } = emptyEmbedded(t)
  const made = client(
    t,
    new (class {
      get embedded() {
        return new (class {
          get path() {
            return path
          }
        })()
      }
      describe() {}
    })()
  )
  assert.equal((await made.diagnose()).target, path)
  const remote = new (class {
    get dataverse() {
      return new (class {
        get url() {
          return 'https://contoso.example'
        }
        get credential() {
          return 'token'
        }
      })()
    }
  })()
  assert.equal(
    (
      await client(t, remote)
        .diagnose({ signal: AbortSignal.abort() })
        .catch(error => error)
    ).name,
    'AbortError'
  )
})

test('arrays may be proxies, and have a maximum length', { timeout: 60_000 }, async t => {
  const { client } = await stores.embedded(t)
  const listed = await client
    .getConversations({ statuses: new Proxy(['active'], {}), orderBy: new Proxy([{ property: 'subject' }], {}) })
    .next()
  assert.equal(listed.value.status, 'active')
  for (const statuses of [Array.from({ length: 10_001 }), Array(4e9)]) {
    await rejects(client.getConversations({ statuses }).next(), 'INVALID_ARGUMENT', /`options\.statuses`: expected at most 10000 entries/)
  }
})

test('the query of the page follows the same rule', { timeout: 60_000 }, async t => {
  const { client } = await stores.embedded(t)
  const { getConversations } = createOmnichannel(client)
  for (const [carrier, carry] of Object.entries(carriers)) {
    const query = carry('agentId', 'not a GUID')
    const { error } = await getConversations(query).catch(failure => failure)
    assert.match(error.message, /`input\.agentId`/, carrier)
  }
})

const known = message => [...message.split('expected one of')[1].matchAll(/`(\w+)`/g)].map(([, name]) => name).toSorted()
const refusal = options => throws(() => new OmnichannelClient(options), 'INVALID_CONFIGURATION').message

test('JavaScript and the addon know the same names', { timeout: 60_000 }, async t => {
  const { client } = emptyEmbedded(t)
  const inJavaScript = new Set(['signal', 'onProgress'])
  for (const [method, [call, shape]] of Object.entries(calls)) {
    if (method === 'waitForConversation') continue
    const { message } = await rejects(call(client, { unknown: 1 }), 'INVALID_ARGUMENT', /expected one of|unknown field/)
    const names = Object.keys(shape)
      .filter(name => !inJavaScript.has(name))
      .toSorted()
    if (names.length > 2) assert.deepEqual(known(message), names, method)
    else for (const name of names) assert.ok(message.includes(`\`${name}\``), `${method}: ${message}`)
  }
  assert.deepEqual(known(refusal({ unknown: 1 })), Object.keys(SHAPES.client).toSorted())
  assert.deepEqual(known(refusal({ dataverse: { unknown: 1 } })), Object.keys(SHAPES.client.dataverse).toSorted())
  assert.deepEqual(known(refusal({ dataverse: { credential: { unknown: 1 } } })), Object.keys(SHAPES.credential).toSorted())
  const { message } = await rejects(client.getConversations({ record: { unknown: 1 } }).next(), 'INVALID_ARGUMENT')
  assert.deepEqual(known(message), Object.keys(SHAPES.record).toSorted())
})

test('options are read once', { timeout: 60_000 }, async t => {
  const { client } = emptyEmbedded(t)
  const { client: sample } = await stores.embedded(t)
  await client.importRecords(`${data}incidents.json`)
  let read = 0
  const options = {
    get dryRun() {
      return read++ === 0
    }
  }
  const requests = Array.from({ length: 3 }, () => ({ ...incident, conversationId: emptyConversation }))
  const dry = []
  for await (const { outcome } of sample.linkMany(requests, options)) dry.push(outcome.dryRun)
  assert.deepEqual(dry, [true, true, true])
})
