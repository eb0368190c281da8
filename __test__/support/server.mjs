// A tiny HTTP server whose answers the test writes, for what the emulator never does.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { afterwards } from './afterwards.mjs'

/**
 * Listens on a free port and gives every request to `answer(request, response, number)`; an `answer` that does nothing leaves
 * the request hanging. `requests` lists `GET` and `PATCH` as they came in.
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

/** Resolves with the request when the next one of that method comes in; `left` resolves when its connection is closed. */
export async function arrival(server, method) {
  for (;;) {
    const [request] = await once(server, 'request')
    if (request.method === method) return { request, left: new Promise(resolve => request.socket.once('close', resolve)) }
  }
}

/** Answers with JSON. */
export function json(response, status, body, headers = {}) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify(body))
}

/** A fault in the form Dataverse gives it. */
export const fault = (response, status, code, message, headers) => json(response, status, { error: { code, message } }, headers)

/** Answers with the conversation's row: active and empty unless told otherwise. */
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

/** A URL where nobody ever listens: port 0 cannot be taken. */
export const closedUrl = 'http://127.0.0.1:0'
