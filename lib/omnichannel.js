'use strict'

// `Microsoft.Omnichannel` of the agent's page, over a client: its functions, with the results and rejections of the product's script.
// types/omnichannel.d.ts documents it.

const { guid, invalidArgument } = require('./validate.js')
const { LinkError, failure, kindOf, own } = require('./link-error.js')
const { attempt, properties } = require('./options.js')

/** `statuscode` and label of each status, by the client's name for it. */
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

/** Columns of a lookup. Empty ones are left out, as in the product's query. */
const lookup = (name, id, table, label) => ({
  ...(id && { [`_${name}_value`]: id, [`_${name}_value${TABLE}`]: table }),
  ...(id && label && { [`_${name}_value${LABEL}`]: label })
})

const linked = (name, record) => lookup(name, record?.recordId, record?.entityLogicalName, record?.name)

/** Columns of a conversation, by attribute. */
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

/** Attributes that are always returned. The product also returns workstream and last session, which a client does not read. */
const ALWAYS = ['activityid', 'msdyn_ocliveworkitemid', 'statuscode', 'createdon']
const ORDERS = { createdon: 'createdOn', statuscode: 'status', subject: 'subject' }
const QUERY = ['agentId', 'attributes', 'status', 'orderBy', 'createdBeforeDays']
/** The size of a page of the Web API. The product's script reads one page. */
const MOST_CONVERSATIONS = 5000
/** Most entries of an array, more than there are statuses, attributes and orders. A web page must not keep the program busy. */
const MOST_ENTRIES = 100
const LARGEST_NUMBER = 2 ** 31 - 1

/** @returns {import('../types/omnichannel').Omnichannel} */
function createOmnichannel(client, focus = client) {
  expectMethods('client', client, ['linkToConversation'], 'an OmnichannelClient')
  const focusMethods = ['getConversationId', 'openConversation']
  expectMethods('focus', focus, focusMethods, 'an object with getConversationId() and openConversation(conversationId)')

  /**
   * The conversation of a call, read before anything is awaited. If there is none, the client rejects the call after it has checked the other
   * arguments; but if the client itself has a focus, which belongs to another window, the call is rejected here.
   */
  const idOf = conversationId => {
    const id = conversationId ?? focus.getConversationId()
    if (id == null && client.getConversationId() != null) throw noneFocused()
    return id
  }

  /** Number of requests to open a conversation, and the last one that moved the focus. */
  let requests = 0
  let opened = { number: 0 }

  const change = async (method, message, entityLogicalName, recordId, conversationId) => {
    const details = { recordGuid: recordId, liveWorkItemId: conversationId }
    try {
      expectGiven({ entityLogicalName, recordId })
      details.liveWorkItemId = idOf(conversationId)
      const outcome = await client[method](entityLogicalName, recordId, details.liveWorkItemId)
      const { conversationId: id, requestId } = outcome
      return success(entityLogicalName, recordId, id, message, requestId, { recordGuid: recordId, liveWorkItemId: id, outcome })
    } catch (error) {
      throw rejection(method, error, details)
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
        throw rejection('getConversationId', error)
      }
    },

    async getLinkedRecords() {
      try {
        const { customer, case: incident } = await client.getConversation(idOf())
        return [customer, incident].filter(Boolean).map(record => ({ entityName: record.entityLogicalName, recordId: record.recordId }))
      } catch (error) {
        throw rejection('getLinkedRecords', error)
      }
    },

    async openConversation(conversationId, sessionId, liveWorkStreamId) {
      const details = { sessionId, liveWorkStreamId }
      try {
        expectGiven({ conversationId })
        const number = ++requests
        const focused = focus.getConversationId()
        const { conversationId: id } = await client.getConversation(conversationId)
        const now = focus.getConversationId()
        // The latest request wins, and so does a focus change made meanwhile.
        if (number > opened.number && (now === focused || now === opened.id)) {
          focus.openConversation(id)
          opened = { number, id }
        }
        return success('', sessionId, id, 'Conversation opened', '', details)
      } catch (error) {
        throw rejection('openConversation', error, { ...details, liveWorkItemId: conversationId })
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
        throw rejection('getConversations', error)
      }
    }
  }
}

function expectMethods(argument, value, methods, what) {
  if (attempt(argument, () => methods.every(method => typeof value?.[method] === 'function'), invalidArgument)) return
  throw invalidArgument(argument, `expected ${what}, got ${kindOf(value)}`)
}

