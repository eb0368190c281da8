// dynamics-web-api with its own agent, which keeps connections open. It trusts the file in NODE_EXTRA_CA_CERTS.
import { DynamicsWebApi } from 'dynamics-web-api'
import { binding, COLUMNS, ensureActive, ensureLinked } from '../wire.mjs'

const collection = 'msdyn_ocliveworkitems'

export function open({ url }) {
  const api = new DynamicsWebApi({ serverUrl: url, dataApi: { version: '9.2' }, onTokenRefresh: async () => 'token' })
  const link = async (key, contact) => {
    const row = await api.retrieve({ collection, key, select: COLUMNS, includeAnnotations: '*' })
    ensureActive(row)
    const written = await api.update({
      collection,
      key,
      data: binding(contact),
      select: COLUMNS,
      ifmatch: row['@odata.etag'],
      returnRepresentation: true
    })
    ensureLinked(written, contact)
  }
  // Its agent keeps sockets open and cannot be closed.
  return { link, close: () => process.once('beforeExit', () => process.exit()) }
}
