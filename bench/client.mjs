// One client in a process of its own: `node client.mjs JSON`. Keeps a number of links in flight and prints a report as JSON.
import { Meter } from './measure.mjs'
import { conversation } from './wire.mjs'

const settings = JSON.parse(process.argv[2])
const { open } = await import(`./clients/${settings.client}.mjs`)
const { link, run, close } = await open(settings)
const meter = new Meter(settings)

/** Links two records in turn to one conversation, one link after the other. */
async function lane(number) {
  const conversationId = conversation(settings.firstConversation + number)
  let goesOn = true
  for (let turn = 0; goesOn; turn++) {
    const began = performance.now()
    await link(conversationId, settings.contacts[turn % 2])
    goesOn = meter.record(began)
  }
}

if (run) await run(meter)
else await Promise.all(Array.from({ length: settings.inFlight }, (_, number) => lane(number)))
await meter.done
await close?.()
console.log(JSON.stringify(meter.report()))
