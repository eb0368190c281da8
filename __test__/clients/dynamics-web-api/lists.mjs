// Reading several rows.
import assert from 'node:assert/strict'
import { ada, adventure, contoso, fabrikam, northwind, oneill } from '../organisation.mjs'

const names = ({ value }) => value.map(({ name }) => name)

export function lists(operation) {
  /** One test of `$filter`, by the accounts that it selects. */
  const filtered = (title, filter, expected) =>
    operation(`retrieveMultiple: filter ${title}`, async api => {
      const { value } = await api.retrieveMultiple({ collection: 'accounts', select: ['accountid'], filter })
      assert.deepEqual(value.map(({ accountid }) => accountid).sort(), expected)
    })
  filtered('equal, whatever the case', "name eq 'fabrikam coffee'", [fabrikam])
  filtered('with a quote', "name eq 'O''Neill & Söhne 100%'", [oneill])
  filtered('not equal', 'accountcategorycode ne 1', [contoso, adventure, oneill, northwind])
  filtered('and, or, parentheses', "(address1_city eq 'Brno' or address1_city eq 'Praha') and numberofemployees gt 10", [fabrikam, contoso])
  filtered('not', "not(contains(name,'w'))", [fabrikam, contoso, oneill])
  filtered('contains', "contains(name,'works')", [adventure])
  filtered('startswith', "startswith(name,'con')", [contoso])
  filtered('endswith', "endswith(name,'traders')", [northwind])
  filtered('empty', 'address1_city eq null', [oneill])
  filtered('not empty', 'address1_city ne null', [fabrikam, contoso, adventure, northwind])
  filtered('money', 'revenue ge 250000.5 and revenue lt 2000000', [fabrikam, contoso])
  filtered('true', 'creditonhold eq true', [contoso])
  filtered('dates', 'createdon ge 2026-02-01T00:00:00Z and createdon le 2026-03-31T23:59:59Z', [contoso, adventure])
  filtered('a lookup', `_parentaccountid_value eq ${fabrikam}`, [adventure])
  filtered('a lookup in braces', `_parentaccountid_value eq {${fabrikam}}`, [adventure])
  filtered('a column of a lookup', "primarycontactid/lastname eq 'Lovelace'", [fabrikam])
  filtered('any row of a collection', "contact_customer_accounts/any(c:c/lastname eq 'Turing')", [contoso])
  filtered(
    'all rows of a collection',
    "contact_customer_accounts/all(c:endswith(c/emailaddress1,'.com')) and contact_customer_accounts/any(c:c/statecode eq 0)",
    [fabrikam]
  )
  filtered('In', "Microsoft.Dynamics.CRM.In(PropertyName='accountnumber',PropertyValues=['A-1','A-5'])", [fabrikam, northwind])
  filtered(
    'NotIn',
    "Microsoft.Dynamics.CRM.NotIn(PropertyName='numberofemployees',PropertyValues=['40','12','3']) and numberofemployees ne null",
    [northwind]
  )
  filtered('Between', "Microsoft.Dynamics.CRM.Between(PropertyName='numberofemployees',PropertyValues=['3','12'])", [
    contoso,
    adventure,
    northwind
  ])

  operation('retrieveMultiple: an unknown column in the filter', async api => {
    await assert.rejects(api.retrieveMultiple({ collection: 'accounts', filter: "nam eq 'x'" }), { status: 400, code: '0x80060888' })
  })

  operation('retrieveMultiple: order', async api => {
    const request = { collection: 'accounts', select: ['name'], filter: 'numberofemployees ne null' }
    assert.deepEqual(names(await api.retrieveMultiple({ ...request, orderBy: ['numberofemployees'] })), [
      'Adventure Works',
      'Northwind Traders',
      'Contoso Tea',
      'Fabrikam Coffee'
    ])
    assert.deepEqual(names(await api.retrieveMultiple({ ...request, orderBy: ['address1_city desc', 'name asc'] })), [
      'Contoso Tea',
      'Northwind Traders',
      'Adventure Works',
      'Fabrikam Coffee'
    ])
  })

  operation('retrieveMultiple: top', async api => {
    const page = await api.retrieveMultiple({ collection: 'accounts', select: ['name'], orderBy: ['name'], top: 2 })
    assert.deepEqual(names(page), ['Adventure Works', 'Contoso Tea'])
    assert.equal(page.oDataNextLink, undefined)
  })

  operation('retrieveMultiple: count', async api => {
    const page = await api.retrieveMultiple({ collection: 'accounts', select: ['name'], filter: 'statecode eq 0', count: true })
    assert.deepEqual([page.oDataCount, page.value.length], [4, 4])
  })

  operation('retrieveMultiple: pages', async api => {
    const request = { collection: 'accounts', select: ['name'], orderBy: ['name'], maxPageSize: 2 }
    const first = await api.retrieveMultiple(request)
    assert.deepEqual(names(first), ['Adventure Works', 'Contoso Tea'])
    const second = await api.retrieveMultiple(request, first.oDataNextLink)
    assert.deepEqual(names(second), ['Fabrikam Coffee', 'Northwind Traders'])
    const third = await api.retrieveMultiple(request, second.oDataNextLink)
    assert.deepEqual([names(third), third.oDataNextLink], [["O'Neill & Söhne 100%"], undefined])
  })

  operation('retrieveMultiple: pages with the count of all rows', async api => {
    const page = await api.retrieveMultiple({ collection: 'accounts', select: ['name'], maxPageSize: 2, count: true })
    assert.deepEqual([page.oDataCount, page.value.length, typeof page.oDataNextLink], [5, 2, 'string'])
  })

  operation('retrieveAll: all pages', async api => {
    const all = await api.retrieveAll({ collection: 'accounts', select: ['name'], orderBy: ['name'], maxPageSize: 2 })
    assert.equal(all.value.length, 5)
    assert.deepEqual(names(all), names(all).sort())
  })

  operation('countAll: rows of all pages', async api => {
    assert.equal(await api.countAll({ collection: 'accounts', select: ['name'], maxPageSize: 2 }), 5)
  })

  operation('count: the table', async api => {
    assert.equal(await api.count({ collection: 'contacts' }), 4)
  })

  operation('count: with a filter', async api => {
    assert.equal(await api.count({ collection: 'contacts', filter: "endswith(emailaddress1,'.com')" }), 2)
    assert.equal(await api.count({ collection: 'contacts', filter: "lastname eq 'Nobody'" }), 0)
  })

  operation('retrieveMultiple: no rows', async api => {
    const page = await api.retrieveMultiple({ collection: 'accounts', filter: "name eq 'Nobody'", select: ['name'] })
    assert.deepEqual(page.value, [])
  })

  operation('retrieveMultiple: expand a lookup', async api => {
    const expand = [{ property: 'parentcustomerid_account', select: ['name'] }]
    const { value } = await api.retrieveMultiple({ collection: 'contacts', select: ['fullname'], orderBy: ['fullname'], expand })
    assert.deepEqual(
      value.map(row => [row.fullname, row.parentcustomerid_account?.name]),
      [
        ['Ada Lovelace', 'Fabrikam Coffee'],
        ['Alan Turing', 'Contoso Tea'],
        ['Grace Hopper', 'Fabrikam Coffee'],
        ['Mary Shelley', undefined]
      ]
    )
  })

  operation('retrieveMultiple: expand a collection', async api => {
    const expand = [{ property: 'Account_Tasks', select: ['subject'] }]
    const { value } = await api.retrieveMultiple({ collection: 'accounts', select: ['name'], orderBy: ['name'], expand })
    assert.deepEqual(
      value.map(row => row.Account_Tasks.length),
      [0, 1, 2, 0, 0]
    )
  })

  operation('retrieveMultiple: labels', async api => {
    const request = { collection: 'incidents', select: ['prioritycode', 'statuscode'], orderBy: ['title'] }
    const { value } = await api.retrieveMultiple({ ...request, includeAnnotations: 'OData.Community.Display.V1.FormattedValue' })
    assert.deepEqual(
      value.map(row => [row.prioritycode_Formatted, row.statuscode_Formatted]),
      [
        ['Normal', 'In Progress'],
        ['High', 'In Progress']
      ]
    )
  })

  operation('retrieveMultiple: the names of tables for their sets', async (_, { url, credential }) => {
    const { DynamicsWebApi } = await import('dynamics-web-api')
    const api = new DynamicsWebApi({ serverUrl: url, useEntityNames: true, onTokenRefresh: async () => credential })
    const { value } = await api.retrieveMultiple({ collection: 'opportunity', select: ['name'] })
    assert.deepEqual(
      value.map(({ name }) => name),
      ['Yearly beans']
    )
    assert.equal(api.Utility.getCollectionName('businessunit'), 'businessunits')
  })

  operation('retrieveMultiple: groups and their counts', async api => {
    const apply = 'filter(address1_city ne null)/groupby((address1_city),aggregate($count as number))'
    const { value } = await api.retrieveMultiple({ collection: 'accounts', apply })
    assert.deepEqual(Object.fromEntries(value.map(row => [row.address1_city, row.number])), { Brno: 2, Praha: 1, Ostrava: 1 })
  })

  operation('retrieveMultiple: a sum', async api => {
    const { value } = await api.retrieveMultiple({ collection: 'accounts', apply: 'aggregate(numberofemployees with sum as total)' })
    assert.deepEqual(
      value.map(({ total }) => total),
      [62]
    )
  })

  operation('retrieveMultiple: a long query, which the client sends as a batch', async (api, emulator) => {
    const filter = Array.from({ length: 60 }, (_, n) => `accountnumber eq 'A-${n}' and address1_city eq 'Brno'`).join(' or ')
    const { value } = await api.retrieveMultiple({ collection: 'accounts', select: ['accountid'], filter })
    assert.deepEqual(value.map(({ accountid }) => accountid).sort(), [fabrikam, adventure])
    assert.match((await emulator.requests())[0].path, /\$batch$/)
  })

  operation('retrieveMultiple: changes since a delta link', async api => {
    const first = await api.retrieveMultiple({ collection: 'accounts', select: ['name'], trackChanges: true })
    assert.equal(first.value.length, 5)
    await api.update({ collection: 'accounts', key: fabrikam, data: { name: 'Fabrikam' } })
    await api.deleteRecord({ collection: 'accounts', key: northwind })
    const { value } = await api.retrieveMultiple({ collection: 'accounts', select: ['name'] }, first.oDataDeltaLink)
    assert.equal(value.length, 2)
    assert.equal(value.find(row => row.accountid === fabrikam).name, 'Fabrikam')
    const removed = value.find(row => row.reason)
    assert.deepEqual([removed.id, removed.reason], [northwind, 'deleted'])
  })

  operation('retrieveMultiple: a saved view', async api => {
    const { value } = await api.retrieveMultiple({ collection: 'accounts', savedQuery: '00000000-0000-0000-00aa-000010001002' })
    assert.ok(value.length > 0)
  })

  operation('retrieveMultiple: conversations of a customer', async api => {
    const filter = `_msdyn_customer_value eq ${ada} and statuscode eq 2`
    const { value } = await api.retrieveMultiple({ collection: 'msdyn_ocliveworkitems', select: ['subject'], filter })
    assert.deepEqual(
      value.map(({ subject }) => subject),
      ['Visitor 17']
    )
  })
}
