// A small HTTP server with scripted responses, for cases that the emulator never produces.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { afterwards } from './afterwards.mjs'

/**
 * Listens on a free port and passes every request to `answer(request, response, number)`; an `answer` that does nothing leaves
 * the request hanging. `requests` lists the methods in order.
 */
export async function serve(t, answer = () => {}) {
  const requests = []
  const server = createServer((request, response) => {
    requests.push(request.method)
    request.resume()
    answer(request, response, requests.length)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  afterwards(t, async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  const url = `http://127.0.0.1:${server.address().port}`
  return { url, requests, server, dataverse: { url, credential: 'secret-token', retryOptions: { maxRetries: 0 } } }
}

/** Resolves with the next request of that method; `left` resolves when its connection is closed. */
export async function arrival(server, method) {
  for (;;) {
    const [request] = await once(server, 'request')
    if (request.method === method) return { request, left: new Promise(resolve => request.socket.once('close', resolve)) }
  }
}

/** Responds with JSON. */
export function json(response, status, body, headers = {}) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify(body))
}

/** An error in the form of Dataverse. */
export const fault = (response, status, code, message, headers) => json(response, status, { error: { code, message } }, headers)

/** Responds with the conversation's row, by default active and empty. */
export function row(response, activityid, { etag = 'W/"1"', status = 2, customer = null, incident = null } = {}) {
  json(response, 200, {
    '@odata.etag': etag,
    activityid,
    statecode: 0,
    statuscode: status,
    _msdyn_customer_value: customer?.recordId ?? null,
    ...(customer && { '_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname': customer.entityLogicalName }),
    _msdyn_issueid_value: incident?.recordId ?? null
  })
}

/** A URL that always refuses connections: no server can use port 0. */
export const closedUrl = 'http://127.0.0.1:0'
