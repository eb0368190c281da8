'use strict'

// One exit code for each class of errors: what a script has to do differs between classes, not within them.

const { LinkError } = require('../lib/link-error.js')

/** Class, what it stands for, and its codes of a `LinkError`. */
const CLASSES = [
  [0, 'all is well', []],
  [1, 'a defect of this program', ['CLOSED', 'INTERNAL']],
  [2, 'wrong arguments or configuration', ['INVALID_ARGUMENT', 'INVALID_CONFIGURATION', 'NO_FOCUSED_CONVERSATION']],
  [3, 'not found', ['CONVERSATION_NOT_FOUND', 'RECORD_NOT_FOUND']],
  [4, 'refused by a rule', ['AMBIGUOUS', 'CONVERSATION_NOT_ACTIVE', 'NOT_LINKED', 'OCCUPIED', 'REJECTED', 'VERIFICATION_FAILED']],
  [5, 'not signed in, or not allowed', ['AUTHENTICATION_FAILED', 'FORBIDDEN']],
  [6, 'the store cannot be used now', ['CONFLICT', 'PROTOCOL', 'STORE', 'THROTTLED', 'TIMEOUT', 'UNAVAILABLE']],
  [7, 'some of it failed: items of a bulk, checks of the doctor', []],
  [130, 'interrupted: Ctrl-C, SIGTERM, SIGHUP, or nobody reads the results of import or bulk any more', []]
]

const INCOMPLETE = 7
const INTERRUPTED = 130

/** Somebody wanted an end: no failure. */
class Interrupted extends Error {
  name = 'AbortError'

  constructor(what) {
    super(`${what} A write that was already sent is not undone.`)
    this.what = what
  }

  toJSON() {
    return { name: this.name, message: this.message }
  }
}

/** What a program that failed with this error exits with. */
function exitCode(error) {
  if (error instanceof Interrupted) return INTERRUPTED
  const [code] = (error instanceof LinkError && CLASSES.find(([, , codes]) => codes.includes(error.code))) || [1]
  return code
}

module.exports = { CLASSES, INCOMPLETE, INTERRUPTED, Interrupted, exitCode }
