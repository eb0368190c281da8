// Runs one long list against the emulator, with a fault in one of a hundred requests and a server that throttles. Compares every outcome with
// the rows and measures the cost. Takes minutes, so it is not a test: `node bench/bulk.mjs [items] [maxRetries]`. With 0 retries many items
// fail, and some may have been applied.
import { subscribe } from 'node:diagnostics_channel'
import { createRequire } from 'node:module'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { OmnichannelClient } from 'omnichannel-link'
import { startEmulator } from 'omnichannel-link-emulator'

const [items = 100_000, maxRetries = 3] = process.argv.slice(2).map(Number)
// Items per conversation, all of them in flight at once.
const PER_CONVERSATION = 5
const TOGETHER = 50
const RATE = 0.01
const FAULTS = [
  { kind: 'drop' },
  { kind: 'drop', commit: true },
  { kind: 'status', status: 503 },
  { kind: 'status', status: 502, body: 'html', commit: true },
  { kind: 'throttle', limit: 'concurrency', retryAfterInSeconds: 0 },
  { kind: 'truncate' },
  { kind: 'writer', when: 'before', changes: { subject: 'Touched' } }
]
const LIMITS = { requests: 50_000, windowInMs: 1000 }
// Each request over the limits extends the pause by a second, so a low concurrency keeps it short.
const CONCURRENCY = 8

const buildProfile = createRequire(import.meta.url)('../lib/binding.js').Client.buildProfile()
const id = (kind, number) => `00000000-0000-4000-800${kind}-${number.toString(16).padStart(12, '0')}`
const page = (set, value) => ({ '@odata.context': `https://contoso.crm4.dynamics.com/api/data/v9.2/$metadata#${set}`, value })
const numbers = count => Array.from({ length: count }, (_, number) => number)
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc')
/** Resident memory, and the heap in use after a garbage collection, in MB. */
const memory = () => {
  collectGarbage()
  const { rss, heapUsed } = process.memoryUsage()
  return `${Math.round(rss / 1e6)} (${(heapUsed / 1e6).toFixed(1)})`
}

const RECORDS = [
  ['contact', 1],
  ['account', 2],
  ['incident', 3]
]
const RECORDS_OF_A_KIND = 10
const conversations = Math.ceil(items / (TOGETHER * PER_CONVERSATION)) * TOGETHER

/** Items: contacts, accounts and incidents alternate, so that most replace an earlier link. One in a hundred names a missing record. */
function* list() {
  for (let at = 0; at < items; at++) {
    const [entityLogicalName, kind] = RECORDS[at % RECORDS.length]
    const record = at % 100 === 99 ? RECORDS_OF_A_KIND : at % RECORDS_OF_A_KIND
    const conversationId = id(0, Math.floor(at / (TOGETHER * PER_CONVERSATION)) * TOGETHER + (at % TOGETHER))
    yield { entityLogicalName, recordId: id(kind, record), conversationId, at }
  }
}

// For each slot, a bit mask of the records that it may hold according to the outcomes; bit 0 means empty. After a call that may have been
// applied several bits are set. A compact form, so that the memory measured below is the client's.
const NOTHING = 1
const bitOf = record => {
  if (!record) return NOTHING
  const kind = RECORDS.findIndex(([name]) => name === record.entityLogicalName)
  return 1 << (1 + kind * RECORDS_OF_A_KIND + Number(`0x${record.recordId.slice(24)}`))
}
const slots = new Uint32Array(2 * conversations).fill(NOTHING)
const slotOf = (conversationId, isCase) => 2 * Number(`0x${conversationId.slice(24)}`) + (isCase ? 1 : 0)
const bits = mask => mask.toString(2)
const wrong = []
let ownWrites = 0
const totals = { succeeded: {}, certain: {}, doubtful: {} }
const count = (group, name) => {
  totals[group][name] = (totals[group][name] ?? 0) + 1
}

