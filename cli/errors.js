'use strict'

// Adapts the library's errors to the command line: messages name the flag or variable instead of the argument.

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

/** The hint for a missing credential, which for the library lists forms that a command line does not have. */
const CREDENTIAL_HINT =
  'Set DATAVERSE_TOKEN to an access token, or AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET to the credentials of an application. For the embedded store, use --db.'

/** An error as plain data. An error that the library did not create is a defect, hence INTERNAL. */
function detailsOf(error) {
  const details = own(error.toJSON?.() ?? { code: 'INTERNAL', message: error.message })
  const { argument, message } = details
  const flag = FLAGS[argument?.replace(/\[\d+\]$/, '')]
  return own({
    ...details,
    message: flag ? message.replace(`\`${argument}\``, flag) : message,
    ...(flag === 'DATAVERSE_TOKEN' && { hint: CREDENTIAL_HINT })
  })
}

module.exports = { detailsOf }
