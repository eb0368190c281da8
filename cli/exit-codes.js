'use strict'

// One exit code per class of errors: all errors of a class need the same reaction of a script.

const { LinkError } = require('../lib/link-error.js')

/** @type {[number, string, string[]][]} Exit code, its meaning, and the `LinkError` codes that belong to it. */
const CLASSES = [
  [0, 'success', []],
  [1, 'a defect in this program', ['CLOSED', 'INTERNAL']],
  [2, 'invalid arguments or configuration', ['INVALID_ARGUMENT', 'INVALID_CONFIGURATION', 'NO_FOCUSED_CONVERSATION']],
  [3, 'not found', ['CONVERSATION_NOT_FOUND', 'RECORD_NOT_FOUND']],
  [4, 'rejected by a rule', ['AMBIGUOUS', 'CONVERSATION_NOT_ACTIVE', 'NOT_LINKED', 'OCCUPIED', 'REJECTED', 'VERIFICATION_FAILED']],
  [5, 'not authenticated, or not permitted', ['AUTHENTICATION_FAILED', 'FORBIDDEN']],
  [6, 'the store is not available at present', ['CONFLICT', 'PROTOCOL', 'STORE', 'THROTTLED', 'TIMEOUT', 'UNAVAILABLE']],
  [7, 'partial failure: items of bulk or checks of doctor failed', []],
  [130, 'interrupted by Ctrl-C, SIGTERM or SIGHUP, or because stdout was closed during import or bulk', []]
]

const INCOMPLETE = 7
const INTERRUPTED = 130

/** The reason for an early end that is not a failure, such as Ctrl-C. */
class Interrupted extends Error {
  name = 'AbortError'

  constructor(summary) {
    super(`${summary} Writes that were already sent are not undone.`)
    this.summary = summary
  }

  toJSON() {
    return { name: this.name, message: this.message }
  }
}

/** The exit code after this error. */
function exitCode(error) {
  if (error instanceof Interrupted) return INTERRUPTED
  const [code] = (error instanceof LinkError && CLASSES.find(([, , codes]) => codes.includes(error.code))) || [1]
  return code
}

module.exports = { CLASSES, INCOMPLETE, INTERRUPTED, Interrupted, exitCode }
