// axios with agents that keep connections open.
import http from 'node:http'
import https from 'node:https'
import axios from 'axios'
import { exchange } from '../wire.mjs'

export function open({ url, certificate, trips }) {
  const httpAgent = new http.Agent({ keepAlive: true })
  const httpsAgent = new https.Agent({ keepAlive: true, ca: certificate })
  const client = axios.create({ baseURL: url, httpAgent, httpsAgent, proxy: false })
  const send = async (method, url, headers, data) => (await client.request({ method, url, headers, data })).data
  const close = () => {
    httpAgent.destroy()
    httpsAgent.destroy()
  }
  return { link: exchange(send, trips), close }
}
