// Runs one of the live tests that dataverse-ify ships, as Jest would: `node one-test.cjs FILE TITLE`. Their imports are the package's own;
// the globals of Jest are here. What the process prints last is the error, if any.
const assert = require('node:assert/strict')
const https = require('node:https')

// Like a proxy that maps the names of production to the emulator: certificates and Host keep the name.
const { createConnection } = https.Agent.prototype
https.Agent.prototype.createConnection = function (options, listener) {
  const mapped = { ...options, host: '127.0.0.1', port: process.env.EMULATOR_PORT, servername: options.servername || options.host }
  return createConnection.call(this, mapped, listener)
}

const before = []
const tests = new Map()
globalThis.describe = (_, define) => define()
globalThis.beforeAll = prepare => before.push(prepare)
globalThis.test = globalThis.it = (title, run) => tests.set(title, run)
globalThis.it.todo = () => {}
globalThis.fail = () => assert.fail('fail() was called')
globalThis.expect = value => ({
  toBe: expected => assert.ok(Object.is(value, expected), `${value} is not ${expected}`),
  toBeDefined: () => assert.notEqual(value, undefined),
  toBeUndefined: () => assert.equal(value, undefined),
  toBeNull: () => assert.equal(value, null),
  toBeGreaterThan: least => assert.ok(value > least, `${value} is not greater than ${least}`),
  toHaveLength: length => assert.equal(value.length, length),
  toMatch: expected =>
    assert.ok(expected instanceof RegExp ? expected.test(value) : value.includes(expected), `${value} does not match ${expected}`)
})

async function main(file, title) {
  require(file)
  const run = tests.get(title)
  assert.ok(run, `there is no test '${title}', only ${[...tests.keys()]}`)
  for (const prepare of before) await prepare()
  await run()
}

main(...process.argv.slice(2)).then(
  () => process.exit(),
  error => {
    console.error(error instanceof Error ? error : JSON.stringify(error))
    process.exit(1)
  }
)
