'use strict'

// Adapts the library's errors to the command line: messages name the flag instead of the argument, and hints name flags and variables.

const { own } = require('../lib/link-error.js')

/** The flag or variable that sets each argument of the library. */
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

/** Hints by error code, or by the flag of the invalid argument. */
const HINTS = {
  __proto__: null,
  CONVERSATION_NOT_ACTIVE: 'Use --status to allow linking in other statuses, if your process permits it.',
  DATAVERSE_TOKEN:
    'Set DATAVERSE_TOKEN to an access token, or AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET to the credentials of an application. For the embedded store, use --db.',
  TIMEOUT: 'Increase --timeout if the store is known to be slow.'
}

/** An error as plain data. An error that the library did not create is a defect, hence INTERNAL. */
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
