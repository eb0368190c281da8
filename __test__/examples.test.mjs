// Runs the examples unchanged, each in a folder that contains only the installed packages.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
let folder

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'omnichannel-examples-'))
  const emulator = join(folder, 'node_modules', 'omnichannel-link-emulator')
  mkdirSync(emulator, { recursive: true })
  symlinkSync(root, join(folder, 'node_modules', 'omnichannel-link'), 'junction')
  cpSync(join(root, 'examples'), folder, { recursive: true })
  // The real emulator. Before it closes, its conversations are written to a file.
  writeFileSync(
    join(emulator, 'index.mjs'),
    `import { writeFileSync } from 'node:fs'
     import * as real from ${JSON.stringify(pathToFileURL(join(root, 'emulator', 'index.js')).href)}
     export async function startEmulator(options) {
       const emulator = await real.startEmulator(options)
       const close = async () => {
         const headers = { authorization: \`Bearer \${emulator.credential}\`, prefer: 'odata.include-annotations="*"' }
         const response = await fetch(\`\${emulator.url}/api/data/v9.2/msdyn_ocliveworkitems\`, { headers })
         writeFileSync('rows.json', await response.text())
         await emulator.close()
       }
       return { ...emulator, close }
     }`
  )
  writeFileSync(join(emulator, 'package.json'), '{ "exports": "./index.mjs" }')
})

after(() => rmSync(folder, { recursive: true }))

/** Runs an example. Returns its output, and the names of the records that it linked to a conversation. */
function run(example, conversation) {
  const { DATAVERSE_URL: _, NODE_TEST_CONTEXT: __, ...env } = process.env
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(folder, example)], { cwd: folder, env, encoding: 'utf8' })
  assert.equal(status, 0, stdout + stderr)
  assert.equal(stderr, '')
  const row = JSON.parse(readFileSync(join(folder, 'rows.json'), 'utf8')).value.find(({ activityid }) => activityid === conversation)
  const name = column => row[`${column}@OData.Community.Display.V1.FormattedValue`] ?? null
  return { stdout, customer: name('_msdyn_customer_value'), case: name('_msdyn_issueid_value') }
}

test('CTI middleware links a caller that it can identify, once the agent has accepted', () => {
  assert.deepEqual(run('cti-middleware.mjs', 'd2a4f6b8-1c3e-4a5f-9b7d-0e2c4a6f8b1d'), {
    stdout: `refresh the windows of d2a4f6b8-1c3e-4a5f-9b7d-0e2c4a6f8b1d
+1-555-0166 is Taras Kalynohir: linked
+1-555-0148 belongs to 2 contacts: the agent will choose
+1-555-0000 is not a known number
`,
    customer: 'Taras Kalynohir',
    case: null
  })
})

test('a bot hands over the contact and the case, and overwrites only the link that it expects', () => {
  assert.deepEqual(run('bot-handover.mjs', '8e9c0807-9b57-4b16-a569-2269a528c767'), {
    stdout: `contact "Ana Testa": linked
incident "Coffee machine leaks after descaling": linked
account "Fabrikam Coffee": replaced
linkToConversation failed: CONFLICT
account "Northwind Harbour Supplies": not linked, because the slot now holds account
contact was replaced by account "Fabrikam Coffee"
incident is still linked
`,
    customer: 'Fabrikam Coffee',
    case: 'Coffee machine leaks after descaling'
  })
})

test("a user's own tests pass, and the last one, which lacks a privilege, leaves the rows unchanged", () => {
  const { stdout, ...slots } = run('own-tests.test.mjs', 'b7397aae-ecf8-43a6-aeb0-07d294efb494')
  assert.match(stdout, /pass 6\n/)
  assert.deepEqual(slots, { customer: 'Fabrikam Coffee', case: null })
})
