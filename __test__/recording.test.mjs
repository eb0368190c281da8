// docs/command-line.md: the recorded output of the commands. `UPDATE_DOCS=1` writes it; otherwise it must be up to date.
import assert from 'node:assert/strict'
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startEmulator } from 'omnichannel-link-emulator'
import { afterwards, folder } from './support/afterwards.mjs'
import { cli } from './support/cli.mjs'
import { connectProxy } from './support/proxy.mjs'
import { closedConversation, contact, conversation, data, emptyConversation, incident, missingId } from './support/sample.mjs'

const root = new URL('..', import.meta.url)
const document = fileURLToPath(new URL('docs/command-line.md', root))
const guide = readFileSync(new URL('docs/guide.md', root), 'utf8')

const HOST = 'contoso.crm4.dynamics.com'
const INTRODUCTION = `# The command line, recorded

\`UPDATE_DOCS=1 node --test __test__/recording.test.mjs\` generates this file: it runs every command below in a folder with only the package
installed, and a test compares the output with this file. \`https://${HOST}\` is the emulator behind a proxy. Values that
differ between runs are replaced: the folder, the proxy's address, request ids, the certificate's expiry date and durations.
`

const LINK = `incident ${incident.recordId} ${conversation} --db try.db`
const SECTIONS = {
  'The embedded store': [
    'npx omnichannel-link import node_modules/omnichannel-link/examples/data --db try.db',
    `npx omnichannel-link link ${LINK}`,
    `npx omnichannel-link link ${LINK} --json`,
    `npx omnichannel-link show ${conversation} --db try.db --json`,
    `npx omnichannel-link link contact ${contact.recordId} ${conversation} --db try.db --dry-run`,
    `npx omnichannel-link link contact ${contact.recordId} ${conversation} --db try.db`,
    `npx omnichannel-link show ${conversation} --db try.db`,
    'npx omnichannel-link conversations --status active --top 5 --db try.db',
    `npx omnichannel-link conversations --record contact:${contact.recordId} --db try.db`,
    `npx omnichannel-link unlink ${LINK}`,
    `npx omnichannel-link unlink ${LINK}`,
    `npx omnichannel-link link contact ${contact.recordId} ${closedConversation} --db try.db`,
    `npx omnichannel-link show ${missingId} --db try.db --json`,
    'npx omnichannel-link doctor --db try.db'
  ],
  'A Dataverse environment': [
    'cat links.csv',
    `npx omnichannel-link bulk links.csv --url https://${HOST} --dry-run`,
    `npx omnichannel-link bulk links.csv --url https://${HOST}`,
    'cat links.failed.csv',
    `npx omnichannel-link bulk links.csv --url https://${HOST} --json`,
    `npx omnichannel-link doctor --url https://${HOST}`
  ],
  Help: [
    'npx omnichannel-link help',
    ...['link', 'unlink', 'show', 'conversations', 'import', 'bulk', 'doctor'].map(command => `npx omnichannel-link help ${command}`),
    'npx omnichannel-link lnik'
  ]
}

const LIST = `entityLogicalName,recordId,conversationId,ticket
incident,${incident.recordId},${conversation},T-1
contact,${contact.recordId},${emptyConversation},T-2
contact,${contact.recordId},${closedConversation},T-3
lead,${contact.recordId},${conversation},T-4
contact,${missingId},${conversation},T-5
`

/** A folder with the sample data and a list, and the environment for the emulator. */
async function prepared(t) {
  const emulator = await startEmulator({ seed: data, tls: { hosts: [HOST] } })
  afterwards(t, () => emulator.close())
  const proxy = await connectProxy(t, Number(new URL(emulator.url).port))
  const cwd = folder(t)
  cpSync(data, join(cwd, 'node_modules', 'omnichannel-link', 'examples', 'data'), { recursive: true })
  writeFileSync(join(cwd, 'links.csv'), LIST)
  writeFileSync(join(cwd, 'authority.pem'), emulator.caCertificate)
  const env = {
    DATAVERSE_TOKEN: emulator.credential,
    HTTPS_PROXY: proxy.url,
    NODE_EXTRA_CA_CERTS: join(cwd, 'authority.pem'),
    NO_PROXY: ''
  }
  const steady = text =>
    text
      .replaceAll('\r\n', '\n')
      .replaceAll(JSON.stringify(cwd + sep).slice(1, -1), '/home/agent/')
      .replaceAll(cwd + sep, '/home/agent/')
      .replaceAll(proxy.host, 'proxy.contoso.com:8080')
      .replace(/("requestId":"|"serviceRequestId":"|  request )[0-9a-f-]{36}/g, '$1…')
      .replace(/[\d.]+ ms\b/g, '… ms')
      .replace(/, until \d{4}-\d{2}-\d{2}\./, ', until ….')
  return { cwd, env, steady }
}

/** A command and its output. */
async function record(t, { cwd, env, steady }, command) {
  const [program, ...words] = command.split(' ')
  if (program === 'cat') return `$ ${command}\n${steady(readFileSync(join(cwd, words[0]), 'utf8'))}`
  const { code, stdout, stderr } = await cli(t, words.slice(1), { cwd, env })
  return `$ ${command}\n${steady(stdout + stderr)}${code === 0 ? '' : `[exit code ${code}]\n`}`
}

test('docs/command-line.md matches the output of the commands', { timeout: 300_000 }, async t => {
  const terminal = await prepared(t)
  let text = INTRODUCTION
  for (const [heading, commands] of Object.entries(SECTIONS)) {
    const records = []
    for (const command of commands) records.push(await record(t, terminal, command))
    text += `\n## ${heading}\n\n\`\`\`\n${records.join('\n')}\`\`\`\n`
  }
  if (process.env.UPDATE_DOCS) writeFileSync(document, text)
  const committed = existsSync(document) ? readFileSync(document, 'utf8').replaceAll('\r\n', '\n') : ''
  assert.equal(committed, text, 'review the change, then write it with UPDATE_DOCS=1')
})

test('every command of the guide is recorded', () => {
  const shown = guide.match(/^npx omnichannel-link .*$/gm)
  const recorded = new Set(Object.values(SECTIONS).flat())
  assert.ok(shown.length > 0)
  assert.deepEqual(
    shown.filter(command => !recorded.has(command)),
    []
  )
})
