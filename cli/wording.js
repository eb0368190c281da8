'use strict'

// Messages at the prompt: what the library says of its functions and options, in the words of the command line.

const WORDS = [
  ['`options.timeoutInMs`', '--timeout'],
  ['`timeoutInMs`', '--timeout'],
  ['`options.top`', '--top'],
  [/`options\.(statuses|linkableStatuses)(\[\d+\])?`/g, '--status'],
  ['in `linkableStatuses`', 'with --status'],
  ['`linkableStatuses` allows', '--status allows'],
  ['`options.ifLinked`', '--if-linked'],
  ['`options.agentId`', '--agent'],
  [/`record(\.\w+)?`/g, '--record'],
  ['`options.dataverse.url`', '--url'],
  [/in `embedded\.path`/g, 'with --db'],
  [/`(options\.)?embedded\.path`/g, '--db'],
  ['`pathOrPage`: ', ''],
  ['importRecords()', '`omnichannel-link import`'],
  ['pass the certificate of the inspecting authority in `caCertificates`, or as a file in NODE_EXTRA_CA_CERTS', 'name a file with the certificate of the inspecting authority in NODE_EXTRA_CA_CERTS'],
  ['`caCertificates`', 'the certificates of NODE_EXTRA_CA_CERTS'],
  ['A Dataverse client needs `options.dataverse.credential`', 'A Dataverse environment needs DATAVERSE_TOKEN'],
  [/^Give an access token, an async function.*/g, 'Set DATAVERSE_TOKEN to an access token, or AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET to an application. For the embedded store give --db.'],
  [/`credential` (is the bare access token|must give an access token for the environment).*/g, 'DATAVERSE_TOKEN is the bare access token for <environment>/.default.'],
  ['it was not configured and DATAVERSE_URL is not set', 'neither --db nor --url is given and DATAVERSE_URL is not set']
]

const worded = text => WORDS.reduce((text, [from, to]) => text.replaceAll(from, to), text)

// C0 and C1, of which some move the cursor, rename the window or make one line two; and what turns the direction of writing.
// oxlint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g

/** What others have written, as a text that does nothing to a terminal. */
const printable = text => text.replace(CONTROLS, found => (/^\s+$/.test(found) ? ' ' : '\ufffd'))

/** The same of all texts in a value. */
function eachText(value, change) {
  if (typeof value === 'string') return change(value)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(item => eachText(item, change))
  return Object.fromEntries(Object.entries(value).map(([name, value]) => [name, eachText(value, change)]))
}

module.exports = { eachText, printable, worded }
