'use strict'

// The page's `Microsoft.Omnichannel` over a client: its functions, and the objects that the product's script resolves and rejects
// with. types/omnichannel.d.ts is the documentation.

const { guid, invalidArgument } = require('./validate.js')
const { LinkError, failure, own } = require('./link-error.js')
const { attempt, properties } = require('./options.js')

/** A status as a client names it: its `statuscode`, and the label the page shows. */
const STATUSES = {
  __proto__: null,
  open: [1, 'Open'],
  active: [2, 'Active'],
  waiting: [3, 'Waiting'],
  closed: [4, 'Closed'],
  wrapUp: [5, 'Wrap-up'],
  resolved: [6, 'Resolved'],
  scheduled: [7, 'Scheduled']
}

const LABEL = '@OData.Community.Display.V1.FormattedValue'
const TABLE = '@Microsoft.Dynamics.CRM.lookuplogicalname'

/** A lookup's columns. What is empty is left out, as the product's query leaves it out. */
const lookup = (name, id, table, label) => ({
  ...(id && { [`_${name}_value`]: id, [`_${name}_value${TABLE}`]: table }),
  ...(id && label && { [`_${name}_value${LABEL}`]: label })
})

const linked = (name, record) => lookup(name, record?.recordId, record?.entityLogicalName, record?.name)

/** The columns of a conversation, by the attribute that asks for them. */
const ATTRIBUTES = {
  activityid: ({ conversationId }) => ({ activityid: conversationId }),
  msdyn_ocliveworkitemid: ({ conversationId }) => ({ msdyn_ocliveworkitemid: conversationId }),
  statuscode: ({ status }) => {
    const [number, label] = STATUSES[status] ?? [status]
    return { statuscode: number, ...(label && { [`statuscode${LABEL}`]: label }) }
  },
  createdon: ({ createdOn }) => createdOn && { createdon: createdOn },
  subject: ({ subject }) => subject && { subject },
  msdyn_customer: ({ customer }) => linked('msdyn_customer', customer),
  msdyn_issueid: conversation => linked('msdyn_issueid', conversation.case),
  msdyn_activeagentid: ({ agentId }) => lookup('msdyn_activeagentid', agentId, 'systemuser')
}

/** What comes back without being asked for; the page's script brings workstream and last session, too, which a client does not read. */
const ALWAYS = ['activityid', 'msdyn_ocliveworkitemid', 'statuscode', 'createdon']
const ORDERS = { createdon: 'createdOn', statuscode: 'status', subject: 'subject' }
const QUERY = ['agentId', 'attributes', 'status', 'orderBy', 'createdBeforeDays']
/** As many as one page of the Web API holds, which is all that the product's script reads. */
const MOST_CONVERSATIONS = 5000
/** More of them than there are statuses, attributes and orders. A page must not keep its program busy. */
const MOST_ENTRIES = 100
const LARGEST_NUMBER = 2 ** 31 - 1

/** `focus` says which conversation is meant when none is given. */
function createOmnichannel(client, focus = client) {
  expectMethods('client', client, ['linkToConversation'], 'an OmnichannelClient')
  expectMethods('focus', focus, ['getConversationId', 'openConversation'], 'an object with getConversationId() and openConversation(conversationId)')

  /**
   * The conversation a call means: asked for before anything is awaited, so that it is the one of the moment of the call. If it is none,
   * that is the client's to say, after it has looked at the other arguments; unless it would take one that is focused in another place.
   */
  const meant = conversationId => {
    const id = conversationId ?? focus.getConversationId()
    if (id == null && client.getConversationId() != null) throw noneFocused()
    return id
  }

  /** How many conversations were asked for, and the last of them that was focused. */
  let asked = 0
  let opened = { number: 0 }

  /** A link or an unlink. */
  const change = async (method, message, entityLogicalName, recordId, conversationId) => {
    const details = { recordGuid: recordId, liveWorkItemId: conversationId }
    try {
      demand({ entityLogicalName, recordId })
      details.liveWorkItemId = meant(conversationId)
      const outcome = await client[method](entityLogicalName, recordId, details.liveWorkItemId)
      return success(entityLogicalName, recordId, outcome.conversationId, message, outcome.requestId, {
        recordGuid: recordId, liveWorkItemId: outcome.conversationId, outcome
      })
    } catch (error) {
      throw refusal(method, error, details)
    }
  }

  return {
    linkToConversation: (entityLogicalName, recordId, conversationId) =>
      change('linkToConversation', 'Linking successful', entityLogicalName, recordId, conversationId),

    unlinkFromConversation: (entityLogicalName, recordId, conversationId) =>
      change('unlinkFromConversation', 'UnLinking successful', entityLogicalName, recordId, conversationId),

    async getConversationId() {
      try {
        const conversationId = focus.getConversationId()
        if (conversationId == null) throw noneFocused()
        return conversationId
      } catch (error) {
        throw refusal('getConversationId', error)
      }
    },

    async getLinkedRecords() {
      try {
        const { customer, case: incident } = await client.getConversation(meant())
        return [customer, incident].filter(Boolean).map(record => ({ entityName: record.entityLogicalName, recordId: record.recordId }))
      } catch (error) {
        throw refusal('getLinkedRecords', error)
      }
    },

    async openConversation(conversationId, sessionId, liveWorkStreamId) {
      const details = { sessionId, liveWorkStreamId }
      try {
        demand({ conversationId })
        const number = ++asked
        const focused = focus.getConversationId()
        const { conversationId: id } = await client.getConversation(conversationId)
        const now = focus.getConversationId()
        // What was asked for later and is there, or was focused meanwhile by others, is the later wish.
        if (number > opened.number && (now === focused || now === opened.id)) {
          focus.openConversation(id)
          opened = { number, id }
        }
        return success('', sessionId, id, 'Conversation opened', '', details)
      } catch (error) {
        throw refusal('openConversation', error, { ...details, liveWorkItemId: conversationId })
      }
    },

    async getConversations(input) {
      try {
        const { columns, ...query } = readQuery(input)
        const value = []
        for await (const conversation of client.getConversations(query)) {
          value.push(Object.assign({}, ...columns.map(column => column(conversation))))
        }
        return { status: true, result: { value } }
      } catch (error) {
        throw refusal('getConversations', error)
      }
    }
  }
}

