'use strict'

// Outcomes of links and unlinks. They cross from the addon as one string; src/node/outcome.rs has its layout.

const STORES = { __proto__: null, d: 'dataverse', e: 'embedded' }
const TABLES = { __proto__: null, a: 'account', c: 'contact', i: 'incident' }

/** The outcome that begins at a position of a string. */
function outcomeOf(compact, at = 0) {
  const outcome = withStatus(compact, at)
  return compact[at + 2] === 'y' ? { ...outcome, dryRun: true } : outcome
}

/** One literal per status, so that the properties of a status always come in the same order. */
function withStatus(compact, at) {
  const conversationId = compact.slice(at + 4, at + 40)
  const record = recordAt(compact, at + 3, at + 40)
  const store = STORES[compact[at + 1]]
  const requestId = compact.slice(at + 76, at + 112)
  switch (compact[at]) {
    case 'l':
      return { status: 'linked', conversationId, record, previous: null, store, requestId }
    case 'r':
      return { status: 'replaced', conversationId, record, previous: recordAt(compact, at + 112, at + 113), store, requestId }
    case 'a':
      return { status: 'alreadyLinked', conversationId, record, previous: null, store, requestId }
    case 'k':
      return { status: 'kept', conversationId, record, previous: null, current: recordAt(compact, at + 112, at + 113), store, requestId }
    default:
      return { status: 'unlinked', conversationId, record, store, requestId }
  }
}

const recordAt = (compact, table, id) => ({ entityLogicalName: TABLES[compact[table]], recordId: compact.slice(id, id + 36) })

module.exports = { outcomeOf }
