'use strict'

// Errors of the library at the prompt: the flag in place of the argument, and hints for those that name an option of the library.


const { own } = require('../lib/link-error.js')

/** The flag that sets an argument of the library. */
const FLAGS = {
  __proto__: null,
  'options.agentId': '--agent',
  'options.dataverse.credential': 'DATAVERSE_TOKEN',
  'options.dataverse.url': '--url',
  'options.embedded.path': '--db',
  'options.ifLinked': '--if-linked',
  'options.linkableStatuses': '--status',
  'options.record': '--record',
  'options.record.entityLogicalName': '--record',
  'options.record.recordId': '--record',
  'options.statuses': '--status',
  'options.timeoutInMs': '--timeout',
  'options.top': '--top',
  pathOrPage: '<file>'
}

/** Hints by code, or by the flag of an invalid argument. */
const HINTS = {
  __proto__: null,
  CONVERSATION_NOT_ACTIVE: 'Use --status to link in further statuses, if your process does.',
  DATAVERSE_TOKEN: 'Set DATAVERSE_TOKEN to an access token, or AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET to an application. For the embedded store use --db.',
  TIMEOUT: 'Raise --timeout if the store is known to be slow.'
}

/** An error as data. An error that is not the library's is a defect. */
function detailsOf(error) {
  const details = own(error.toJSON?.() ?? { code: 'INTERNAL', message: error.message })
  const { argument, code, message, hint } = details
  const flag = FLAGS[argument?.replace(/\[\d+\]$/, '')]
  return own({
    ...details,
    message: flag ? message.replace(`\`${argument}\``, flag) : message,
    ...(hint !== undefined && { hint: HINTS[flag] ?? HINTS[code] ?? hint })
  })
}

module.exports = { detailsOf }
