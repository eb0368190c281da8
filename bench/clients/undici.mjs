// A pool with a connection per link in flight, and no pipelining.
import { Pool } from 'undici'
import { exchange } from '../wire.mjs'

export function open({ url, certificate, inFlight, trips }) {
  const pool = new Pool(url, { connections: inFlight, pipelining: 1, connect: { ca: certificate } })
  const send = async (method, path, headers, body) => {
    const response = await pool.request({ method, path, headers, body })
    if (response.statusCode !== 200) throw new Error(`${response.statusCode}: ${await response.body.text()}`)
    return response.body.json()
  }
  return { link: exchange(send, trips), close: () => pool.close() }
}
