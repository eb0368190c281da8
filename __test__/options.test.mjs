// Options that are not plain data: read by one rule or rejected by name, never ignored.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createContext, runInContext } from 'node:vm'
import { OmnichannelClient, createOmnichannel } from 'omnichannel-link'
import { serveOmnichannel } from 'omnichannel-link/electron'
import { SHAPES } from '../lib/options.js'
import { rejects, throws } from './support/expect.mjs'
import { account, contact, conversation, data, emptyConversation, incident, page } from './support/sample.mjs'
import { client, emptyEmbedded, stores } from './support/stores.mjs'

const { entityLogicalName, recordId } = contact
const request = { ...contact, conversationId: emptyConversation }
const outcome = { status: 'linked', conversationId: emptyConversation, record: contact, store: 'embedded' }

/** Every method with options, as a function of the options, and the shape of its options. */
const calls = {
  linkToConversation: [
    (client, options) => client.linkToConversation(entityLogicalName, recordId, emptyConversation, options),
    SHAPES.link
  ],
  unlinkFromConversation: [
    (client, options) => client.unlinkFromConversation(entityLogicalName, recordId, emptyConversation, options),
    SHAPES.unlink
  ],
  linkMany: [(client, options) => client.linkMany([request], options).next(), SHAPES.linkMany],
  unlinkMany: [(client, options) => client.unlinkMany([request], options).next(), SHAPES.unlinkMany],
  getConversation: [(client, options) => client.getConversation(conversation, options), SHAPES.read],
  getConversations: [(client, options) => client.getConversations(options).next(), SHAPES.query],
  findRecord: [(client, options) => client.findRecord('account', { name: 'x' }, options), SHAPES.read],
  waitForConversation: [(client, options) => client.waitForConversation(options), SHAPES.wait],
  verify: [(client, options) => client.verify(outcome, options), SHAPES.read],
  importRecords: [(client, options) => client.importRecords(page('accounts'), options), SHAPES.import],
  diagnose: [(client, options) => client.diagnose(options), SHAPES.diagnose]
}

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

const settings = [
  ['options.timeoutInMs', value => value, 'timeoutInMs'],
  ['options.embedded', value => value, 'embedded'],
  ['options.dataverse', value => value, 'dataverse'],
  ['options.embedded.path', value => ({ embedded: value }), 'path'],
  ...Object.keys(SHAPES.client.dataverse).map(name => [`options.dataverse.${name}`, value => ({ dataverse: value }), name]),
  ...Object.keys(SHAPES.credential).map(name => [
    `options.dataverse.credential.${name}`,
    credential => ({ dataverse: { url: 'https://contoso.crm4.dynamics.com', credential } }),
    name
  ])
]

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

class Settings {
  #given = { dryRun: true }
  get(name) {
    return this.#given[name]
  }
}
const containers = {
  'an array': [],
  Map: new Map([['dryRun', true]]),
  Set: new Set(['dryRun']),
  Date: new Date(),
  String: Object('dryRun'),
  Number: Object(1),
  Boolean: Object(true),
  Promise: Promise.resolve({ dryRun: true }),
  RegExp: /dryRun/,
  WeakMap: new WeakMap(),
  Error: new Error('dryRun'),
  Uint8Array: new Uint8Array(1e7),
  ArrayBuffer: new ArrayBuffer(8),
  URLSearchParams: new URLSearchParams('dryRun=true'),
  Headers: new Headers({ dryRun: 'true' }),
  Arguments: (function () {
    return arguments
  })({ dryRun: true }),
  'methods, such as get()': new Settings(),
  'methods, such as then()': new (class {
    // oxlint-disable-next-line unicorn/no-thenable -- a promise is not options
    then() {}
  })(),
  Generator: (function* () {})(),
  'options.size': Object.setPrototypeOf(
    new Map(),
    Object.create({
      get size() {
        return 1
      }
    })
  )
}

