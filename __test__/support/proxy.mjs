// A CONNECT proxy that requires a user and a password, and maps every name to one port of this machine.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { afterwards } from './afterwards.mjs'

/**
 * `asked` lists the requested `host:port`, and `refused` counts the rejected passwords. `wants` is the scheme it
 * names then.
 */
export async function connectProxy(t, port, { user = 'me', password = 'p@ss/w%rd', wants = 'Basic realm="proxy"' } = {}) {
  const asked = []
  const sockets = new Set()
  const state = { asked, refused: 0 }
  const expected = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
  const server = createServer((_request, response) => response.writeHead(400).end())
  server.on('connection', socket => sockets.add(socket))
  server.on('connect', (request, socket) => {
    if (request.headers['proxy-authorization'] !== expected) {
      state.refused++
      socket.end(`HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: ${wants}\r\nContent-Length: 0\r\n\r\n`)
      return
    }
    asked.push(request.url)
    const beyond = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      beyond.pipe(socket).pipe(beyond)
    })
    sockets.add(beyond)
    for (const end of [socket, beyond]) end.on('error', () => [socket, beyond].forEach(other => other.destroy()))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  afterwards(t, async () => {
    sockets.forEach(socket => socket.destroy())
    server.close()
    await once(server, 'close')
  })
  const host = `127.0.0.1:${server.address().port}`
  return Object.assign(state, { host, url: `http://${user}:${encodeURIComponent(password)}@${host}` })
}
