// Calls to the client from inside its credential and its proxy function.
import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { test } from 'node:test'
import { OmnichannelClient } from 'omnichannel-link'
import { startEmulator } from 'omnichannel-link-emulator'
import { fileURLToPath } from 'node:url'

const seed = fileURLToPath(new URL('../examples/data', import.meta.url))
const conversation = 'b7397aae-ecf8-43a6-aeb0-07d294efb494'
const incident = '6b726d86-d37c-43b8-b3a4-c4056ddd2e07'

const refused = { name: 'LinkError', code: 'INVALID_CONFIGURATION', store: 'dataverse', message: /called the client that waits for it/ }

/** A new emulator, and a function that makes clients of it. */
async function world(t) {
  const emulator = await startEmulator({ seed })
  const made = []
  t.after(async () => {
    await Promise.all(made.map(client => client.close()))
    await emulator.close()
  })
  const client = dataverse => {
    made.push(new OmnichannelClient({ dataverse: { url: emulator.url, ...dataverse } }))
    return made.at(-1)
  }
  return { emulator, client }
}

const read = client => client.getConversation(conversation)

const calls = {
  getConversation: read,
  linkToConversation: client => client.linkToConversation('incident', incident, conversation),
  unlinkFromConversation: client => client.unlinkFromConversation('incident', incident, conversation),
  findRecord: client => client.findRecord('incident', { title: 'x' }),
  waitForConversation: client => client.waitForConversation(),
  diagnose: client => client.diagnose(),
  getConversations: client => client.getConversations().next()
}

for (const [name, call] of Object.entries(calls)) {
  test(`${name}() inside the credential of its own client is rejected`, { timeout: 20_000 }, async t => {
    const { emulator, client } = await world(t)
    const nested = []
    const own = client({
      credential: async () => {
        await turn()
        nested.push(
          await call(own).then(
            () => 'no error',
            error => error
          )
        )
        return emulator.credential
      }
    })
    await read(own)
    assert.equal(nested.length, 1)
    assert.throws(() => {
      throw nested[0]
    }, refused)
  })
}

test('a credential that fails because it called its own client is explained, and is called once', { timeout: 20_000 }, async t => {
  const { client } = await world(t)
  let asked = 0
  const own = client({ credential: { getToken: () => (asked++, read(own)) } })
  const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => read(own)))
  for (const { reason } of outcomes) {
    assert.equal(reason.code, 'AUTHENTICATION_FAILED')
    assert.match(reason.message, /The credential failed: it called the client that waits for it/)
  }
  assert.equal(asked, 1)
})

test('a proxy function that calls its own client is rejected as well', { timeout: 20_000 }, async t => {
  const { client } = await world(t)
  const nested = []
  // No proxy is used for this machine.
  const own = client({
    url: 'https://contoso.crm4.dynamics.com',
    credential: 'token',
    proxy: () =>
      read(own).catch(error => {
        nested.push(error)
        throw error
      })
  })
  await assert.rejects(read(own), { code: 'INVALID_CONFIGURATION', message: /it called the client that waits for it/ })
  assert.throws(() => {
    throw nested[0]
  }, refused)
})

test('credentials that wait for each other through two clients are rejected', { timeout: 20_000 }, async t => {
  const { emulator, client } = await world(t)
  const nested = []
  const first = client({ credential: async () => (await read(second), emulator.credential) })
  const second = client({
    credential: async () => {
      nested.push(await read(first).catch(error => error))
      return emulator.credential
    }
  })
  await read(first)
  assert.throws(() => {
    throw nested[0]
  }, refused)
})

test('a credential that closes its own client is rejected, and the client stays open', { timeout: 20_000 }, async t => {
  const { emulator, client } = await world(t)
  const nested = []
  const own = client({ credential: async () => (nested.push(await own.close().catch(error => error)), emulator.credential) })
  await read(own)
  assert.throws(() => {
    throw nested[0]
  }, refused)
  await read(own)
})

test('a thenable returned by a credential may not call its client', { timeout: 20_000 }, async t => {
  const { emulator, client } = await world(t)
  const nested = []
  const lazy = () => ({
    // oxlint-disable-next-line unicorn/no-thenable
    then: resolve =>
      void read(own)
        .catch(error => nested.push(error))
        .finally(() => resolve(emulator.credential))
  })
  const own = client({ credential: lazy })
  await read(own)
  assert.throws(() => {
    throw nested[0]
  }, refused)
})

test('a credential may use another client', async t => {
  const { emulator, client } = await world(t)
  const other = client({ credential: async () => emulator.credential })
  const own = client({ credential: async () => (await read(other), emulator.credential) })
  await read(own)
  await read(own)
})

test('other calls during the credential wait for it', async t => {
  const { emulator, client } = await world(t)
  let give
  const asked = new Promise(resolve => {
    give = resolve
  })
  const questions = []
  const own = client({ credential: () => (questions.push('again'), asked) })
  const waiting = [read(own)]
  while (questions.length === 0) await turn()
  waiting.push(read(own), read(own))
  give(emulator.credential)
  await Promise.all(waiting)
  assert.equal(questions.length, 1)
})

test('tasks started by a credential may call the client after it has returned', async t => {
  const { emulator, client } = await world(t)
  let later
  let finish
  const finished = new Promise(resolve => {
    finish = resolve
  })
  const own = client({
    credential: async () => {
      later ??= finished.then(() => read(own))
      return emulator.credential
    }
  })
  await read(own)
  finish()
  await later
})

test('a token that arrives after its call is used by the next call', async t => {
  const { emulator, client } = await world(t)
  let give
  const token = new Promise(resolve => {
    give = resolve
  })
  const questions = []
  const own = client({ credential: () => (questions.push('again'), token) })
  for (let call = 0; call < 5; call++) {
    await assert.rejects(own.getConversation(conversation, { timeoutInMs: 1 }), { code: 'TIMEOUT' })
  }
  while (questions.length === 0) await turn()
  give(emulator.credential)
  await read(own)
  assert.equal(questions.length, 1)
})
