// Stands in for the client's events until it has them.
import { EventEmitter } from 'node:events'

/** The client, telling of its own links. */
export function telling(client) {
  if (client.on) return client
  const events = new EventEmitter()
  for (const method of ['linkToConversation', 'unlinkFromConversation']) {
    const original = client[method].bind(client)
    client[method] = async (...values) => {
      const outcome = await original(...values)
      events.emit(outcome.status, outcome)
      return outcome
    }
  }
  return Object.assign(client, { on: events.on.bind(events), off: events.off.bind(events) })
}
