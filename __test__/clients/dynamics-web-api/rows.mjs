// Reading one row.
import assert from 'node:assert/strict'
import {
  ada,
  adventure,
  callBack,
  contoso,
  delivery,
  fabrikam,
  grace,
  leak,
  missing,
  northwind,
  oneill,
  visitor
} from '../organisation.mjs'

export function rows(operation) {
  operation('retrieve: selected columns', async api => {
    const row = await api.retrieve({
      collection: 'accounts',
      key: fabrikam,
      select: ['name', 'revenue', 'numberofemployees', 'creditonhold']
    })
    assert.match(row.oDataContext, /\/api\/data\/v9\.2\/\$metadata#accounts\(name,revenue,numberofemployees,creditonhold\)\/\$entity$/)
    assert.match(row['@odata.etag'], /^W\/"\d+"$/)
    const { accountid, name, revenue, numberofemployees, creditonhold } = row
    assert.deepEqual([accountid, name, revenue, numberofemployees, creditonhold], [fabrikam, 'Fabrikam Coffee', 1000000, 40, false])
    assert.equal('telephone1' in row, false)
  })

  operation('retrieve: all columns, empty ones as null', async api => {
    const row = await api.retrieve({ collection: 'accounts', key: oneill })
    assert.equal(row.name, "O'Neill & Söhne 100%")
    for (const column of ['telephone1', 'revenue', 'accountcategorycode', '_primarycontactid_value', '_parentaccountid_value'])
      assert.equal(row[column], null, column)
    assert.deepEqual([row.statecode, row.statuscode], [0, 1])
    assert.deepEqual(row.createdon, new Date('2026-04-13T11:00:00Z'))
  })

  operation('retrieve: a row that does not exist', async api => {
    await assert.rejects(api.retrieve({ collection: 'accounts', key: missing, select: ['name'] }), ({ status, code, message }) => {
      assert.deepEqual([status, code.toLowerCase()], [404, '0x80040217'])
      return message.includes(missing) && message.includes('Does Not Exist')
    })
  })

  operation('retrieve: by an alternate key', async api => {
    const row = await api.retrieve({ collection: 'accounts', key: "accountnumber='A-2'", select: ['name'] })
    assert.deepEqual([row.accountid, row.name], [contoso, 'Contoso Tea'])
  })

  operation('retrieve: by an alternate key that no row has', async api => {
    await assert.rejects(api.retrieve({ collection: 'accounts', key: "accountnumber='A-77'", select: ['name'] }), {
      status: 404,
      code: '0x80060891'
    })
  })

  operation('retrieve: an unknown column', async api => {
    await assert.rejects(api.retrieve({ collection: 'accounts', key: fabrikam, select: ['Name'] }), {
      status: 400,
      code: '0x80060888',
      message: /Could not find a property named 'Name' on type 'Microsoft\.Dynamics\.CRM\.account'/
    })
  })

  operation('retrieve: an unknown collection', async api => {
    await assert.rejects(api.retrieve({ collection: 'acounts', key: fabrikam, select: ['name'] }), {
      status: 404,
      code: /^0x8006088[8a]$/i,
      message: /Resource not found for the segment 'acounts'/
    })
  })

  operation('retrieve: labels of choices, states and lookups', async api => {
    const select = ['accountcategorycode', 'statecode', '_primarycontactid_value']
    const row = await api.retrieve({ collection: 'accounts', key: fabrikam, select, includeAnnotations: '*' })
    assert.deepEqual([row.accountcategorycode, row.accountcategorycode_Formatted], [1, 'Preferred Customer'])
    assert.deepEqual([row.statecode, row.statecode_Formatted], [0, 'Active'])
    assert.deepEqual([row._primarycontactid_value, row._primarycontactid_value_Formatted], [ada, 'Ada Lovelace'])
    assert.equal(row._primarycontactid_value_LogicalName, 'contact')
    assert.equal(row._primarycontactid_value_NavigationProperty, 'primarycontactid')
  })

  operation('retrieve: a customer names its table and navigation property', async api => {
    for (const [key, table, name] of [
      [leak, 'account', 'Fabrikam Coffee'],
      [delivery, 'contact', 'Alan Turing']
    ]) {
      const row = await api.retrieve({ collection: 'incidents', key, select: ['_customerid_value'], includeAnnotations: '*' })
      assert.equal(row._customerid_value_LogicalName, table)
      assert.equal(row._customerid_value_NavigationProperty, `customerid_${table}`)
      assert.equal(row._customerid_value_Formatted, name)
    }
  })

  operation('retrieve: no annotations unless they are asked for', async api => {
    const row = await api.retrieve({ collection: 'accounts', key: fabrikam, select: ['statecode', '_primarycontactid_value'] })
    assert.deepEqual(
      Object.keys(row).filter(name => name.includes('@') && !name.startsWith('@odata')),
      []
    )
  })

  operation('retrieve: expand a lookup', async api => {
    const expand = [{ property: 'primarycontactid', select: ['fullname', 'emailaddress1'] }]
    const row = await api.retrieve({ collection: 'accounts', key: fabrikam, select: ['name'], expand })
    const { contactid, fullname, emailaddress1 } = row.primarycontactid
    assert.deepEqual([contactid, fullname, emailaddress1], [ada, 'Ada Lovelace', 'ada@example.com'])
    assert.match(row.primarycontactid['@odata.etag'], /^W\/"\d+"$/)
  })

  operation('retrieve: expand an empty lookup', async api => {
    const row = await api.retrieve({ collection: 'accounts', key: oneill, select: ['name'], expand: [{ property: 'primarycontactid' }] })
    assert.equal(row.primarycontactid, null)
  })

  operation('retrieve: expand a customer through the property of the other table', async api => {
    const expand = [
      { property: 'customerid_account', select: ['name'] },
      { property: 'customerid_contact', select: ['fullname'] }
    ]
    const row = await api.retrieve({ collection: 'incidents', key: delivery, select: ['title'], expand })
    assert.equal(row.customerid_account, null)
    assert.equal(row.customerid_contact.fullname, 'Alan Turing')
  })

  operation('retrieve: expand a collection with select, filter, order and top', async api => {
    const expand = [{ property: 'Account_Tasks', select: ['subject'], filter: "contains(subject,'a')", orderBy: ['subject desc'], top: 1 }]
    const row = await api.retrieve({ collection: 'accounts', key: fabrikam, select: ['name'], expand })
    assert.deepEqual(
      row.Account_Tasks.map(({ subject }) => subject),
      ['Send samples']
    )
  })

  operation('retrieve: expand a collection of contacts', async api => {
    const expand = [{ property: 'contact_customer_accounts', select: ['fullname'], orderBy: ['fullname'] }]
    const row = await api.retrieve({ collection: 'accounts', key: fabrikam, select: ['name'], expand })
    assert.deepEqual(
      row.contact_customer_accounts.map(({ fullname, contactid }) => [fullname, contactid]),
      [
        ['Ada Lovelace', ada],
        ['Grace Hopper', grace]
      ]
    )
  })

  operation('retrieve: expand a collection without rows', async api => {
    const expand = [{ property: 'contact_customer_accounts', select: ['fullname'] }]
    const row = await api.retrieve({ collection: 'accounts', key: northwind, select: ['name'], expand })
    assert.deepEqual(row.contact_customer_accounts, [])
  })

  operation('retrieve: expand in two levels', async api => {
    const expand = [
      {
        property: 'parentcustomerid_account',
        select: ['name'],
        expand: [{ property: 'primarycontactid', select: ['fullname'] }]
      }
    ]
    const row = await api.retrieve({ collection: 'contacts', key: grace, select: ['fullname'], expand })
    assert.equal(row.parentcustomerid_account.name, 'Fabrikam Coffee')
    assert.equal(row.parentcustomerid_account.primarycontactid.fullname, 'Ada Lovelace')
  })

  operation('retrieve: expand with labels', async api => {
    const expand = [{ property: 'parentaccountid', select: ['accountcategorycode'] }]
    const row = await api.retrieve({ collection: 'accounts', key: adventure, select: ['name'], expand, includeAnnotations: '*' })
    assert.equal(row.parentaccountid.accountcategorycode_Formatted, 'Preferred Customer')
  })

  operation('retrieve: expand an unknown navigation property', async api => {
    await assert.rejects(api.retrieve({ collection: 'accounts', key: fabrikam, expand: [{ property: 'primarycontact' }] }), {
      status: 400,
      code: '0x80060888'
    })
  })

  operation('retrieve: one property', async api => {
    const { value, oDataContext } = await api.retrieve({ collection: 'accounts', key: fabrikam, select: ['/name'] })
    assert.equal(value, 'Fabrikam Coffee')
    assert.match(oDataContext, new RegExp(`\\$metadata#accounts\\(${fabrikam}\\)/name$`))
  })

  operation('retrieve: one property that is empty', async api => {
    // 204 without a body, as OData has it; the client turns it into undefined.
    assert.equal(await api.retrieve({ collection: 'accounts', key: oneill, select: ['/telephone1'] }), undefined)
  })

  operation('retrieve: the reference of a lookup', async api => {
    const reference = await api.retrieve({ collection: 'accounts', key: fabrikam, select: ['primarycontactid/$ref'] })
    assert.deepEqual([reference.id, reference.collection], [ada, 'contacts'])
    assert.match(reference.oDataContext, /\$metadata#\$ref$/)
  })

  operation('retrieve: the row of a lookup', async api => {
    const request = { collection: 'accounts', key: fabrikam, navigationProperty: 'primarycontactid', select: ['fullname'] }
    const row = await api.retrieve(request)
    assert.deepEqual([row.contactid, row.fullname], [ada, 'Ada Lovelace'])
  })

  operation('retrieve: the rows of a collection', async api => {
    const request = { collection: 'accounts', key: fabrikam, navigationProperty: 'contact_customer_accounts', select: ['fullname'] }
    const { value } = await api.retrieve(request)
    assert.deepEqual(value.map(({ fullname }) => fullname).sort(), ['Ada Lovelace', 'Grace Hopper'])
  })

  operation('retrieve: unchanged since the ETag', async api => {
    const row = await api.retrieve({ collection: 'accounts', key: fabrikam, select: ['name'] })
    // 304 without a body, which the client turns into undefined.
    const request = { collection: 'accounts', key: fabrikam, select: ['name'], ifnonematch: row['@odata.etag'] }
    assert.equal(await api.retrieve(request), undefined)
    await api.update({ collection: 'accounts', key: fabrikam, data: { name: 'Fabrikam' } })
    assert.equal((await api.retrieve(request)).name, 'Fabrikam')
  })

  operation('retrieve: without a cache', async api => {
    const row = await api.retrieve({ collection: 'accounts', key: fabrikam, select: ['name'], ifnonematch: 'null', noCache: true })
    assert.equal(row.name, 'Fabrikam Coffee')
  })

  operation('retrieve: a task and what it regards', async api => {
    const select = ['subject', '_regardingobjectid_value', 'activitytypecode']
    const row = await api.retrieve({ collection: 'tasks', key: callBack, select, includeAnnotations: '*' })
    assert.deepEqual([row.subject, row._regardingobjectid_value, row.activitytypecode], ['Call back', fabrikam, 'task'])
    assert.equal(row._regardingobjectid_value_LogicalName, 'account')
  })

  operation('retrieve: a conversation with its customer', async api => {
    const expand = [{ property: 'msdyn_customer_msdyn_ocliveworkitem_contact', select: ['fullname'] }]
    const row = await api.retrieve({ collection: 'msdyn_ocliveworkitems', key: visitor, select: ['subject', 'statuscode'], expand })
    assert.deepEqual([row.subject, row.statuscode], ['Visitor 17', 2])
    assert.equal(row.msdyn_customer_msdyn_ocliveworkitem_contact.contactid, ada)
  })
}
