// Forms of a credential and how often it is called, checked by the emulator.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OmnichannelClient } from 'omnichannel-link'
import { startEmulator } from 'omnichannel-link-emulator'
import { fileURLToPath } from 'node:url'

const seed = fileURLToPath(new URL('../examples/data', import.meta.url))
const conversation = 'b7397aae-ecf8-43a6-aeb0-07d294efb494'
const incident = '6b726d86-d37c-43b8-b3a4-c4056ddd2e07'

/** A client of a new emulator with a credential made from the emulator's token, and the calls of the credential. */
async function client(t, credential) {
  const emulator = await startEmulator({ seed })
  const questions = []
  const made = new OmnichannelClient({ dataverse: { url: emulator.url, credential: credential(emulator, questions) } })
  t.after(async () => {
    await made.close()
    await emulator.close()
  })
  return { emulator, questions, link: () => made.linkToConversation('incident', incident, conversation) }
}

/** The form of every credential of @azure/identity. */
const azure = (emulator, questions) => ({
  async getToken(scope, options) {
    questions.push([scope, options])
    return { token: emulator.credential, expiresOnTimestamp: Date.now() + 3_600_000 }
  }
})

/** A function, as a caller would write it around another library. */
const written = (emulator, questions) => async request => {
  questions.push(request)
  return emulator.credential
}

test('a credential of @azure/identity gets the scope of the environment', async t => {
  const { emulator, questions, link } = await client(t, azure)
  assert.equal((await link()).status, 'linked')
  const [[scope, options]] = questions
  assert.equal(scope, `${emulator.url}/.default`)
  assert.ok(options.abortSignal instanceof AbortSignal)
  assert.equal('claims' in options, false)
})

test('a function gets the same arguments', async t => {
  const { emulator, questions, link } = await client(t, written)
  await link()
  assert.equal(questions[0].scope, `${emulator.url}/.default`)
  assert.ok(questions[0].abortSignal instanceof AbortSignal)
})

for (const [name, credential] of Object.entries({ azure, written })) {
  test(`a hundred concurrent calls call ${name} once`, async t => {
    const { questions, link } = await client(t, credential)
    const outcomes = await Promise.all(Array.from({ length: 100 }, link))
    assert.equal(outcomes.filter(({ status }) => status === 'linked').length, 1)
    assert.equal(questions.length, 1)
  })

  test(`a rejected token of ${name} is requested once more, and the call succeeds with the new one`, async t => {
    const { emulator, questions, link } = await client(t, (emulator, questions) => {
      const good = credential(emulator, questions)
      const first = () => (questions.length === 1 ? 'an-old-token' : undefined)
      return name === 'azure'
        ? { getToken: async (...request) => ({ ...(await good.getToken(...request)), ...(first() && { token: first() }) }) }
        : async request => {
            const token = await good(request)
            return first() ?? token
          }
    })
    assert.equal((await link()).status, 'linked')
    assert.equal(questions.length, 2)
    assert.deepEqual(
      (await emulator.requests()).map(({ method, status }) => `${method} ${status}`),
      ['GET 401', 'GET 200', 'PATCH 200']
    )
  })
}

const HOUR_IN_MS = 3_600_000
const oddTimes = {
  'that has passed': Date.now() - 1,
  'in seconds': Math.floor((Date.now() + HOUR_IN_MS) / 1000),
  'in microseconds': (Date.now() + HOUR_IN_MS) * 1000,
  'as a duration': HOUR_IN_MS,
  zero: 0,
  negative: -1,
  NaN,
  Infinity,
  '-Infinity': -Infinity,
  'beyond all dates': Number.MAX_VALUE,
  'as a Date': new Date(Date.now() - 1),
  'as a string': new Date().toISOString(),
  'as a bigint': 1n,
  'that is null': null,
  'that is missing': undefined
}
for (const [name, expiresOnTimestamp] of Object.entries(oddTimes)) {
  test(`a token with a time ${name} is cached like one without a lifetime`, async t => {
    const { questions, link } = await client(t, (emulator, questions) => async () => {
      questions.push('again')
      return { token: emulator.credential, expiresOnTimestamp }
    })
    for (let call = 0; call < 4; call++) await link()
    assert.equal(questions.length, 1)
  })
}

test('the token string of a function is cached', async t => {
  const { questions, link } = await client(t, written)
  await link()
  await link()
  assert.equal(questions.length, 1)
})

test('a token that is always rejected is AUTHENTICATION_FAILED after one retry', async t => {
  const { emulator, link } = await client(t, (_, questions) => async () => `wrong-${questions.push('again')}`)
  await assert.rejects(link(), { code: 'AUTHENTICATION_FAILED', httpStatus: 401, maybeApplied: false })
  assert.equal((await emulator.requests()).length, 2)
})

test('a credential that returns null is AUTHENTICATION_FAILED', async t => {
  const { emulator, link } = await client(t, () => ({ getToken: async () => null }))
  await assert.rejects(link(), { code: 'AUTHENTICATION_FAILED', message: /it returned null instead of a token/ })
  assert.deepEqual(await emulator.requests(), [])
})

for (const [thrown, what] of [
  ['x', 'a string'],
  [{}, 'an object'],
  [undefined, 'nothing'],
  [null, 'null'],
  [5, 'a number'],
  [{ name: undefined }, 'an object'],
  [{ name: {} }, 'an object'],
  [() => {}, 'a function'],
  [new RangeError('hunter2'), 'RangeError']
]) {
  test(`a credential that throws ${what} (${JSON.stringify(thrown) ?? typeof thrown}) gets an explanation`, async t => {
    const { link } = await client(t, () => () => Promise.reject(thrown))
    await assert.rejects(link(), { code: 'AUTHENTICATION_FAILED', message: new RegExp(`it threw ${what}(\\W|$)`) })
  })
}

test('a variable that is not set is AUTHENTICATION_FAILED', async t => {
  const { link } = await client(t, () => async () => process.env.OMNICHANNEL_NO_SUCH_VARIABLE)
  await assert.rejects(link(), {
    code: 'AUTHENTICATION_FAILED',
    message: /it returned undefined instead of a token/,
    hint: /credential must return/
  })
})
