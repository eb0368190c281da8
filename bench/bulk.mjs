// One long list against the emulator, with a fault in a hundred requests and a server that throttles: is every outcome true, and what does it
// cost? Takes minutes, so it is no test: `node bench/bulk.mjs [items] [maxRetries]`. With 0 retries many items fail, some in doubt.
import { subscribe } from 'node:diagnostics_channel'
import { createRequire } from 'node:module'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { OmnichannelClient } from 'omnichannel-link'
import { startEmulator } from 'omnichannel-link-emulator'

const [items = 100_000, maxRetries = 3] = process.argv.slice(2).map(Number)
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

const buildProfile = createRequire(import.meta.url)('../lib/binding.js').Client.buildProfile()
const id = (kind, number) => `00000000-0000-4000-800${kind}-${number.toString(16).padStart(12, '0')}`
const page = (set, value) => ({ '@odata.context': `https://contoso.crm4.dynamics.com/api/data/v9.2/$metadata#${set}`, value })
const numbers = count => Array.from({ length: count }, (_, number) => number)
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc')
/** What is resident, and what of the heap is in use after a collection, in MB. */
const memory = () => {
  collectGarbage()
  const { rss, heapUsed } = process.memoryUsage()
  return `${Math.round(rss / 1e6)} (${(heapUsed / 1e6).toFixed(1)})`
}

const RECORDS = [['contact', 1], ['account', 2], ['incident', 3]]
const RECORDS_OF_A_KIND = 10
const conversations = Math.ceil(items / (TOGETHER * PER_CONVERSATION)) * TOGETHER

/** The items: contacts, accounts and incidents take turns, so that most replace what an earlier one linked. One in a hundred links nobody. */
function* list() {
  for (let at = 0; at < items; at++) {
    const [entityLogicalName, kind] = RECORDS[at % RECORDS.length]
    const record = at % 100 === 99 ? RECORDS_OF_A_KIND : at % RECORDS_OF_A_KIND
    const conversationId = id(0, Math.floor(at / (TOGETHER * PER_CONVERSATION)) * TOGETHER + (at % TOGETHER))
    yield { entityLogicalName, recordId: id(kind, record), conversationId, at }
  }
}

// The books take no room, so that the memory below is the client's: of each slot, which records it may hold by what the client said, a bit
// each and bit 0 for nothing. It is one, or several after a call that may have been applied.
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
let found = 0
const tally = { succeeded: {}, certain: {}, doubtful: {} }
const count = (group, name) => {
  tally[group][name] = (tally[group][name] ?? 0) + 1
}

/** Compares an outcome with all outcomes before it, and remembers it. */
function judge(request, outcome, error) {
  const slot = slotOf(request.conversationId, request.entityLogicalName === 'incident')
  const before = slots[slot]
  const isNobody = request.at % 100 === 99
  if (error) {
    count(error.maybeApplied ? 'doubtful' : 'certain', error.code)
    if (error.code === 'RECORD_NOT_FOUND' && !isNobody) wrong.push(`item ${request.at}: the record is there`)
    if (error.maybeApplied) slots[slot] |= bitOf(request)
    return
  }
  count('succeeded', outcome.status)
  const held = bitOf(outcome.status === 'alreadyLinked' ? request : outcome.previous)
  // A link that rests on a remembered row and loses its response finds its own work.
  const isFound = outcome.status === 'alreadyLinked' && (before & held) === 0
  if (isFound) found++
  const isTrue = (isFound || (before & held) !== 0) && (outcome.status === 'linked') === (held === NOTHING) && !isNobody
  if (!isTrue) wrong.push(`item ${request.at}: ${outcome.status}, it held ${bits(held)}; possible was ${bits(before)}`)
  slots[slot] = bitOf(request)
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
    page('contacts', numbers(RECORDS_OF_A_KIND).map(number => ({ contactid: id(1, number) }))),
    page('accounts', numbers(RECORDS_OF_A_KIND).map(number => ({ accountid: id(2, number) }))),
    page('incidents', numbers(RECORDS_OF_A_KIND).map(number => ({ incidentid: id(3, number) })))
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
const client = new OmnichannelClient({ dataverse: { url, credential, retryOptions: { maxRetries, retryDelayInMs: 1 }, maxConcurrency: CONCURRENCY } })
const started = performance.now()
let results = 0
let unordered = 0
for await (const { request, outcome, error } of client.linkMany(list())) {
  if (request.at !== results++) unordered++
  judge(request, outcome, error)
  if (results % Math.ceil(items / 10) === 0) {
    const seconds = ((performance.now() - started) / 1000).toFixed(1)
    console.log(`  ${results} after ${seconds} s, ${throttled} waits, ${wrong.length} false, ${memory()} MB resident (of it heap in use)`)
  }
}
const seconds = (performance.now() - started) / 1000
await client.close()

const requests = (await emulator.requests()).at(-1).number
await emulator.faults.clear()
if (found > RATE * requests) wrong.push(`${found} items found their own work, with ${requests} requests`)
let compared = 0
let doubtful = 0
for await (const row of rows(emulator)) {
  const customer = { entityLogicalName: row['_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname'], recordId: row._msdyn_customer_value }
  const incident = { entityLogicalName: 'incident', recordId: row._msdyn_issueid_value }
  for (const [isCase, record] of [customer, incident].entries()) {
    const possible = slots[slotOf(row.activityid, isCase)]
    if ((possible & (possible - 1)) === 0) compared++
    else doubtful++
    const held = bitOf(record.recordId && record)
    if ((possible & held) === 0) wrong.push(`${row.activityid}: ${isCase ? 'case' : 'customer'} is ${bits(held)}; possible was ${bits(possible)}`)
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
compared    ${compared} slots of certain outcome and ${doubtful} in doubt, ${2 * conversations} in all
false       ${wrong.length}`)
for (const line of wrong.slice(0, 20)) console.log(`  ${line}`)
if (wrong.length > 0 || unordered > 0 || results !== items || compared + doubtful !== 2 * conversations) process.exitCode = 1
