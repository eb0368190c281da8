// The rows that every suite of clients starts with. The Python programs read the same file.
import { readFileSync } from 'node:fs'
import { page } from '../support/sample.mjs'

const rows = JSON.parse(readFileSync(new URL('organisation.json', import.meta.url), 'utf8'))

/** The pages for `startEmulator`. */
export const seed = Object.entries(rows).map(([set, value]) => page(set, ...value))

const ids = (set, key) => rows[set].map(row => row[key])
export const [fabrikam, contoso, adventure, oneill, northwind] = ids('accounts', 'accountid')
export const [ada, grace, alan, mary] = ids('contacts', 'contactid')
export const [leak, delivery] = ids('incidents', 'incidentid')
export const [beans] = ids('opportunities', 'opportunityid')
export const [lead] = ids('leads', 'leadid')
export const [callBack, samples, offer] = ids('tasks', 'activityid')
export const [note] = ids('annotations', 'annotationid')
export const [support] = ids('queues', 'queueid')
export const [baristas] = ids('teams', 'teamid')
export const [eva] = ids('systemusers', 'systemuserid')
export const [visitor, otherVisitor] = ids('msdyn_ocliveworkitems', 'activityid')
/** An id that does not exist. */
export const missing = '00000000-0000-4000-8000-00000000dead'
