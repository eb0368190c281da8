// Imports one page into the embedded store, in a process of its own because its peak memory is measured.
import { statSync } from 'node:fs'
import { load } from './clients/product.mjs'

const { from, database, file } = JSON.parse(process.argv[2])
const OmnichannelClient = load(from)
const client = new OmnichannelClient({ embedded: { path: database } })
const before = process.memoryUsage.rss()
const cpu = process.cpuUsage()
const started = performance.now()
const { inserted } = await client.importRecords(file)
const seconds = (performance.now() - started) / 1000
const { user, system } = process.cpuUsage(cpu)
const bytes = statSync(file).size
// The peak of the process so far, in kilobytes.
const peak = process.resourceUsage().maxRSS * 1024 - before
await client.close()
console.log(
  JSON.stringify({ rows: inserted, seconds, cpuInSeconds: (user + system) / 1e6, bytes, peakInBytes: peak, peakOverFile: peak / bytes })
)
