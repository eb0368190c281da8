// The sample data of examples/data, by the names in the tests.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const data = fileURLToPath(new URL('../../examples/data/', import.meta.url))
export const pages = ['accounts', 'contacts', 'incidents', 'msdyn_ocliveworkitems']

export const account = { entityLogicalName: 'account', recordId: '0b7e4c0e-7d35-4a0c-a4e4-0f6d2a3c9e02' }
export const otherAccount = { entityLogicalName: 'account', recordId: '26e08ef7-4612-4663-9c2f-7fff9605e8d7' }
export const contact = { entityLogicalName: 'contact', recordId: '2d9f1c55-7b0a-4a9b-8f2e-0e4a7c1f9b10' }
export const incident = { entityLogicalName: 'incident', recordId: '6b726d86-d37c-43b8-b3a4-c4056ddd2e07' }
export const otherIncident = { entityLogicalName: 'incident', recordId: 'ac9fc583-7af8-42a9-99aa-bf9881952505' }

/** Active; its customer is `account`, its case slot is empty. */
export const conversation = 'b7397aae-ecf8-43a6-aeb0-07d294efb494'
/** Active; both slots are empty. */
export const emptyConversation = '455ad61a-1b4f-4bef-a1da-4a23d647d08a'
/** Closed; both slots are empty. */
export const closedConversation = '3f0c9a52-64b1-4d0e-9a3b-5f1f7f3a2c04'
/** Active; its customer is `missingContact`, which does not exist. */
export const danglingConversation = 'bee06f94-242c-4f88-985f-59bce19b1c48'
export const missingContact = { entityLogicalName: 'contact', recordId: '07866b38-7604-4be6-8b87-77035ac93eb6' }
/** One conversation of every status. */
export const byStatus = {
  open: '8e9c0807-9b57-4b16-a569-2269a528c767',
  waiting: '6b0f8f95-a001-43c9-86e7-20c7891c00db',
  closed: closedConversation,
  wrapUp: '3f1e8fb2-7a3e-4040-89e5-4f40c1355ddf',
  resolved: '62cdf650-f288-4708-96c5-8eb1ee922c0e',
  scheduled: '0b9d6a10-bcb2-4694-a882-6da35bf15787'
}
/** An id that does not exist. */
export const missingId = '00000000-0000-4000-8000-00000000dead'

/** A page in the form of the Web API. */
export const page = (set, ...value) => ({ '@odata.context': `https://contoso.crm4.dynamics.com/api/data/v9.2/$metadata#${set}`, value })
/** The `number`th of many ids. */
export const numbered = number => `00000000-0000-4000-8000-${number.toString(16).padStart(12, '0')}`
/** Active conversations with nothing linked, as one page. */
export const conversations = count => ({
  ...page('msdyn_ocliveworkitems'),
  value: Array.from({ length: count }, (_, number) => ({ activityid: numbered(number), statuscode: 2 }))
})

/** The rows of each page, and the names of the records by id. */
export const rows = Object.fromEntries(pages.map(page => [page, JSON.parse(readFileSync(join(data, `${page}.json`), 'utf8')).value]))
export const names = new Map([
  ...rows.accounts.map(({ accountid, name }) => [accountid, name]),
  ...rows.contacts.map(({ contactid, fullname }) => [contactid, fullname]),
  ...rows.incidents.map(({ incidentid, title }) => [incidentid, title])
])
