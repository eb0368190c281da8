// One fresh process: the time of `require`, or the time from the start of the process to its first settled link.
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { conversation } from './wire.mjs'

const settings = JSON.parse(process.argv[2])

/** Threads of this process. On Linux only, otherwise null. */
function threads() {
  try {
    return readdirSync('/proc/self/task').length
  } catch {
    return null
  }
}

async function firstLink() {
  const { open } = await import(`./clients/${settings.client}.mjs`)
  const { link, run, close } = await open(settings)
  let settled
  const meter = {
    record() {
      settled ??= performance.now()
      return false
    }
  }
  if (run) await run(meter)
  else await link(conversation(settings.firstConversation), settings.contacts[0])
  const report = { firstLinkInMs: settled ?? performance.now(), threads: threads(), rssInMb: process.memoryUsage.rss() / 2 ** 20 }
  await close?.()
  return report
}

function timedRequire() {
  const require = createRequire(import.meta.url)
  const before = threads()
  const began = performance.now()
  require(settings.package)
  return { requireInMs: performance.now() - began, threads: threads() - before }
}

console.log(JSON.stringify(settings.package ? timedRequire() : await firstLink()))