for (const [method, [call]] of Object.entries(calls)) {
  test(`${method} rejects values that cannot hold options`, { timeout: 60_000 }, async t => {
    const { client } = emptyEmbedded(t)
    for (const [what, options] of Object.entries(containers)) {
      const error = await rejects(call(client, options), 'INVALID_ARGUMENT', /`options/)
      if (what !== 'options.size') assert.ok(error.message.includes(what), `${what}: ${error.message}`)
    }
  })
}

function revoked() {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

describe('an option that throws when read', () => {
  const throwing = ['get', 'ownKeys', 'getPrototypeOf', 'getOwnPropertyDescriptor'].map(
    trap =>
      new Proxy(
        { a: 1 },
        {
          [trap]() {
            throw new Error('a trap')
          }
        }
      )
  )

  test('is named by every call', { timeout: 60_000 }, async t => {
    const { client } = emptyEmbedded(t)
    for (const [call, shape] of Object.values(calls)) {
      for (const proxy of [revoked(), ...throwing]) await rejects(call(client, proxy), 'INVALID_ARGUMENT', /`options.*`: cannot be read: /)
      for (const name of Object.keys(shape)) {
        for (const thrown of [new Error('mine'), Symbol('mine'), Object.create(null), undefined, revoked()]) {
          const options = {
            get [name]() {
              throw thrown
            }
          }
          const error = await rejects(call(client, options), 'INVALID_ARGUMENT', new RegExp(`\`options\\.${name}\`: cannot be read: `))
          assert.equal(error.cause, thrown)
        }
      }
    }
    for (const bad of [revoked(), ...throwing.slice(0, 1)]) {
      await rejects(client.linkMany(bad).next(), 'INVALID_ARGUMENT', /`requests`: cannot be read/)
      throws(() => createOmnichannel(bad), 'INVALID_ARGUMENT', /`client`: cannot be read/)
      throws(() => createOmnichannel(client, bad), 'INVALID_ARGUMENT', /`focus`: cannot be read/)
    }
    for (const bad of [revoked(), ...throwing]) {
      for (const wrong of [() => client.on(bad, () => {}), () => client.on('linked', bad), () => client.openConversation(bad)])
        throws(wrong, 'INVALID_ARGUMENT')
      await rejects(client.importRecords(bad), 'INVALID_ARGUMENT', /`pathOrPage`/)
      await rejects(client.verify(bad), 'INVALID_ARGUMENT', /`outcome`/)
      await rejects(client.getConversations({ record: bad }).next(), 'INVALID_ARGUMENT', /`options\.record/)
      await rejects(client.getConversations({ statuses: bad }).next(), 'INVALID_ARGUMENT', /`options\.statuses/)
      await rejects(client.linkToConversation(bad, recordId, conversation), 'INVALID_ARGUMENT', /`entityLogicalName`/)
    }
    // All names of a key are read, whatever their descriptors are.
    for (const bad of [revoked(), ...throwing.slice(0, 3)]) await rejects(client.findRecord('account', bad), 'INVALID_ARGUMENT', /`key/)
  })

  test('fails its item and no other', { timeout: 60_000 }, async t => {
    const { client } = emptyEmbedded(t)
    const codes = []
    const bad = [
      revoked(),
      ...throwing.filter((_, index) => index !== 1),
      {
        get recordId() {
          throw new Error('mine')
        }
      }
    ]
    for await (const { error } of client.linkMany([...bad, request])) codes.push(error.code)
    assert.deepEqual(codes, [...bad.map(() => 'INVALID_ARGUMENT'), 'CONVERSATION_NOT_FOUND'])
  })

  test('is named by the constructor', () => {
    for (const proxy of [revoked(), ...throwing])
      throws(() => new OmnichannelClient(proxy), 'INVALID_CONFIGURATION', /`options.*`: cannot be read/)
    for (const [path, options, name] of settings) {
      const thrown = new Error('mine')
      const error = throws(
        () =>
          new OmnichannelClient(
            options({
              get [name]() {
                throw thrown
              }
            })
          ),
        'INVALID_CONFIGURATION'
      )
      assert.equal(error.message, `\`${path}\`: cannot be read: Error: mine.`)
      assert.equal(error.cause, thrown)
    }
    const getToken = {
      get getToken() {
        throw new Error('mine')
      }
    }
    const refused = () => new OmnichannelClient({ dataverse: { url: 'https://contoso.example', credential: getToken } })
    throws(refused, 'INVALID_CONFIGURATION', /`options\.dataverse\.credential`: cannot be read/)
    const ipcMain = { handle() {}, removeHandler() {} }
    throws(
      () =>
        serveOmnichannel({
          ipcMain,
          allow: [],
          get client() {
            throw new Error('mine')
          }
        }),
      'INVALID_CONFIGURATION',
      /`options\.client`: cannot be read/
    )
    throws(() => serveOmnichannel(revoked()), 'INVALID_CONFIGURATION', /cannot be read/)
    const service = serveOmnichannel({ ipcMain, client: { linkToConversation() {} }, allow: [] })
    throws(() => service.focus(revoked(), null), 'INVALID_ARGUMENT', /`webContents`: cannot be read/)
  })
})