/** Checks an outcome against all earlier ones, and records it. */
function judge(request, outcome, error) {
  const slot = slotOf(request.conversationId, request.entityLogicalName === 'incident')
  const before = slots[slot]
  const isMissing = request.at % 100 === 99
  if (error) {
    count(error.maybeApplied ? 'doubtful' : 'certain', error.code)
    if (error.code === 'RECORD_NOT_FOUND' && !isMissing) wrong.push(`item ${request.at}: RECORD_NOT_FOUND, but the record exists`)
    if (error.maybeApplied) slots[slot] |= bitOf(request)
    return
  }
  count('succeeded', outcome.status)
  const held = bitOf(outcome.status === 'alreadyLinked' ? request : outcome.previous)
  // A link based on a cached row that loses its response finds its own write.
  const isOwnWrite = outcome.status === 'alreadyLinked' && (before & held) === 0
  if (isOwnWrite) ownWrites++
  const isTrue = (isOwnWrite || (before & held) !== 0) && (outcome.status === 'linked') === (held === NOTHING) && !isMissing
  if (!isTrue) wrong.push(`item ${request.at}: ${outcome.status}, previous ${bits(held)}, possible ${bits(before)}`)
  slots[slot] = bitOf(request)
}

/** All rows of the server, read without this package. */
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
    page(
      'msdyn_ocliveworkitems',
      numbers(conversations).map(number => ({ activityid: id(0, number), statuscode: 2 }))
    ),
    page(
      'contacts',
      numbers(RECORDS_OF_A_KIND).map(number => ({ contactid: id(1, number) }))
    ),
    page(
      'accounts',
      numbers(RECORDS_OF_A_KIND).map(number => ({ accountid: id(2, number) }))
    ),
    page(
      'incidents',
      numbers(RECORDS_OF_A_KIND).map(number => ({ incidentid: id(3, number) }))
    )
  ]
})
await emulator.faults.random({ seed: 7, rate: RATE, faults: FAULTS })
await emulator.faults.conditions({ limits: LIMITS })
// Advances the server's clock, which otherwise stands still. The random faults have no delay and are ignored here.
let throttled = 0
subscribe('omnichannel-link:throttle', ({ delayInMs }) => {
  if (delayInMs < 1000) return
  throttled++
  emulator.clock.advance(delayInMs)
})

console.log(
  `${items} items on ${conversations} conversations, ${buildProfile} build, Node ${process.versions.node}, ${process.platform} ${process.arch}`
)
const { url, credential } = emulator
const client = new OmnichannelClient({
  dataverse: { url, credential, retryOptions: { maxRetries, retryDelayInMs: 1 }, maxConcurrency: CONCURRENCY }
})
const started = performance.now()
let results = 0
let unordered = 0
for await (const { request, outcome, error } of client.linkMany(list())) {
  if (request.at !== results++) unordered++
  judge(request, outcome, error)
  if (results % Math.ceil(items / 10) === 0) {
    const seconds = ((performance.now() - started) / 1000).toFixed(1)
    console.log(`  ${results} after ${seconds} s, ${throttled} waits, ${wrong.length} false, ${memory()} MB resident (heap in use)`)
  }
}
const seconds = (performance.now() - started) / 1000
await client.close()

const requests = (await emulator.requests()).at(-1).number
await emulator.faults.clear()
if (ownWrites > RATE * requests) wrong.push(`${ownWrites} items found their own write, with ${requests} requests`)
let compared = 0
let doubtful = 0
for await (const row of rows(emulator)) {
  const customer = {
    entityLogicalName: row['_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname'],
    recordId: row._msdyn_customer_value
  }
  const incident = { entityLogicalName: 'incident', recordId: row._msdyn_issueid_value }
  for (const [isCase, record] of [customer, incident].entries()) {
    const possible = slots[slotOf(row.activityid, isCase)]
    if ((possible & (possible - 1)) === 0) compared++
    else doubtful++
    const held = bitOf(record.recordId && record)
    if ((possible & held) === 0)
      wrong.push(`${row.activityid}: ${isCase ? 'case' : 'customer'} is ${bits(held)}, possible ${bits(possible)}`)
  }
}
await emulator.close()

const sum = group => Object.values(group).reduce((sum, number) => sum + number, 0)
const shown = group => `${sum(group)} ${JSON.stringify(group)}`
console.log(`results     ${results}, ${unordered} out of order
succeeded   ${shown(totals.succeeded)}
failed      ${shown(totals.certain)}, certainly not applied
in doubt    ${shown(totals.doubtful)}, maybeApplied
duration    ${seconds.toFixed(1)} s, ${Math.round(results / seconds)} items and ${Math.round(requests / seconds)} requests a second
requests    ${requests}, ${throttled} throttled
compared    ${compared} slots with a certain outcome and ${doubtful} in doubt, ${2 * conversations} in total
false       ${wrong.length}`)
for (const line of wrong.slice(0, 20)) console.log(`  ${line}`)
if (wrong.length > 0 || unordered > 0 || results !== items || compared + doubtful !== 2 * conversations) process.exitCode = 1
