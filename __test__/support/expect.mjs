// Assertions about errors and outcomes.
import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { LinkError } from 'omnichannel-link'

export const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Expects a rejection with a `LinkError` of this code, message and fields, and returns the error. */
export async function rejects(promise, code, message, fields) {
  const error = await promise.then(
    outcome => assert.fail(`expected ${code}, but it resolved with ${JSON.stringify(outcome)}`),
    error => error
  )
  return isLinkError(error, code, message, fields)
}

/** Expects a `LinkError` thrown by a synchronous function, and returns it. */
export function throws(call, code, message, fields) {
  let thrown
  try {
    call()
  } catch (error) {
    thrown = error
  }
  assert.ok(thrown, `expected ${code}, but nothing was thrown`)
  return isLinkError(thrown, code, message, fields)
}

function isLinkError(error, code, message, fields = {}) {
  assert.ok(error instanceof LinkError, `expected a LinkError, got ${error}`)
  assert.equal(error.code, code, error.message)
  if (message) assert.match(error.message, message)
  assert.equal(error.name, 'LinkError')
  assert.equal(typeof error.isRetryable, 'boolean')
  assert.equal(typeof error.maybeApplied, 'boolean')
  for (const [name, value] of Object.entries(fields)) assert.deepEqual(error[name], value, `${name} of ${error.message}`)
  return error
}

/** Expects exactly this outcome of a link, with a new GUID as its request id. */
export function isOutcome({ requestId, ...outcome }, expected) {
  assert.match(requestId, GUID)
  assert.deepEqual(outcome, expected)
}

/** The reason of a rejected promise. */
export const refused = promise =>
  promise.then(
    value => assert.fail(`resolved with ${inspect(value)}`),
    failure => failure
  )