test('endless prototype chains are rejected', { timeout: 60_000 }, async t => {
  const { client } = emptyEmbedded(t)
  const endless = () => new Proxy({}, { getPrototypeOf: endless })
  await rejects(client.diagnose(endless()), 'INVALID_ARGUMENT', /`options`: cannot be read: .*no end/)
})

test('an unknown getter is rejected by name, and a method of a class is not an option', { timeout: 60_000 }, async t => {
  const { client } = await stores.embedded(t)
  const misspelt = new (class {
    get dryrun() {
      return true
    }
  })()
  await rejects(
    client.linkToConversation(entityLogicalName, recordId, emptyConversation, misspelt),
    'INVALID_ARGUMENT',
    /`options\.dryrun`/
  )
  const method = new (class {
    dryRun() {
      return true
    }
  })()
  await rejects(client.linkToConversation(entityLogicalName, recordId, emptyConversation, method), 'INVALID_ARGUMENT', /`options\.dryRun`/)
  const helpful = new (class {
    timeoutInMs = 60_000
    describe() {}
    toJSON() {}
  })()
  assert.equal((await client.getConversation(conversation, helpful)).conversationId, conversation)
  assert.equal(
    (
      await client.getConversation(
        conversation,
        new (class {
          toString() {
            return ''
          }
        })()
      )
    ).conversationId,
    conversation
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

/** Options with one value at a path. */
const nested = (path, value) => path.split('.').reduceRight((value, name) => ({ [name]: value }), value)

test('a value of another type is rejected with a clear message', { timeout: 60_000 }, async t => {
  const { client } = emptyEmbedded(t)
  const url = 'https://contoso.crm4.dynamics.com'
  const others = [() => {}, Symbol('s'), 5n, new Map(), [], {}]
  const configured = [
    ...[...others.slice(0, 3), [], 5, 'x'].flatMap(value => [
      ['embedded', { embedded: value }],
      ['dataverse', { dataverse: value }]
    ]),
    ...others.flatMap(value =>
      ['url', 'retryOptions.maxRetries', 'application'].map(name => [`dataverse.${name}`, { dataverse: { url, ...nested(name, value) } }])
    ),
    ['dataverse.optimisticConcurrency', { dataverse: { url, optimisticConcurrency: [] } }],
    ['timeoutInMs', { timeoutInMs: {} }]
  ]
  for (const [name, options] of configured) {
    throws(
      () => new OmnichannelClient(options),
      'INVALID_CONFIGURATION',
      new RegExp(`^\`options\\.${name}\`: expected an? [a-z ,]+, got an? [a-z]+\\.$`)
    )
  }
  const called = [
    ...others.map(value => ['dryRun', { dryRun: value }]),
    ...[5, true, ...others].map(value => ['ifLinked', { ifLinked: value }]),
    ...[5, 'x', ...others.slice(0, 3), []].map(value => ['expected', { expected: value }]),
    ['linkableStatuses', { linkableStatuses: {} }],
    ['linkableStatuses[0]', { linkableStatuses: [{}] }],
    ['expected.recordId', { expected: { recordId: {} } }]
  ]
  for (const [name, options] of called) {
    const link = client.linkToConversation('account', account.recordId, emptyConversation, options)
    await rejects(
      link,
      'INVALID_ARGUMENT',
      new RegExp(`^\`options\\.${name.replace('[0]', '\\[0\\]')}\`: expected an? [a-z ,]+, got an? [a-z]+\\.$`)
    )
  }
  for (const value of others)
    await rejects(
      client.findRecord('account', { name: value }),
      'INVALID_ARGUMENT',
      /^`key\.name`: expected a string, .*, got an? [a-z]+\.$/
    )
})
