// One long list against the emulator, with a fault in a hundred requests and a server that throttles: is every outcome true, and what does it
// cost? Takes minutes, so it is no test: `node bench/bulk.mjs [items]`.
import { subscribe } from 'node:diagnostics_channel'
import { createRequire } from 'node:module'
import { OmnichannelClient } from 'omnichannel-link'
import { startEmulator } from 'omnichannel-link-emulator'

const items = Number(process.argv[2] ?? 100_000)
// Each conversation is named by this many items, all of them in flight together.
const PER_CONVERSATION = 5
const TOGETHER = 50
const RATE = 0.01
const FAULTS = [
  { kind: 'drop' }, { kind: 'drop', commit: true }, { kind: 'status', status: 503 }, { kind: 'status', status: 502, body: 'html', commit: true },
  { kind: 'throttle', limit: 'concurrency', retryAfterInSeconds: 0 }, { kind: 'truncate' }, { kind: 'writer', when: 'before', changes: { subject: 'Touched' } }
]
const LIMITS = { requests: 50_000, windowInMs: 1000 }
// Each request that meets the limits lengthens the pause by a second, so that few at once keep it short.
const CONCURRENCY = 8

const buildProfile = createRequire(import.meta.url)('../binding.js').Client.buildProfile()
const id = (kind, number) => `00000000-0000-4000-800${kind}-${number.toString(16).padStart(12, '0')}`
const page = (set, value) => ({ '@odata.context': `https://contoso.crm4.dynamics.com/api/data/v9.2/$metadata#${set}`, value })
const numbers = count => Array.from({ length: count }, (_, number) => number)
const megabytes = () => Math.round(process.memoryUsage().rss / 1e6)

const RECORDS = [['contact', 1], ['account', 2], ['incident', 3]]
const conversations = Math.ceil(items / (TOGETHER * PER_CONVERSATION)) * TOGETHER

/** The items: contacts, accounts and incidents take turns, so that most replace what an earlier one linked. */
function* list() {
  for (let at = 0; at < items; at++) {
    const [entityLogicalName, kind] = RECORDS[at % RECORDS.length]
    const conversationId = id(0, Math.floor(at / (TOGETHER * PER_CONVERSATION)) * TOGETHER + (at % TOGETHER))
    yield { entityLogicalName, recordId: id(kind, at % 10), conversationId, at }
  }
}

const slotOf = ({ entityLogicalName, conversationId }) => `${conversationId} ${entityLogicalName === 'incident' ? 'case' : 'customer'}`
const nameOf = record => (record ? `${record.entityLogicalName} ${record.recordId}` : 'nothing')

/** What each slot may hold by what the client said: one value, or several after a call that may have been applied. */
const slots = new Map()
const wrong = []
const tally = { succeeded: {}, certain: {}, doubtful: {} }
const count = (group, name) => {
  tally[group][name] = (tally[group][name] ?? 0) + 1
}

/** Compares an outcome with all outcomes before it, and remembers it. */
function judge(request, outcome, error) {
  const slot = slotOf(request)
  const before = slots.get(slot) ?? ['nothing']
  if (error) {
    count(error.maybeApplied ? 'doubtful' : 'certain', error.code)
    if (error.maybeApplied) slots.set(slot, [...new Set([...before, nameOf(request)])])
    return
  }
  count('succeeded', outcome.status)
  const held = outcome.status === 'alreadyLinked' ? nameOf(request) : nameOf(outcome.previous)
  const isTrue = before.includes(held) && (outcome.status === 'linked') === (held === 'nothing')
  if (!isTrue) wrong.push(`item ${request.at}: ${outcome.status}, it held ${held}; possible was ${before.join(' or ')}`)
  slots.set(slot, [nameOf(request)])
}

