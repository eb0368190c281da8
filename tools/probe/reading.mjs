// Questions that read only.
import { once } from 'node:events'
import { connect } from 'node:tls'
import { described, isSuccess, jsonOf } from './web-api.mjs'

const TABLE = 'msdyn_ocliveworkitem'
const MAX_BATCH_PARTS = 1000

/** The JSON of a GET as a sentence, or the error. */
async function read(api, path, sentence) {
  const response = await api.get(path)
  return isSuccess(response) ? sentence(jsonOf(response), response) : described(response)
}

/** Each question with its name in the recording. `ask` returns the answer in a sentence. */
export const READING = [
  {
    name: 'whoAmI',
    text: 'Who is the caller, and which limits do the headers report?',
    ask: api =>
      read(api, 'WhoAmI', ({ UserId, OrganizationId }, { headers }) => {
        const limits = Object.entries(headers).filter(([name]) => name.startsWith('x-ms-ratelimit') || name === 'x-ms-dop-hint')
        return `User ${UserId}, organisation ${OrganizationId}. ${limits.map(pair => pair.join(': ')).join(', ')}`
      })
  },
  {
    name: 'optimisticConcurrency',
    text: 'Does the conversation table check versions?',
    ask: api =>
      read(
        api,
        `EntityDefinitions(LogicalName='${TABLE}')?$select=IsOptimisticConcurrencyEnabled,EntitySetName,PrimaryIdAttribute`,
        definition =>
          `${definition.IsOptimisticConcurrencyEnabled}; the set is ${definition.EntitySetName}, the key ${definition.PrimaryIdAttribute}.`
      )
  },
  {
    name: 'changeTracking',
    text: 'Is change tracking on for conversations?',
    ask: api =>
      read(
        api,
        `EntityDefinitions(LogicalName='${TABLE}')?$select=ChangeTrackingEnabled`,
        ({ ChangeTrackingEnabled }) => `${ChangeTrackingEnabled}.`
      )
  },
  {
    name: 'navigationProperties',
    text: 'How are the navigation properties spelled in this environment?',
    ask: api => {
      const path = 'RelationshipDefinitions/Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata'
      const select = '$select=SchemaName,ReferencedEntity,ReferencingAttribute,ReferencingEntityNavigationPropertyName'
      return read(api, `${path}?${select}&$filter=ReferencingEntity eq '${TABLE}'`, ({ value }) => {
        const links = value.filter(({ ReferencedEntity }) => ['account', 'contact', 'incident'].includes(ReferencedEntity))
        return `${links.map(link => `${link.ReferencingAttribute} -> ${link.ReferencingEntityNavigationPropertyName}`).join(', ')}.`
      })
    }
  },
  {
    name: 'http2',
    text: 'Which HTTP version does the server negotiate (ALPN)?',
    ask: async api => {
      const { protocol, hostname, port } = new URL(api.origin)
      if (protocol !== 'https:') return 'Not asked: the connection is not encrypted.'
      const socket = connect({
        host: hostname,
        port: Number(port) || 443,
        servername: hostname,
        ALPNProtocols: ['h2', 'http/1.1'],
        signal: AbortSignal.timeout(10_000)
      })
      try {
        await once(socket, 'secureConnect')
        return `${socket.alpnProtocol || 'none'}.`
      } finally {
        socket.destroy()
      }
    }
  },
  {
    name: 'batchLimit',
    text: `What is the error for more than ${MAX_BATCH_PARTS} parts in one batch?`,
    ask: async api => {
      const part = `--batch\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\nGET /api/data/v9.2/WhoAmI HTTP/1.1\r\nAccept: application/json\r\n\r\n`
      const body = `${part.repeat(MAX_BATCH_PARTS + 1)}--batch--\r\n`
      return described(await api.send('POST', '$batch', { headers: { 'content-type': 'multipart/mixed; boundary=batch' }, body }))
    }
  }
]
