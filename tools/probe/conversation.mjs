// The one row that the probe changes: reading it, changing its customer, putting the customer back.
import { setTimeout as sleep } from 'node:timers/promises'
import { described, isSuccess, jsonOf, ProbeError } from './web-api.mjs'

const SELECT = '$select=activityid,statecode,statuscode,_msdyn_customer_value,_msdyn_issueid_value'
const ANNOTATE = 'odata.include-annotations="Microsoft.Dynamics.CRM.lookuplogicalname"'
const MAX_RESTORATIONS = 6

export const NAVIGATION = { account: 'msdyn_customer_msdyn_ocliveworkitem_account', contact: 'msdyn_customer_msdyn_ocliveworkitem_contact' }
const SETS = { account: 'accounts', contact: 'contacts' }

export const pathOf = ({ entity, id }) => `${SETS[entity]}(${id})`
export const bind = record => ({ [`${NAVIGATION[record.entity]}@odata.bind`]: `/${pathOf(record)}` })
export const isSame = (one, other) => one?.entity === other?.entity && one?.id === other?.id
export const shown = customer => (customer ? `${customer.entity} ${customer.id}` : 'no customer')

export class Conversation {
  /** The row before the first write. */
  original
  /** The row as it was read last. */
  last
  /** Whether a write was sent whose result is unknown: it may still take effect. */
  #inDoubt = false
  #hasWritten = false

  constructor(api, id) {
    this.api = api
    this.id = id
  }

  get path() {
    return `msdyn_ocliveworkitems(${this.id})`
  }

  /** Finds what the experiments need, without writing. */
  async prepare() {
    this.original = this.last = await this.#read()
    this.account = await this.#any('account')
    this.contact = await this.#any('contact')
  }

  async #any(entity) {
    const { value } = jsonOf(await this.api.get(`${SETS[entity]}?$select=${entity}id&$top=1`))
    if (value.length === 0) throw new ProbeError(`The environment has no ${entity} that this user can read.`)
    return { entity, id: value[0][`${entity}id`] }
  }

  async #read() {
    const row = jsonOf(await this.api.get(`${this.path}?${SELECT}`, { prefer: ANNOTATE, 'if-none-match': 'null' }))
    const id = row._msdyn_customer_value
    const customer = id && { id, entity: row['_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname'] }
    return { etag: row['@odata.etag'], customer, incident: row._msdyn_issueid_value, statuscode: row.statuscode }
  }

  /** Whether the row holds only what was there before, or what the probe itself puts there. */
  #isOurs(row) {
    const known = [null, this.original.customer, this.account, this.contact]
    return row.incident === this.original.incident && known.some(customer => isSame(customer, row.customer))
  }

  /** The record of the two that is not linked now. */
  get other() {
    return isSame(this.last.customer, this.account) ? this.contact : this.account
  }

  /** The body that sets the customer. What is linked decides which property empties the column. */
  body(customer) {
    return customer ? bind(customer) : { [NAVIGATION[this.last.customer?.entity ?? 'account']]: null }
  }

  /** A PATCH on the version that was read last, unless `etag` says otherwise. */
  patch(body, { etag = this.last.etag, wantsRow = true, headers = {}, encode = text => text } = {}) {
    const prefer = wantsRow ? { prefer: `return=representation,${ANNOTATE}` } : {}
    return this.write('PATCH', `${this.path}?${SELECT}`, {
      headers: { 'content-type': 'application/json', 'if-match': etag, ...prefer, ...headers },
      body: encode(JSON.stringify(body))
    })
  }

  /** Sends a write and reads the row. Stops the probe when the result is unknown or another writer changed the row. */
  async write(method, path, request) {
    const before = this.last
    this.#inDoubt = this.#hasWritten = true
    const response = await this.api.send(method, path, request)
    const now = await this.#read()
    // A gateway may have stopped waiting for a server that still executes the write.
    if (response.status >= 502 && response.status <= 504) throw new ProbeError(`The result of a write is unknown: ${described(response)}`)
    this.#inDoubt = false
    this.last = now
    const isForeign = !this.#isOurs(now) || (!isSuccess(response) && now.etag !== before.etag)
    if (isForeign) throw new ProbeError('Another writer changed the conversation. Use one that is not in use.')
    return { response, before, after: now }
  }

  /** Links `customer` as the starting point of an experiment. */
  async establish(customer) {
    if (isSame(this.last.customer, customer)) return
    const { response } = await this.patch(this.body(customer))
    if (!isSame(this.last.customer, customer))
      throw new ProbeError(`The starting point of an experiment could not be set. ${described(response)}`)
  }

  /** Puts the original customer back, unless another writer has linked something else. Returns whether it is in order, and a sentence. */
  async restore() {
    if (!this.#hasWritten) return { restored: true, text: 'Nothing was written.' }
    const original = this.original.customer
    let problem = 'Other writers changed the conversation at every attempt.'
    for (let attempt = 0; attempt < MAX_RESTORATIONS; attempt++) {
      if (attempt > 0) await sleep(100 * 2 ** attempt)
      try {
        this.last = await this.#read()
        if (!this.#isOurs(this.last)) {
          return {
            restored: false,
            text: `Another writer linked ${shown(this.last.customer)}; that was left alone. Before the probe it was ${shown(original)}.`
          }
        }
        // A write that may still arrive carries an older version: writing once more makes it fail.
        if (isSame(this.last.customer, original) && !this.#inDoubt)
          return { restored: true, text: `The customer is ${shown(original)}, as before the probe.` }
        const headers = { 'content-type': 'application/json', 'if-match': this.last.etag }
        const response = await this.api.send('PATCH', this.path, { headers, body: JSON.stringify(this.body(original)) })
        if (isSuccess(response)) this.#inDoubt = false
        else problem = described(response)
      } catch (error) {
        problem = error.message
      }
    }
    return { restored: false, text: `The customer could not be put back: ${problem} Link ${shown(original)} to ${this.path} by hand.` }
  }
}
