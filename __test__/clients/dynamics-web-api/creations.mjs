// Creating rows, and upserts.
import assert from 'node:assert/strict'
import { ada, contoso, fabrikam, grace, mary, missing, support } from '../organisation.mjs'

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

const read = (api, collection, key, ...select) => api.retrieve({ collection, key, select })

export function creations(operation) {
  operation('create: the id of the new row', async api => {
    const id = await api.create({ collection: 'accounts', data: { name: 'Litware', numberofemployees: 9, revenue: 12.5 } })
    assert.match(id, GUID)
    const row = await read(api, 'accounts', id, 'name', 'numberofemployees', 'revenue', 'statecode', 'statuscode', 'telephone1')
    assert.deepEqual([row.name, row.numberofemployees, row.revenue, row.telephone1], ['Litware', 9, 12.5, null])
    assert.deepEqual([row.statecode, row.statuscode], [0, 1])
  })

  operation('create: the new row', async api => {
    const row = await api.create({ collection: 'accounts', data: { name: 'Litware', creditonhold: true }, returnRepresentation: true })
    assert.match(row.accountid, GUID)
    assert.match(row['@odata.etag'], /^W\/"\d+"$/)
    assert.deepEqual([row.name, row.creditonhold, row.statecode], ['Litware', true, 0])
    assert.match(row.oDataContext, /\$metadata#accounts\/\$entity$/)
    assert.ok(row.createdon instanceof Date)
  })

  operation('create: selected columns of the new row', async api => {
    const data = { name: 'Litware', telephone1: '555-0199' }
    const row = await api.create({ collection: 'accounts', data, returnRepresentation: true, select: ['telephone1'] })
    assert.deepEqual([row.telephone1, 'name' in row], ['555-0199', false])
    assert.match(row.accountid, GUID)
  })

  operation('create: with an id of its own', async api => {
    const accountid = '0e0e0e0e-0000-4000-8000-000000000001'
    assert.equal(await api.create({ collection: 'accounts', data: { accountid, name: 'Litware' } }), accountid)
    await assert.rejects(api.create({ collection: 'accounts', data: { accountid, name: 'Again' } }), { status: 412, code: '0x80040237' })
  })

  operation('create: with a lookup', async api => {
    const data = {
      name: 'Litware',
      'primarycontactid@odata.bind': `contacts(${ada})`,
      'parentaccountid@odata.bind': `/accounts(${contoso})`
    }
    const row = await read(
      api,
      'accounts',
      await api.create({ collection: 'accounts', data }),
      '_primarycontactid_value',
      '_parentaccountid_value'
    )
    assert.deepEqual([row._primarycontactid_value, row._parentaccountid_value], [ada, contoso])
  })

  operation('create: with a lookup by an alternate key', async api => {
    const data = { name: 'Litware', 'parentaccountid@odata.bind': "/accounts(accountnumber='A-1')" }
    const id = await api.create({ collection: 'accounts', data })
    assert.equal((await read(api, 'accounts', id, '_parentaccountid_value'))._parentaccountid_value, fabrikam)
  })

  operation('create: a contact, whose full name the server composes', async api => {
    const data = {
      firstname: 'Joan',
      lastname: 'Clarke',
      birthdate: '1990-06-24',
      'parentcustomerid_account@odata.bind': `/accounts(${contoso})`
    }
    const id = await api.create({ collection: 'contacts', data })
    const row = await read(api, 'contacts', id, 'fullname', 'birthdate', '_parentcustomerid_value')
    assert.deepEqual([row.fullname, row.birthdate, row._parentcustomerid_value], ['Joan Clarke', '1990-06-24', contoso])
  })

  operation('create: a case of a contact', async api => {
    const data = { title: 'Grinder is loud', prioritycode: 3, 'customerid_contact@odata.bind': `/contacts(${grace})` }
    const id = await api.create({ collection: 'incidents', data })
    const row = await api.retrieve({
      collection: 'incidents',
      key: id,
      select: ['title', 'prioritycode', '_customerid_value'],
      includeAnnotations: '*'
    })
    assert.deepEqual([row.title, row.prioritycode_Formatted, row._customerid_value_LogicalName], ['Grinder is loud', 'Low', 'contact'])
  })

  operation('create: a task that regards an account', async api => {
    const data = {
      subject: 'Visit',
      scheduledend: '2026-12-01T10:00:00Z',
      'regardingobjectid_account_task@odata.bind': `/accounts(${fabrikam})`
    }
    const id = await api.create({ collection: 'tasks', data })
    const row = await read(api, 'tasks', id, 'subject', 'scheduledend', 'statecode', 'statuscode', '_regardingobjectid_value')
    assert.deepEqual([row.subject, row.statecode, row.statuscode, row._regardingobjectid_value], ['Visit', 0, 2, fabrikam])
    assert.deepEqual(row.scheduledend, new Date('2026-12-01T10:00:00Z'))
  })

  operation('create: a note of an account', async api => {
    const data = { subject: 'Key', notetext: 'Under the mat', 'objectid_account@odata.bind': `/accounts(${contoso})` }
    const id = await api.create({ collection: 'annotations', data })
    const row = await read(api, 'annotations', id, 'notetext', 'isdocument', '_objectid_value')
    assert.deepEqual([row.notetext, row.isdocument, row._objectid_value], ['Under the mat', false, contoso])
  })

  operation('create: an opportunity', async api => {
    const data = {
      name: 'Tea machine',
      estimatedvalue: 4200.5,
      estimatedclosedate: '2026-12-24',
      'customerid_account@odata.bind': `/accounts(${contoso})`
    }
    const id = await api.create({ collection: 'opportunities', data })
    const row = await read(api, 'opportunities', id, 'estimatedvalue', 'estimatedclosedate', 'statecode', 'statuscode')
    assert.deepEqual([row.estimatedvalue, row.estimatedclosedate, row.statecode, row.statuscode], [4200.5, '2026-12-24', 0, 1])
  })

  operation('create: related rows with it', async api => {
    const data = {
      name: 'Litware',
      primarycontactid: { firstname: 'Annie', lastname: 'Easley' },
      Account_Tasks: [{ subject: 'Welcome' }, { subject: 'Invoice' }]
    }
    const key = await api.create({ collection: 'accounts', data })
    const expand = [
      { property: 'primarycontactid', select: ['fullname'] },
      { property: 'Account_Tasks', select: ['subject'], orderBy: ['subject'] }
    ]
    const row = await api.retrieve({ collection: 'accounts', key, select: ['name'], expand })
    assert.equal(row.primarycontactid.fullname, 'Annie Easley')
    assert.deepEqual(
      row.Account_Tasks.map(({ subject }) => subject),
      ['Invoice', 'Welcome']
    )
  })

  operation('create: all or nothing of related rows', async api => {
    const data = {
      name: 'Litware',
      Account_Tasks: [{ subject: 'Welcome', 'regardingobjectid_contact_task@odata.bind': `/contacts(${missing})` }]
    }
    await assert.rejects(api.create({ collection: 'accounts', data }), { status: 404, code: '0x80040217' })
    assert.equal(await api.count({ collection: 'accounts' }), 5)
  })

  operation('create: a team and its queue', async api => {
    const { UserId, BusinessUnitId } = await api.callFunction('WhoAmI')
    const data = {
      name: 'Roasters',
      'businessunitid@odata.bind': `/businessunits(${BusinessUnitId})`,
      'administratorid@odata.bind': `/systemusers(${UserId})`,
      'queueid@odata.bind': `/queues(${support})`
    }
    const row = await read(api, 'teams', await api.create({ collection: 'teams', data }), 'name', '_queueid_value', '_businessunitid_value')
    assert.deepEqual([row.name, row._queueid_value, row._businessunitid_value], ['Roasters', support, BusinessUnitId])
  })

  /** One test of a create that is refused, and adds no account. */
  const refused = (title, data, error) =>
    operation(`create: ${title}`, async api => {
      await assert.rejects(api.create({ collection: 'accounts', data: { name: 'Litware', ...data } }), error)
      assert.equal(await api.count({ collection: 'accounts' }), 5)
    })
  refused(
    'an unknown column',
    { nam: 'x' },
    { status: 400, message: /Invalid property 'nam' was found in entity 'Microsoft\.Dynamics\.CRM\.account'/ }
  )
  refused('text for a number', { numberofemployees: 'many' }, { status: 400, code: '0x80048d19' })
  refused('text that is too long', { accountnumber: 'A'.repeat(21) }, { status: 400, code: '0x80044331' })
  refused('an alternate key that exists', { accountnumber: 'A-1' }, { status: 412, code: '0x80040237' })
  refused(
    'a lookup to a row that does not exist',
    { 'primarycontactid@odata.bind': `/contacts(${missing})` },
    { status: 404, code: '0x80040217' }
  )
  refused('a lookup to another table', { 'primarycontactid@odata.bind': `/accounts(${fabrikam})` }, { status: 400, code: '0x80048d19' })
  refused('a lookup by its column', { primarycontactid: ada }, { status: 400 })
  refused('an unknown lookup', { 'primarycontact@odata.bind': `/contacts(${ada})` }, { status: 400, code: '0x80048d19' })

  operation('upsert: a row that exists', async api => {
    assert.equal(await api.upsert({ collection: 'accounts', key: fabrikam, data: { name: 'Fabrikam' } }), fabrikam)
    assert.equal((await read(api, 'accounts', fabrikam, 'name')).name, 'Fabrikam')
  })

  operation('upsert: a new row', async api => {
    assert.equal(await api.upsert({ collection: 'accounts', key: missing, data: { name: 'Litware' } }), missing)
    assert.equal((await read(api, 'accounts', missing, 'name')).name, 'Litware')
  })

  operation('upsert: a new row, returned', async api => {
    const row = await api.upsert({ collection: 'accounts', key: missing, data: { name: 'Litware' }, returnRepresentation: true })
    assert.deepEqual([row.accountid, row.name], [missing, 'Litware'])
  })

  operation('upsert: only create', async api => {
    const request = { collection: 'accounts', key: fabrikam, data: { name: 'Litware' }, ifnonematch: '*' }
    assert.equal(await api.upsert(request), null)
    assert.equal((await read(api, 'accounts', fabrikam, 'name')).name, 'Fabrikam Coffee')
    assert.equal(await api.upsert({ ...request, key: missing }), missing)
  })

  operation('upsert: only update', async api => {
    const request = { collection: 'accounts', key: missing, data: { name: 'Litware' }, ifmatch: '*' }
    assert.equal(await api.upsert(request), null)
    assert.equal(await api.count({ collection: 'accounts' }), 5)
    assert.equal(await api.upsert({ ...request, key: fabrikam }), fabrikam)
  })

  operation('upsert: by an alternate key that exists', async api => {
    await api.upsert({ collection: 'accounts', key: "accountnumber='A-2'", data: { telephone1: '555-0177' } })
    assert.equal((await read(api, 'accounts', contoso, 'telephone1')).telephone1, '555-0177')
  })

  operation('upsert: by a new alternate key', async api => {
    await api.upsert({ collection: 'accounts', key: "accountnumber='A-9'", data: { name: 'Litware' } })
    const row = await api.retrieve({ collection: 'accounts', key: "accountnumber='A-9'", select: ['name', 'accountnumber'] })
    assert.deepEqual([row.name, row.accountnumber], ['Litware', 'A-9'])
    assert.equal(await api.count({ collection: 'accounts' }), 6)
  })

  operation('upsert: sets a lookup', async api => {
    await api.upsert({ collection: 'contacts', key: mary, data: { 'parentcustomerid_contact@odata.bind': `/contacts(${ada})` } })
    assert.equal((await read(api, 'contacts', mary, '_parentcustomerid_value'))._parentcustomerid_value, ada)
  })
}