/** What the server holds, asked without this package. */
async function* rows({ url, credential }) {
  const headers = { authorization: `Bearer ${credential}`, prefer: 'odata.maxpagesize=5000,odata.include-annotations="*"' }
  let next = `${url}/api/data/v9.2/msdyn_ocliveworkitems?$select=_msdyn_customer_value,_msdyn_issueid_value`
  while (next) {
    const { value, '@odata.nextLink': link } = await (await fetch(next, { headers })).json()
    yield* value
    next = link
  }
}

const emulator = await startEmulator({
  seed: [
    page('msdyn_ocliveworkitems', numbers(conversations).map(number => ({ activityid: id(0, number), statuscode: 2 }))),
    page('contacts', numbers(10).map(number => ({ contactid: id(1, number) }))),
    page('accounts', numbers(10).map(number => ({ accountid: id(2, number) }))),
    page('incidents', numbers(10).map(number => ({ incidentid: id(3, number) })))
  ]
})
await emulator.faults.random({ seed: 7, rate: RATE, faults: FAULTS })
await emulator.faults.conditions({ limits: LIMITS })
// Of the server's clock, which stands still otherwise. Not for the random faults, which ask for no pause.
let throttled = 0
subscribe('omnichannel-link:throttle', ({ delayInMs }) => {
  if (delayInMs < 1000) return
  throttled++
  emulator.clock.advance(delayInMs)
})

console.log(`${items} items on ${conversations} conversations, ${buildProfile} build, Node ${process.versions.node}, ${process.platform} ${process.arch}`)
const { url, credential } = emulator
const client = new OmnichannelClient({ dataverse: { url, credential, retryDelayInMs: 1, maxConcurrency: CONCURRENCY } })
const memory = [megabytes()]
const started = performance.now()
let results = 0
let unordered = 0
for await (const { request, outcome, error } of client.linkMany(list())) {
  if (request.at !== results++) unordered++
  judge(request, outcome, error)
  if (results % Math.ceil(items / 10) === 0) console.error(`  ${results} after ${((performance.now() - started) / 1000).toFixed(1)} s, ${throttled} waits, ${wrong.length} false`)
  if (results === Math.floor(items / 2)) memory.push(megabytes())
}
const seconds = (performance.now() - started) / 1000
memory.push(megabytes())
await client.close()

const requests = (await emulator.requests()).at(-1).number
await emulator.faults.clear()
let compared = 0
let doubtful = 0
for await (const row of rows(emulator)) {
  const customer = row._msdyn_customer_value && `${row['_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname']} ${row._msdyn_customer_value}`
  const held = { customer, case: row._msdyn_issueid_value && `incident ${row._msdyn_issueid_value}` }
  for (const [slot, found] of Object.entries(held)) {
    const possible = slots.get(`${row.activityid} ${slot}`) ?? ['nothing']
    if (possible.length === 1) compared++
    else doubtful++
    if (!possible.includes(found ?? 'nothing')) wrong.push(`${row.activityid}: ${slot} holds ${found}; possible was ${possible.join(' or ')}`)
  }
}
await emulator.close()

const sum = group => Object.values(group).reduce((sum, number) => sum + number, 0)
const shown = group => `${sum(group)} ${JSON.stringify(group)}`
console.log(`results     ${results}, ${unordered} out of order
succeeded   ${shown(tally.succeeded)}
failed      ${shown(tally.certain)}, certainly not applied
in doubt    ${shown(tally.doubtful)}, maybeApplied
duration    ${seconds.toFixed(1)} s, ${Math.round(results / seconds)} items and ${Math.round(requests / seconds)} requests a second
requests    ${requests}, ${throttled} told to wait by the limits
memory      ${memory.join(', ')} MB resident at the start, in the middle, at the end (with this script's own books)
compared    ${compared} slots of certain outcome and ${doubtful} in doubt, ${2 * conversations} in all
false       ${wrong.length}`)
for (const line of wrong.slice(0, 20)) console.log(`  ${line}`)
if (wrong.length > 0 || unordered > 0 || results !== items || compared + doubtful !== 2 * conversations) process.exitCode = 1
