'use strict'

// What `help` says. The commands bring their own texts; this is what they share.

const { CLASSES } = require('./exit-codes.js')

const GLOBAL_OPTIONS = {
  db: { type: 'string', value: '<path>', help: 'the embedded store, on this SQLite file' },
  url: { type: 'string', value: '<url>', help: 'a Dataverse environment: https://contoso.crm4.dynamics.com' },
  timeout: { type: 'string', value: '<ms>', help: 'milliseconds until a call gives up (30000; in a bulk 600000)' },
  json: { type: 'boolean', help: 'results on stdout as JSON, errors on stderr too' },
  help: { type: 'boolean', short: 'h', help: 'explain' },
  version: { type: 'boolean', help: 'print the version' }
}

const VARIABLES = [
  ['DATAVERSE_URL', 'the environment, if neither --url nor --db is given'],
  ['DATAVERSE_TOKEN', 'an access token for <environment>/.default, or else:'],
  ['AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET', 'an application and its secret'],
  ['AZURE_AUTHORITY_HOST', 'who gives tokens, for an environment of no known cloud'],
  ['HTTPS_PROXY, NO_PROXY, NODE_EXTRA_CA_CERTS', 'the way out of a company network'],
  ['OMNICHANNEL_LINK_LOG', 'warn or debug: the traffic, on stderr'],
  ['NO_COLOR', 'no colours']
]

function general(commands) {
  return `Links accounts, contacts and cases to Dynamics 365 Omnichannel conversations.

Usage: omnichannel-link <command> [options]

Commands
${columns([...Object.entries(commands).map(([name, { summary }]) => [name, summary]), ['help [command]', 'explain, with examples']])}

Options
${columns(options(GLOBAL_OPTIONS))}

Without --db, --url and DATAVERSE_URL: omnichannel-link.db in the working directory.

Environment
${columns(VARIABLES)}

Exit codes
${columns(CLASSES.map(([code, what, codes]) => [String(code), codes.length > 0 ? `${what}: ${codes.join(', ')}` : what]))}

Try it without any environment:
  omnichannel-link import node_modules/omnichannel-link/examples/data/*.json --db try.db
  omnichannel-link link incident 6b726d86-d37c-43b8-b3a4-c4056ddd2e07 b7397aae-ecf8-43a6-aeb0-07d294efb494 --db try.db
  omnichannel-link show b7397aae-ecf8-43a6-aeb0-07d294efb494 --db try.db`
}

function ofCommand(name, { usage, summary, about, options: own = {}, examples }) {
  const more = Object.keys(own).length > 0 ? `\nOptions\n${columns(options(own))}\n` : ''
  return `${summary[0].toUpperCase()}${summary.slice(1)}.

${`Usage: omnichannel-link ${name} ${usage}`.trimEnd()}

${about}
${more}
Also --db, --url, --timeout and --json: see \`omnichannel-link help\`.

Examples
${examples.map(example => `  omnichannel-link ${example}`).join('\n')}`
}

const options = specs => Object.entries(specs).map(([name, { short, value, help }]) => [`--${name}${value ? ` ${value}` : ''}${short ? `, -${short}` : ''}`, help])

/** Two columns; a long entry on the left has the right one below it. */
function columns(rows) {
  const width = Math.max(...rows.map(([left]) => left.length).filter(length => length <= 24))
  return rows.map(([left, right]) => (left.length > width ? `  ${left}\n  ${' '.repeat(width)}  ${right}` : `  ${left.padEnd(width)}  ${right}`)).join('\n')
}

module.exports = { GLOBAL_OPTIONS, general, ofCommand }
