// The exchange of a link as every HTTP client makes it: GET, then PATCH on the condition that the row is unchanged, answered with the row.

export const COLUMNS = ['activityid', 'statecode', 'statuscode', '_msdyn_customer_value', '_msdyn_issueid_value']

/** Id of a conversation by number. */
export const conversation = number => `00000000-0000-4000-8000-${number.toString(16).padStart(12, '0')}`

export const path = conversationId => `/api/data/v9.2/msdyn_ocliveworkitems(${conversationId})?$select=${COLUMNS}`

const HEADERS = {
  accept: 'application/json',
  authorization: 'Bearer token',
  'odata-maxversion': '4.0',
  'odata-version': '4.0',
  'x-ms-client-request-id': '00000000-0000-4000-8000-000000000000'
}
const ANNOTATIONS = 'odata.include-annotations="Microsoft.Dynamics.CRM.lookuplogicalname"'
export const readHeaders = { ...HEADERS, prefer: ANNOTATIONS }
export const writeHeaders = etag => ({
  ...HEADERS,
  prefer: `return=representation,${ANNOTATIONS}`,
  'content-type': 'application/json',
  'if-match': etag
})

export const binding = contact => ({ 'msdyn_customer_msdyn_ocliveworkitem_contact@odata.bind': `/contacts(${contact})` })

/** Throws if a row is not one that may be linked. */
export function ensureActive(row) {
  if (row.statuscode !== 2) throw new Error(`the conversation is not active: ${JSON.stringify(row)}`)
}

/** Throws if a row does not hold the contact. */
export function ensureLinked(row, contact) {
  if (row._msdyn_customer_value !== contact) throw new Error(`the row holds another record: ${JSON.stringify(row)}`)
}

/**
 * `link` of a client that only sends requests: `send(method, path, headers, body)` returns the parsed row. With one trip the ETag of the last
 * answer is remembered; with two the row is read before each write.
 */
export function exchange(send, trips) {
  const etags = new Map()
  const read = async id => {
    const row = await send('GET', path(id), readHeaders)
    ensureActive(row)
    return row['@odata.etag']
  }
  return async (id, contact) => {
    const etag = (trips === 1 && etags.get(id)) || (await read(id))
    const row = await send('PATCH', path(id), writeHeaders(etag), JSON.stringify(binding(contact)))
    ensureLinked(row, contact)
    if (trips === 1) etags.set(id, row['@odata.etag'])
  }
}
