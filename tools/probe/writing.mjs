// Questions that change the conversation's customer. They run in this order; each begins by linking what it needs.
import { gzipSync } from 'node:zlib'
import { bind, isSame, NAVIGATION, pathOf, shown } from './conversation.mjs'
import { described, isSuccess, ProbeError } from './web-api.mjs'

/** The response to a write, and what the conversation holds afterwards. */
const outcome = ({ response, before, after }) =>
  `${described(response)} The conversation ${isSame(before.customer, after.customer) ? 'still has' : 'now has'} ${shown(after.customer)}.`

/** Writes the customer that is linked already. */
const rewrite = (conversation, options) => conversation.patch(conversation.body(conversation.last.customer), options)

/** A PUT or DELETE of the reference on a version that is no longer the row's. */
async function staleReference(conversation, method) {
  const etag = conversation.original.etag
  if (conversation.last.etag === etag) return 'Not asked: no older version is known.'
  const [current, other] = [conversation.last.customer ?? conversation.account, conversation.other]
  const request = { headers: { 'if-match': etag } }
  if (method === 'PUT') {
    request.headers['content-type'] = 'application/json'
    request.body = JSON.stringify({ '@odata.id': conversation.api.url(pathOf(other)) })
  }
  const { entity } = method === 'PUT' ? other : current
  return outcome(await conversation.write(method, `${conversation.path}/${NAVIGATION[entity]}/$ref`, request))
}

async function bindNull(conversation, headers) {
  await conversation.establish(conversation.account)
  return outcome(await conversation.patch({ [`${NAVIGATION.account}@odata.bind`]: null }, { headers }))
}

export const WRITING = [
  {
    name: 'writeInStatus',
    text: 'Can a conversation in this status be written?',
    ask: async conversation => {
      const { response } = await rewrite(conversation)
      const answer = `statuscode ${conversation.original.statuscode}: ${described(response)}`
      if (!isSuccess(response)) throw new ProbeError(answer)
      return answer
    }
  },
  {
    name: 'representation',
    text: 'Is the version in the response to a write the version that a read returns afterwards?',
    ask: async conversation => {
      const { response, after } = await rewrite(conversation)
      if (!response.body) return `${described(response)} The response does not show the row.`
      const etag = JSON.parse(response.body)['@odata.etag']
      return etag === after.etag ? 'Yes.' : `No: ${etag} in the response, ${after.etag} in the read.`
    }
  },
  {
    name: 'noOpWrite',
    text: 'Does writing the value that is there already make a new version?',
    ask: async conversation => {
      const { before, after } = await rewrite(conversation)
      return before.etag === after.etag ? 'No.' : `Yes: ${before.etag}, then ${after.etag}.`
    }
  },
  {
    name: 'etagOn204',
    text: 'Does a 204 carry an ETag?',
    ask: async conversation => {
      const { response } = await rewrite(conversation, { wantsRow: false })
      return `${described(response)} ${response.headers.etag ? 'With' : 'Without'} an ETag.`
    }
  },
  {
    name: 'requestCompression',
    text: 'Is a request body with Content-Encoding: gzip accepted?',
    ask: async conversation => outcome(await rewrite(conversation, { headers: { 'content-encoding': 'gzip' }, encode: gzipSync }))
  },
  {
    name: 'staleVersion',
    text: 'Is a write on an old version rejected?',
    ask: async conversation => {
      const old = conversation.last.etag
      await conversation.establish(conversation.other)
      if (conversation.last.etag === old)
        throw new ProbeError('A change made no new version of the row, so nothing protects it from here on.')
      return outcome(await conversation.patch(conversation.body(conversation.other), { etag: old }))
    }
  },
  { name: 'stalePutReference', text: 'Does PUT …/$ref honour If-Match?', ask: conversation => staleReference(conversation, 'PUT') },
  {
    name: 'staleDeleteReference',
    text: 'Does DELETE …/$ref honour If-Match?',
    ask: conversation => staleReference(conversation, 'DELETE')
  },
  {
    name: 'wrongTypeNull',
    text: "Does null through the contact's property remove an account?",
    ask: async conversation => {
      await conversation.establish(conversation.account)
      return outcome(await conversation.patch({ [NAVIGATION.contact]: null }))
    }
  },
  {
    name: 'bothBinds',
    text: 'Which of an account and a contact in one body is linked?',
    ask: async conversation => {
      await conversation.establish(null)
      return outcome(await conversation.patch({ ...bind(conversation.account), ...bind(conversation.contact) }))
    }
  },
  { name: 'bindNull', text: 'Does @odata.bind: null remove the link?', ask: conversation => bindNull(conversation, {}) },
  {
    name: 'bindNullAutoDisassociate',
    text: 'Does @odata.bind: null with AutoDisassociate: true remove the link?',
    ask: conversation => bindNull(conversation, { autodisassociate: 'true' })
  },
  {
    name: 'wrongTypeBind',
    text: "What is the error for a contact in the account's property?",
    ask: async conversation => {
      await conversation.establish(conversation.account)
      return outcome(await conversation.patch({ [`${NAVIGATION.account}@odata.bind`]: `/${pathOf(conversation.contact)}` }))
    }
  }
]
