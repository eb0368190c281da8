'use strict'

// The output of `help`. The commands provide their own descriptions; the shared parts are here.

const { CLASSES } = require('./exit-codes.js')

const GLOBAL_OPTIONS = {
  db: { type: 'string', value: '<path>', help: 'use the embedded store in this SQLite file' },
  url: { type: 'string', value: '<url>', help: 'use this Dataverse environment, such as https://contoso.crm4.dynamics.com' },
  timeout: { type: 'string', value: '<ms>', help: 'timeout of each call in milliseconds (default 30000; for bulk 600000)' },
  json: { type: 'boolean', help: 'print results on stdout and errors on stderr as JSON' },
  help: { type: 'boolean', short: 'h', help: 'show help' },
  version: { type: 'boolean', help: 'print the version' }
}

const VARIABLES = [
  ['DATAVERSE_URL', 'the environment to use if neither --url nor --db is given'],
  ['DATAVERSE_TOKEN', 'an access token for the scope <environment>/.default'],
  ['AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET', 'credentials of an application, used if DATAVERSE_TOKEN is not set'],
  ['AZURE_AUTHORITY_HOST', 'the token authority, for an environment outside the known Microsoft clouds'],
  ['HTTPS_PROXY, NO_PROXY, NODE_EXTRA_CA_CERTS', 'the proxy and certificate authorities of a company network'],
  ['OMNICHANNEL_LINK_LOG', 'warn or debug: log requests to stderr'],
  ['NO_COLOR', 'disable colours']
]

function general(commands) {
  return `Links accounts, contacts and cases to Dynamics 365 Omnichannel conversations.

Usage: omnichannel-link <command> [options]

Commands
${columns([...Object.entries(commands).map(([name, { summary }]) => [name, summary]), ['help [command]', 'show help, with examples for each command']])}

Options
${columns(options(GLOBAL_OPTIONS))}

Without --db, --url and DATAVERSE_URL, the embedded store in omnichannel-link.db in the working directory is used.

Environment
${columns(VARIABLES)}

Exit codes
${columns(CLASSES.map(([code, meaning, codes]) => [String(code), codes.length > 0 ? `${meaning}: ${codes.join(', ')}` : meaning]))}

Try it without a Dataverse environment:
  omnichannel-link import node_modules/omnichannel-link/examples/data --db try.db
  omnichannel-link link incident 6b726d86-d37c-43b8-b3a4-c4056ddd2e07 b7397aae-ecf8-43a6-aeb0-07d294efb494 --db try.db
  omnichannel-link show b7397aae-ecf8-43a6-aeb0-07d294efb494 --db try.db`
}

function ofCommand(name, { usage, summary, about, options: specific = {}, examples }) {
  const more = Object.keys(specific).length > 0 ? `\nOptions\n${columns(options(specific))}\n` : ''
  return `${summary[0].toUpperCase()}${summary.slice(1)}.

${`Usage: omnichannel-link ${name} ${usage}`.trimEnd()}

${about}
${more}
For --db, --url, --timeout and --json see \`omnichannel-link help\`.

Examples
${examples.map(example => `  omnichannel-link ${example}`).join('\n')}`
}

const options = specs =>
  Object.entries(specs).map(([name, { short, value, help }]) => [`--${name}${value ? ` ${value}` : ''}${short ? `, -${short}` : ''}`, help])

/** Aligns rows in two columns. The right cell of a row with a long left cell goes onto the next line. */
function columns(rows) {
  const width = Math.max(...rows.map(([left]) => left.length).filter(length => length <= 24))
  return rows
    .map(([left, right]) => (left.length > width ? `  ${left}\n  ${' '.repeat(width)}  ${right}` : `  ${left.padEnd(width)}  ${right}`))
    .join('\n')
}

module.exports = { GLOBAL_OPTIONS, general, ofCommand }