const noneFocused = () =>
  failure('NO_FOCUSED_CONVERSATION', 'No `conversationId` was given and no conversation is focused.', {
    hint: 'Give one, or open one with openConversation(conversationId).'
  })

/** Throws if a required argument is missing. The message is the product's. */
function expectGiven(values) {
  const missing = Object.keys(values).filter(name => values[name] == null)
  if (missing.length === 0) return
  throw failure('INVALID_ARGUMENT', 'Missing required Parameters', { hint: `Needed: ${missing.map(name => `\`${name}\``).join(', ')}.` })
}

/** Translates the page's query into a client's, and its attributes into columns. */
function readQuery(input) {
  try {
    return translated(input)
  } catch (cause) {
    throw cause instanceof LinkError ? cause : failure('INVALID_ARGUMENT', '`input` cannot be read.', { cause })
  }
}

function translated(input) {
  const { agentId, attributes, status, orderBy, createdBeforeDays } = properties(input, QUERY)
  if (!agentId) throw failure('INVALID_ARGUMENT', 'Missing key "agentId" in input object')
  const names = new Set([...ALWAYS, ...list('attributes', attributes)])
  return {
    agentId: guid('input.agentId', agentId),
    // Unknown attributes are left out, like empty columns.
    columns: [...names].filter(name => Object.hasOwn(ATTRIBUTES, name)).map(name => ATTRIBUTES[name]),
    // An empty array means every status, as on the page.
    ...(list('status', status).length > 0 && { statuses: status.map((code, index) => wholeNumber(`status[${index}]`, code)) }),
    ...(orderBy != null && { orderBy: list('orderBy', orderBy).map(readOrder) }),
    // 0 days are no condition, as on the page.
    ...(createdBeforeDays && { createdBeforeDays: wholeNumber('createdBeforeDays', createdBeforeDays) }),
    top: MOST_CONVERSATIONS
  }
}

function readOrder(order, index) {
  const { attributeName, descending } = properties(order, ['attributeName', 'descending'])
  if (typeof attributeName !== 'string' || !Object.hasOwn(ORDERS, attributeName)) {
    throw invalidInput(`orderBy[${index}].attributeName`, `one of the attributes ${Object.keys(ORDERS).join(', ')}`, attributeName)
  }
  if (![true, 'true', false, 'false', null, undefined].includes(descending))
    throw invalidInput(`orderBy[${index}].descending`, 'true or false', descending)
  return { property: ORDERS[attributeName], descending: String(descending) === 'true' }
}

/** A whole number. The page accepts `'3'` as well as 3. */
function wholeNumber(name, value) {
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
  if (Number.isInteger(number) && number >= 0 && number <= LARGEST_NUMBER) return number
  throw invalidInput(name, 'a whole number', value)
}

function list(name, value) {
  if (!Array.isArray(value ?? [])) throw invalidInput(name, 'an array', value)
  if (value?.length > MOST_ENTRIES) throw invalidInput(name, `at most ${MOST_ENTRIES} entries`, value.length)
  return value ?? []
}

function invalidInput(name, expected, value) {
  const got = ['number', 'boolean'].includes(typeof value) ? value : kindOf(value)
  return invalidArgument(`input.${name}`, `expected ${expected}, got ${got}`)
}

/** @returns {import('../types/omnichannel').OmnichannelSuccess} */
function success(entityLogicalName, recordId, liveWorkItemId, message, currentReqId, additionalDetails) {
  return { entityLogicalName, recordId, liveWorkItemId, message, status: 'success', additionalDetails, currentReqId }
}

/** The product's names of its components, where they differ from its functions. */
const COMPONENTS = own({ linkToConversation: 'linkRecordToConversation', unlinkFromConversation: 'unlinkRecordFromConversation' })

/** The object that a function of this name rejects with. */
function rejection(name, cause, additionalDetails = {}) {
  const error = cause instanceof LinkError ? cause : failure('INTERNAL', 'The program failed to answer the call.', { cause })
  if (name === 'getConversations') return { status: false, error }
  const { code, requestId } = own(error)
  return {
    component: COMPONENTS[name] ?? name,
    status: 'failure',
    functionName: `${name} API`,
    message: code === 'NO_FOCUSED_CONVERSATION' ? "Couldn't fetch LiveWorkItemId from session context" : error.message,
    currentReqId: requestId ?? '',
    additionalDetails,
    error
  }
}

module.exports = { createOmnichannel, rejection }