function expectMethods(argument, value, methods, what) {
  if (attempt(argument, () => methods.every(method => typeof value?.[method] === 'function'), invalidArgument)) return
  throw invalidArgument(argument, `expected ${what}, got ${value === null ? 'null' : typeof value}`)
}

const noneFocused = () => failure('NO_FOCUSED_CONVERSATION', 'No `conversationId` was given and no conversation is focused.', {
  hint: 'Give one, or open one with openConversation(conversationId).'
})

/** What a function cannot do without. The message is the product's. */
function demand(values) {
  const missing = Object.keys(values).filter(name => values[name] == null)
  if (missing.length === 0) return
  throw failure('INVALID_ARGUMENT', 'Missing required Parameters', { hint: `Needed: ${missing.map(name => `\`${name}\``).join(', ')}.` })
}

/** The page's query as a client's, and the columns it asks for. */
function readQuery(input) {
  try {
    return understood(input)
  } catch (cause) {
    throw cause instanceof LinkError ? cause : failure('INVALID_ARGUMENT', '`input` cannot be read.', { cause })
  }
}

function understood(input) {
  const { agentId, attributes, status, orderBy, createdBeforeDays } = properties(input, QUERY)
  if (!agentId) throw failure('INVALID_ARGUMENT', 'Missing key "agentId" in input object')
  const names = new Set([...ALWAYS, ...list('attributes', attributes)])
  return {
    agentId: guid('input.agentId', agentId),
    // What the store does not hold cannot be given; a script that copes with empty columns copes with this.
    columns: [...names].filter(name => Object.hasOwn(ATTRIBUTES, name)).map(name => ATTRIBUTES[name]),
    // None means every status, as on the page.
    ...(list('status', status).length > 0 && { statuses: status.map((code, index) => wholeNumber(`status[${index}]`, code)) }),
    ...(orderBy != null && { orderBy: list('orderBy', orderBy).map(readOrder) }),
    // As on the page, 0 days are no condition.
    ...(createdBeforeDays && { createdBeforeDays: wholeNumber('createdBeforeDays', createdBeforeDays) }),
    top: MOST_CONVERSATIONS
  }
}

function readOrder(order, index) {
  const { attributeName, descending } = properties(order, ['attributeName', 'descending'])
  if (typeof attributeName !== 'string' || !Object.hasOwn(ORDERS, attributeName)) {
    throw unfit(`orderBy[${index}].attributeName`, `one of the attributes ${Object.keys(ORDERS).join(', ')}`, attributeName)
  }
  if (![true, 'true', false, 'false', null, undefined].includes(descending)) throw unfit(`orderBy[${index}].descending`, 'true or false', descending)
  return { property: ORDERS[attributeName], descending: String(descending) === 'true' }
}

/** The page takes `'3'` as well as 3. */
function wholeNumber(name, value) {
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
  if (Number.isInteger(number) && number >= 0 && number <= LARGEST_NUMBER) return number
  throw unfit(name, 'a whole number', value)
}

function list(name, value) {
  if (!Array.isArray(value ?? [])) throw unfit(name, 'an array', value)
  if (value?.length > MOST_ENTRIES) throw unfit(name, `at most ${MOST_ENTRIES} entries`, value.length)
  return value ?? []
}

function unfit(name, expected, value) {
  const got = ['number', 'boolean'].includes(typeof value) ? value : value === null ? 'null' : typeof value
  return invalidArgument(`input.${name}`, `expected ${expected}, got ${got}`)
}

const success = (entityLogicalName, recordId, liveWorkItemId, message, currentReqId, additionalDetails) =>
  ({ entityLogicalName, recordId, liveWorkItemId, message, status: 'success', additionalDetails, currentReqId })

/** The product's names of its parts, where they differ from those of its functions. */
const COMPONENTS = new Map([['linkToConversation', 'linkRecordToConversation'], ['unlinkFromConversation', 'unlinkRecordFromConversation']])

/** What a function of this name rejects with. */
function refusal(name, cause, additionalDetails = {}) {
  const error = cause instanceof LinkError ? cause : failure('INTERNAL', 'The program failed to answer the call.', { cause })
  if (name === 'getConversations') return { status: false, error }
  return {
    component: COMPONENTS.get(name) ?? name,
    status: 'failure',
    functionName: `${name} API`,
    message: error.code === 'NO_FOCUSED_CONVERSATION' ? "Couldn't fetch LiveWorkItemId from session context" : error.message,
    currentReqId: own(error).requestId ?? '',
    additionalDetails,
    error
  }
}

module.exports = { createOmnichannel, refusal }
