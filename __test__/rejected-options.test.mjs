// Values that cannot be options are rejected by name: containers, getters that throw, other types, unknown names.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { OmnichannelClient, createOmnichannel } from 'omnichannel-link'
import { serveOmnichannel } from 'omnichannel-link/electron'
import { rejects, throws } from './support/expect.mjs'
import { calls, request, settings } from './support/options.mjs'
import { account, contact, conversation, emptyConversation } from './support/sample.mjs'
import { emptyEmbedded, stores } from './support/stores.mjs'

const { entityLogicalName, recordId } = contact

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
