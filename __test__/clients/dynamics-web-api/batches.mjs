// Batches and change sets. The client puts all writes into a change set unless `inChangeSet` is false.
import assert from 'node:assert/strict'
import { ada, contoso, fabrikam, grace, lead, mary, missing, oneill } from '../organisation.mjs'

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Sends what `add` calls as one batch. */
const batch = async (api, add, options) => {
  api.startBatch()
  await add()
  return api.executeBatch(options)
}
const name = async (api, key) => (await api.retrieve({ collection: 'accounts', key, select: ['name'] })).name

export function batches(operation) {
  operation('executeBatch: reads', async api => {
    const [row, { value }, count] = await batch(api, () => {
      api.retrieve({ collection: 'accounts', key: fabrikam, select: ['name'] })
      api.retrieveMultiple({ collection: 'contacts', select: ['fullname'], orderBy: ['fullname'], top: 2 })
      api.count({ collection: 'accounts' })
    })
    assert.deepEqual([row.name, value.map(({ fullname }) => fullname), count], ['Fabrikam Coffee', ['Ada Lovelace', 'Alan Turing'], 5])
  })

  operation('executeBatch: labels of a row', async api => {
    const request = { collection: 'accounts', key: fabrikam, select: ['accountcategorycode'], includeAnnotations: '*' }
    const [row] = await batch(api, () => api.retrieve(request))
    assert.equal(row.accountcategorycode_Formatted, 'Preferred Customer')
  })

  operation('executeBatch: a change set of creates', async api => {
    const ids = await batch(api, () => {
      api.create({ collection: 'accounts', data: { name: 'One' } })
      api.create({ collection: 'accounts', data: { name: 'Two' } })
    })
    assert.equal(ids.length, 2)
    for (const id of ids) assert.match(id, GUID)
    assert.deepEqual([await name(api, ids[0]), await name(api, ids[1])], ['One', 'Two'])
  })

  operation('executeBatch: a change set of all writes', async api => {
    const [id, updated, deleted, upserted] = await batch(api, () => {
      api.create({ collection: 'accounts', data: { name: 'One' } })
      api.update({ collection: 'accounts', key: fabrikam, data: { name: 'Fabrikam' } })
      api.deleteRecord({ collection: 'accounts', key: oneill })
      api.upsert({ collection: 'accounts', key: missing, data: { name: 'Missing' } })
    })
    assert.match(id, GUID)
    assert.deepEqual([updated, deleted, upserted], [true, true, missing])
    assert.deepEqual([await name(api, fabrikam), await name(api, missing)], ['Fabrikam', 'Missing'])
    await assert.rejects(name(api, oneill), { status: 404 })
  })

  operation('executeBatch: the rows of a change set', async api => {
    const [row] = await batch(api, () => api.create({ collection: 'accounts', data: { name: 'One' }, returnRepresentation: true }))
    assert.match(row.accountid, GUID)
    assert.equal(row.name, 'One')
  })

  operation('executeBatch: a change set with references in binds', async api => {
    const [account, contact] = await batch(api, () => {
      api.create({ collection: 'accounts', data: { name: 'Litware' }, contentId: '1' })
      api.create({ collection: 'contacts', data: { lastname: 'Clarke', 'parentcustomerid_account@odata.bind': '$1' }, contentId: '2' })
    })
    const row = await api.retrieve({ collection: 'contacts', key: contact, select: ['_parentcustomerid_value'] })
    assert.equal(row._parentcustomerid_value, account)
  })

  operation('executeBatch: a change set with a reference as the URL', async api => {
    const [account] = await batch(api, () => {
      api.create({ collection: 'accounts', data: { name: 'Litware' }, contentId: '1' })
      api.create({ collection: 'contact_customer_accounts', contentId: '$1', data: { lastname: 'Clarke' } })
    })
    const request = { collection: 'accounts', key: account, navigationProperty: 'contact_customer_accounts', select: ['lastname'] }
    const { value } = await api.retrieve(request)
    assert.deepEqual(
      value.map(({ lastname }) => lastname),
      ['Clarke']
    )
  })

  operation('executeBatch: a change set that changes a property of a reference', async api => {
    const [contact] = await batch(api, () => {
      api.create({ collection: 'contacts', data: { lastname: 'Clarke' }, contentId: '1' })
      api.updateSingleProperty({ contentId: '$1', fieldValuePair: { firstname: 'Joan' } })
    })
    const row = await api.retrieve({ collection: 'contacts', key: contact, select: ['fullname'] })
    assert.equal(row.fullname, 'Joan Clarke')
  })

  operation('executeBatch: a change set that associates a new row', async api => {
    const [account] = await batch(api, () => {
      api.create({ collection: 'accounts', data: { name: 'Litware' }, contentId: '1' })
      api.associate({ collection: 'leads', primaryKey: lead, relationshipName: 'accountleads_association', relatedKey: '$1' })
    })
    const request = { collection: 'leads', key: lead, navigationProperty: 'accountleads_association', select: ['name'] }
    const { value } = await api.retrieve(request)
    assert.deepEqual(
      value.map(({ accountid }) => accountid),
      [account]
    )
  })

  operation('executeBatch: an undeclared reference', async api => {
    const sent = batch(api, () => {
      api.create({ collection: 'contacts', data: { lastname: 'Clarke', 'parentcustomerid_account@odata.bind': '$7' }, contentId: '1' })
    })
    await assert.rejects(sent, ([{ status, error }]) => status === 400 && error.message.includes("Content-ID Reference: '$7'"))
    assert.equal(await api.count({ collection: 'contacts' }), 4)
  })

  operation('executeBatch: a change set is all or nothing', async api => {
    const sent = batch(api, () => {
      api.update({ collection: 'accounts', key: fabrikam, data: { name: 'Fabrikam' } })
      api.create({ collection: 'accounts', data: { name: 'One' } })
      api.update({ collection: 'accounts', key: missing, data: { name: 'x' } })
    })
    await assert.rejects(sent, errors => {
      assert.deepEqual([errors.length, errors[0].status, errors[0].error.code], [1, 404, '0x80040217'])
      return true
    })
    assert.equal(await name(api, fabrikam), 'Fabrikam Coffee')
    assert.equal(await api.count({ collection: 'accounts' }), 5)
  })

  operation('executeBatch: a change set with a stale ETag', async api => {
    const { '@odata.etag': ifmatch } = await api.retrieve({ collection: 'accounts', key: contoso, select: ['name'] })
    await api.update({ collection: 'accounts', key: contoso, data: { name: 'Contoso' } })
    const sent = batch(api, () => {
      api.update({ collection: 'accounts', key: fabrikam, data: { name: 'Fabrikam' } })
      api.update({ collection: 'accounts', key: contoso, data: { name: 'x' }, ifmatch })
    })
    await assert.rejects(sent, ([{ status, error }]) => status === 412 && error.code === '0x80060882')
    assert.deepEqual([await name(api, fabrikam), await name(api, contoso)], ['Fabrikam Coffee', 'Contoso'])
  })

  operation('executeBatch: writes without a change set, up to the first error', async api => {
    const sent = batch(
      api,
      () => {
        api.update({ collection: 'accounts', key: fabrikam, data: { name: 'Fabrikam' } })
        api.update({ collection: 'accounts', key: missing, data: { name: 'x' } })
        api.update({ collection: 'accounts', key: contoso, data: { name: 'Contoso' } })
      },
      { inChangeSet: false }
    )
    await assert.rejects(sent, parts => {
      assert.deepEqual([parts.length, parts[0], parts[1].status, parts[1].error.code], [2, true, 404, '0x80040217'])
      return true
    })
    assert.deepEqual([await name(api, fabrikam), await name(api, contoso)], ['Fabrikam', 'Contoso Tea'])
  })

  operation('executeBatch: goes on after an error', async api => {
    const [first, { status, error }, last] = await batch(
      api,
      () => {
        api.update({ collection: 'accounts', key: fabrikam, data: { name: 'Fabrikam' } })
        api.update({ collection: 'accounts', key: missing, data: { name: 'x' } })
        api.update({ collection: 'accounts', key: contoso, data: { name: 'Contoso' } })
      },
      { inChangeSet: false, continueOnError: true }
    )
    assert.deepEqual([first, status, error.code, last], [true, 404, '0x80040217', true])
    assert.deepEqual([await name(api, fabrikam), await name(api, contoso)], ['Fabrikam', 'Contoso'])
  })

  operation('executeBatch: reads before and after a change set', async api => {
    const [before, updated, after] = await batch(api, () => {
      api.retrieve({ collection: 'accounts', key: fabrikam, select: ['name'] })
      api.update({ collection: 'accounts', key: fabrikam, data: { name: 'Fabrikam' } })
      api.retrieve({ collection: 'accounts', key: fabrikam, select: ['name'] })
    })
    assert.deepEqual([before.name, updated, after.name], ['Fabrikam Coffee', true, 'Fabrikam'])
  })

  operation('executeBatch: associations', async api => {
    await batch(api, () => {
      const request = { collection: 'accounts', primaryKey: oneill, relationshipName: 'contact_customer_accounts' }
      api.associate({ ...request, relatedCollection: 'contacts', relatedKey: mary })
      api.disassociate({ ...request, primaryKey: fabrikam, relatedKey: grace })
      const lookup = { collection: 'accounts', primaryKey: oneill, navigationProperty: 'primarycontactid' }
      api.associateSingleValued({ ...lookup, relatedCollection: 'contacts', relatedKey: ada })
    })
    const { value } = await api.retrieveMultiple({ collection: 'contacts', select: ['_parentcustomerid_value'], orderBy: ['contactid'] })
    assert.deepEqual(
      value.map(row => row._parentcustomerid_value),
      [fabrikam, null, contoso, oneill]
    )
    const row = await api.retrieve({ collection: 'accounts', key: oneill, select: ['_primarycontactid_value'] })
    assert.equal(row._primarycontactid_value, ada)
  })

  operation('executeBatch: FetchXML, a function and an action', async api => {
    const xml =
      '<fetch><entity name="account"><attribute name="name"/><filter><condition attribute="accountnumber" operator="eq" value="A-2"/></filter></entity></fetch>'
    const [{ value }, { UserId }, created] = await batch(
      api,
      () => {
        api.fetch({ collection: 'accounts', fetchXml: xml })
        api.callFunction('WhoAmI')
        const Targets = [{ '@odata.type': 'Microsoft.Dynamics.CRM.account', name: 'One' }]
        api.callAction({ collection: 'accounts', actionName: 'Microsoft.Dynamics.CRM.CreateMultiple', action: { Targets } })
      },
      { inChangeSet: false }
    )
    assert.deepEqual([value[0].name, value.length, created.Ids.length], ['Contoso Tea', 1, 1])
    assert.match(UserId, GUID)
  })

  operation('executeBatch: non-ASCII text', async api => {
    const [id] = await batch(api, () => api.create({ collection: 'accounts', data: { name: 'Žluťoučký kůň ☕' } }))
    assert.equal(await name(api, id), 'Žluťoučký kůň ☕')
  })

  operation('executeBatch: one hundred writes', async api => {
    const ids = await batch(api, () => {
      for (let number = 0; number < 100; number++) api.create({ collection: 'accounts', data: { name: `Account ${number}` } })
    })
    assert.equal(new Set(ids).size, 100)
    assert.equal(await name(api, ids[99]), 'Account 99')
  })
}
