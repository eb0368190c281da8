// Node's built-in fetch with its own pool. It trusts the file in NODE_EXTRA_CA_CERTS.
import { exchange } from '../wire.mjs'

export function open({ url, trips }) {
  const send = async (method, path, headers, body) => {
    const request = { method, headers, body }
    const response = await fetch(url + path, request)
    if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`)
    return response.json()
  }
  return { link: exchange(send, trips) }
}
