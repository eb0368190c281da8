'use strict'

// Outcomes of links and unlinks. They cross from the addon as one string; src/node/outcome.rs has its layout.

const STORES = { __proto__: null, d: 'dataverse', e: 'embedded' }
const TABLES = { __proto__: null, a: 'account', c: 'contact', i: 'incident' }

function outcomeOf(compact) {
  const outcome = withStatus(compact)
  return compact[2] === 'y' ? { ...outcome, dryRun: true } : outcome
}

/** One literal per status, so that the properties of a status always come in the same order. */
function withStatus(compact) {
  const conversationId = compact.slice(4, 40)
  const record = recordAt(compact, 3, 40)
  const store = STORES[compact[1]]
  const requestId = compact.slice(76, 112)
  switch (compact[0]) {
    case 'l':
      return { status: 'linked', conversationId, record, previous: null, store, requestId }
    case 'r':
      return { status: 'replaced', conversationId, record, previous: recordAt(compact, 112, 113), store, requestId }
    case 'a':
      return { status: 'alreadyLinked', conversationId, record, previous: null, store, requestId }
    case 'k':
      return { status: 'kept', conversationId, record, previous: null, current: recordAt(compact, 112, 113), store, requestId }
    default:
      return { status: 'unlinked', conversationId, record, store, requestId }
  }
}

const recordAt = (compact, table, id) => ({ entityLogicalName: TABLES[compact[table]], recordId: compact.slice(id, id + 36) })

module.exports = { outcomeOf }
