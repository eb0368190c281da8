// Updating and deleting rows and single properties.
import assert from 'node:assert/strict'
import {
  ada,
  beans,
  callBack,
  contoso,
  delivery,
  fabrikam,
  grace,
  leak,
  missing,
  northwind,
  oneill,
  otherVisitor,
  visitor
} from '../organisation.mjs'

const read = (api, collection, key, ...select) => api.retrieve({ collection, key, select })

export function changes(operation) {
  operation('update: one column, and no other', async api => {
    const before = await read(api, 'accounts', fabrikam, 'name', 'telephone1', 'revenue')
    assert.equal(await api.update({ collection: 'accounts', key: fabrikam, data: { telephone1: '555-0177' } }), true)
    const row = await read(api, 'accounts', fabrikam, 'name', 'telephone1', 'revenue')
    assert.deepEqual([row.telephone1, row.name, row.revenue], ['555-0177', before.name, before.revenue])
    assert.notEqual(row['@odata.etag'], before['@odata.etag'])
  })

  operation('update: values of all kinds', async api => {
    const data = {
      name: 'Káva – ☕',
      revenue: 99.95,
      numberofemployees: 0,
      creditonhold: true,
      accountcategorycode: 2,
      lastonholdtime: '2026-11-01T12:34:56Z',
      address1_latitude: 49.2
    }
    await api.update({ collection: 'accounts', key: fabrikam, data })
    const row = await read(api, 'accounts', fabrikam, ...Object.keys(data))
    for (const [name, value] of Object.entries({ ...data, lastonholdtime: new Date(data.lastonholdtime) }))
      assert.deepEqual(row[name], value, name)
  })

  operation('update: to empty', async api => {
    await api.update({ collection: 'accounts', key: fabrikam, data: { telephone1: null, revenue: null, accountcategorycode: null } })
    const row = await read(api, 'accounts', fabrikam, 'telephone1', 'revenue', 'accountcategorycode')
    assert.deepEqual([row.telephone1, row.revenue, row.accountcategorycode], [null, null, null])
  })

  operation('update: the changed row', async api => {
    const request = { collection: 'accounts', key: fabrikam, data: { telephone1: '555-0177' }, returnRepresentation: true }
    const row = await api.update({ ...request, select: ['telephone1', 'name'] })
    assert.deepEqual([row.telephone1, row.name, row.accountid], ['555-0177', 'Fabrikam Coffee', fabrikam])
    assert.equal(row['@odata.etag'], (await read(api, 'accounts', fabrikam, 'name'))['@odata.etag'])
  })

  operation('update: a row that does not exist', async api => {
    await assert.rejects(api.update({ collection: 'accounts', key: missing, data: { name: 'x' } }), { status: 404, code: '0x80040217' })
    assert.equal(await api.count({ collection: 'accounts' }), 5)
  })

  operation('update: with ifmatch, current', async api => {
    const { '@odata.etag': ifmatch } = await read(api, 'accounts', fabrikam, 'name')
    assert.equal(await api.update({ collection: 'accounts', key: fabrikam, data: { name: 'Fabrikam' }, ifmatch }), true)
  })

  operation('update: with ifmatch, stale', async api => {
    const { '@odata.etag': ifmatch } = await read(api, 'accounts', fabrikam, 'name')
    await api.update({ collection: 'accounts', key: fabrikam, data: { name: 'First' } })
    assert.equal(await api.update({ collection: 'accounts', key: fabrikam, data: { name: 'Second' }, ifmatch }), false)
    assert.equal((await read(api, 'accounts', fabrikam, 'name')).name, 'First')
  })

  operation('update: with ifmatch, stale, as an error', async (_, { url, credential }) => {
    const { DynamicsWebApi } = await import('dynamics-web-api')
    const api = new DynamicsWebApi({ serverUrl: url, propagateErrors: true, onTokenRefresh: async () => credential })
    await assert.rejects(api.update({ collection: 'accounts', key: fabrikam, data: { name: 'x' }, ifmatch: 'W/"999999"' }), {
      status: 412,
      code: '0x80060882',
      message: "The version of the existing record doesn't match the RowVersion property provided."
    })
  })

  operation('update: with ifmatch, a row that does not exist', async api => {
    const request = { collection: 'accounts', key: missing, data: { name: 'x' }, ifmatch: 'W/"1"' }
    await assert.rejects(api.update(request), { status: 404, code: '0x80040217' })
  })

  operation('update: by an alternate key', async api => {
    assert.equal(await api.update({ collection: 'accounts', key: "accountnumber='A-2'", data: { name: 'Contoso' } }), true)
    assert.equal((await read(api, 'accounts', contoso, 'name')).name, 'Contoso')
  })

  operation('update: a lookup', async api => {
    await api.update({ collection: 'accounts', key: fabrikam, data: { 'primarycontactid@odata.bind': `contacts(${grace})` } })
    assert.equal((await read(api, 'accounts', fabrikam, '_primarycontactid_value'))._primarycontactid_value, grace)
  })

  operation('update: a lookup to empty', async api => {
    await api.update({ collection: 'accounts', key: fabrikam, data: { primarycontactid: null } })
    assert.equal((await read(api, 'accounts', fabrikam, '_primarycontactid_value'))._primarycontactid_value, null)
  })

  operation('update: a customer to one of the other table', async api => {
    await api.update({ collection: 'incidents', key: delivery, data: { 'customerid_account@odata.bind': `/accounts(${contoso})` } })
    const row = await api.retrieve({ collection: 'incidents', key: delivery, select: ['_customerid_value'], includeAnnotations: '*' })
    assert.deepEqual([row._customerid_value, row._customerid_value_LogicalName], [contoso, 'account'])
  })

  operation('update: the customer and the case of a conversation', async api => {
    const data = {
      'msdyn_customer_msdyn_ocliveworkitem_account@odata.bind': `/accounts(${fabrikam})`,
      'msdyn_IssueId_msdyn_ocliveworkitem@odata.bind': `/incidents(${leak})`
    }
    await api.update({ collection: 'msdyn_ocliveworkitems', key: otherVisitor, data })
    const row = await read(api, 'msdyn_ocliveworkitems', otherVisitor, '_msdyn_customer_value', '_msdyn_issueid_value')
    assert.deepEqual([row._msdyn_customer_value, row._msdyn_issueid_value], [fabrikam, leak])
  })

  operation('update: a state brings its default status', async api => {
    await api.update({ collection: 'accounts', key: fabrikam, data: { statecode: 1 } })
    const row = await read(api, 'accounts', fabrikam, 'statecode', 'statuscode')
    assert.deepEqual([row.statecode, row.statuscode], [1, 2])
    await api.update({ collection: 'accounts', key: northwind, data: { statecode: 0, statuscode: 1 } })
    assert.equal((await read(api, 'accounts', northwind, 'statecode')).statecode, 0)
  })

  operation('update: a task to completed', async api => {
    await api.update({ collection: 'tasks', key: callBack, data: { statecode: 1, statuscode: 5 } })
    const row = await api.retrieve({ collection: 'tasks', key: callBack, select: ['statecode', 'statuscode'], includeAnnotations: '*' })
    assert.deepEqual([row.statecode_Formatted, row.statuscode_Formatted], ['Completed', 'Completed'])
  })

  operation('update: a status of another state', async api => {
    const request = { collection: 'accounts', key: fabrikam, data: { statecode: 0, statuscode: 2 } }
    await assert.rejects(api.update(request), { status: 400, code: '0x80048408' })
  })

  operation('update: an unknown column', async api => {
    await assert.rejects(api.update({ collection: 'accounts', key: fabrikam, data: { nam: 'x' } }), { status: 400, message: /'nam'/ })
  })

  operation('update: names of a contact', async api => {
    await api.update({ collection: 'contacts', key: ada, data: { lastname: 'King' } })
    const row = await read(api, 'contacts', ada, 'fullname', 'firstname')
    assert.deepEqual([row.fullname, row.firstname], ['Ada King', 'Ada'])
  })

  operation('update: with options that change nothing here', async (api, emulator) => {
    const request = { collection: 'accounts', key: fabrikam, data: { name: 'Fabrikam' }, tag: 'test' }
    assert.equal(await api.update({ ...request, duplicateDetection: true, bypassCustomPluginExecution: true }), true)
    const [{ headers }] = await emulator.requests()
    assert.equal(headers['mscrm.suppressduplicatedetection'], 'false')
    assert.equal(headers['mscrm.bypasscustompluginexecution'], 'true')
  })

  operation('updateSingleProperty: text', async api => {
    await api.updateSingleProperty({ collection: 'accounts', key: fabrikam, fieldValuePair: { name: 'Fabrikam' } })
    const row = await read(api, 'accounts', fabrikam, 'name', 'telephone1')
    assert.deepEqual([row.name, row.telephone1], ['Fabrikam', '555-0101'])
  })

  operation('updateSingleProperty: a number', async api => {
    await api.updateSingleProperty({ collection: 'accounts', key: fabrikam, fieldValuePair: { numberofemployees: 41 } })
    assert.equal((await read(api, 'accounts', fabrikam, 'numberofemployees')).numberofemployees, 41)
  })

  operation('updateSingleProperty: a row that does not exist', async api => {
    const request = { collection: 'accounts', key: missing, fieldValuePair: { name: 'x' } }
    await assert.rejects(api.updateSingleProperty(request), { status: 404, code: '0x80040217' })
  })

  operation('deleteRecord: one property', async api => {
    await api.deleteRecord({ collection: 'accounts', key: fabrikam, property: 'telephone1' })
    const row = await read(api, 'accounts', fabrikam, 'name', 'telephone1')
    assert.deepEqual([row.name, row.telephone1], ['Fabrikam Coffee', null])
  })

  operation('deleteRecord: a row', async api => {
    await api.deleteRecord({ collection: 'accounts', key: oneill })
    await assert.rejects(read(api, 'accounts', oneill, 'name'), { status: 404, code: '0x80040217' })
    assert.equal(await api.count({ collection: 'accounts' }), 4)
  })

  operation('deleteRecord: a row that does not exist', async api => {
    await assert.rejects(api.deleteRecord({ collection: 'accounts', key: missing }), { status: 404, code: '0x80040217' })
  })

  operation('deleteRecord: by an alternate key', async api => {
    await api.deleteRecord({ collection: 'accounts', key: "accountnumber='A-4'" })
    await assert.rejects(read(api, 'accounts', oneill, 'name'), { status: 404 })
  })

  operation('deleteRecord: with ifmatch', async api => {
    const { '@odata.etag': ifmatch } = await read(api, 'accounts', oneill, 'name')
    await api.update({ collection: 'accounts', key: oneill, data: { telephone1: '555-0104' } })
    assert.equal(await api.deleteRecord({ collection: 'accounts', key: oneill, ifmatch }), false)
    const { '@odata.etag': current } = await read(api, 'accounts', oneill, 'name')
    await api.deleteRecord({ collection: 'accounts', key: oneill, ifmatch: current })
    await assert.rejects(read(api, 'accounts', oneill, 'name'), { status: 404 })
  })

  operation('deleteRecord: clears lookups that point to the row', async api => {
    await api.deleteRecord({ collection: 'contacts', key: ada })
    const account = await read(api, 'accounts', fabrikam, '_primarycontactid_value')
    const conversation = await read(api, 'msdyn_ocliveworkitems', visitor, '_msdyn_customer_value')
    assert.deepEqual([account._primarycontactid_value, conversation._msdyn_customer_value], [null, null])
  })

  operation('deleteRecord: an opportunity', async api => {
    await api.deleteRecord({ collection: 'opportunities', key: beans })
    assert.equal(await api.count({ collection: 'opportunities' }), 0)
  })
}
