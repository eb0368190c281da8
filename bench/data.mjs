// Rows of the embedded benchmarks: as many contacts as conversations. `bench/src/sqlite.rs` makes the same ids.
import { closeSync, openSync, writeSync } from 'node:fs'

const CONVERSATION = 0
const CONTACT = 2
const AGENT = 4
/** Conversations of one agent. */
const PER_AGENT = 100
/** Records that the clients use at most, spread over all rows. */
const USED = 2 ** 16

/** Scatters the ids of consecutive numbers, as real ids are. No two numbers share an id. */
function mix(number) {
  let bits = Math.imul(number ^ (number >>> 16), 0x21f0aaad)
  bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97)
  return (bits ^ (bits >>> 15)) >>> 0
}

const id = (kind, number) => `${mix(number).toString(16).padStart(8, '0')}-0000-4000-8000-00000000000${kind}`
const email = number => `person.${number}@example.com`
export const agent = number => id(AGENT, Math.floor(number / PER_AGENT))

function contactRow(number) {
  return {
    '@odata.etag': 'W/"48146113"',
    contactid: id(CONTACT, number),
    fullname: `Person ${number}`,
    emailaddress1: email(number),
    telephone1: `+1-555-${number}`,
    _parentcustomerid_value: null
  }
}

function conversationRow(number) {
  return {
    '@odata.etag': 'W/"48217758"',
    activityid: id(CONVERSATION, number),
    subject: `Question ${number}`,
    statecode: 0,
    statuscode: 2,
    createdon: new Date(1_750_000_000_000 + number * 1000).toISOString().replace('.000', ''),
    _msdyn_customer_value: null,
    _msdyn_issueid_value: null,
    _msdyn_activeagentid_value: agent(number)
  }
}

const ROWS = { contacts: contactRow, msdyn_ocliveworkitems: conversationRow }
/** Sets in the order of their import. */
export const SETS = /** @type {const} */ (['contacts', 'msdyn_ocliveworkitems'])

/** Writes the rows from a number up to another to a page in a file. */
export function writePage(file, set, from, to) {
  const handle = openSync(file, 'w')
  writeSync(handle, `{"@odata.context":"https://contoso.crm4.dynamics.com/api/data/v9.2/$metadata#${set}","value":[`)
  for (let number = from; number < to;) {
    const rows = []
    for (; number < to && rows.length < 1000; number++) rows.push(JSON.stringify(ROWS[set](number)))
    writeSync(handle, rows.join(',\n') + (number < to ? ',\n' : ']}'))
  }
  closeSync(handle)
}

/** The links of all runs on a file, by number. Each pass over the conversations gives every one another contact than the last. */
export class Links {
  constructor(size) {
    this.count = Math.min(size, USED)
    const numbers = Array.from({ length: this.count }, (_, at) => at * Math.floor(size / this.count))
    this.numbers = numbers
    this.conversations = numbers.map(number => id(CONVERSATION, number))
    this.contacts = numbers.map(number => id(CONTACT, number))
    this.emails = numbers.map(email)
  }

  conversationOf(link) {
    return link % this.count
  }

  contactOf(link) {
    return (link + Math.floor(link / this.count)) % this.count
  }

  /** The first link of a pass that has not begun. */
  static nextPass(size, link) {
    const count = Math.min(size, USED)
    return Math.ceil(link / count) * count + count
  }
}
