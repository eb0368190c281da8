// FetchXML.
import assert from 'node:assert/strict'
import { ada, contoso, fabrikam } from '../organisation.mjs'

const accounts = (api, inner, attributes = '', options = {}) =>
  api.fetch({ collection: 'accounts', fetchXml: `<fetch ${attributes}><entity name="account">${inner}</entity></fetch>`, ...options })
const names = ({ value }) => value.map(({ name }) => name)
const condition = (attribute, operator, value) =>
  `<condition attribute="${attribute}" operator="${operator}"${value === undefined ? '' : ` value="${value}"`}/>`

export function fetchXml(operation) {
  const NAME = '<attribute name="name"/><order attribute="name"/>'

  operation('fetch: attributes, and always the key', async api => {
    const { value, oDataContext } = await accounts(api, `${NAME}<attribute name="revenue"/>`)
    assert.match(oDataContext, /\$metadata#accounts/)
    assert.equal(value.length, 5)
    const row = value.find(({ accountid }) => accountid === fabrikam)
    assert.deepEqual([row.name, row.revenue, 'telephone1' in row], ['Fabrikam Coffee', 1000000, false])
    assert.match(row['@odata.etag'], /^W\/"\d+"$/)
  })

  /** One test of a filter, by the names of the accounts that it selects. */
  const filtered = (title, filter, expected) =>
    operation(`fetch: ${title}`, async api => assert.deepEqual(names(await accounts(api, `${NAME}<filter>${filter}</filter>`)), expected))
  filtered('eq', condition('accountnumber', 'eq', 'A-2'), ['Contoso Tea'])
  filtered('eq a lookup', condition('primarycontactid', 'eq', ada), ['Fabrikam Coffee'])
  filtered('like', condition('name', 'like', '%tea%'), ['Contoso Tea'])
  filtered('not-null and ge', condition('address1_city', 'not-null') + condition('revenue', 'ge', '250000.5'), [
    'Contoso Tea',
    'Fabrikam Coffee'
  ])
  filtered('null', condition('address1_city', 'null'), ["O'Neill & Söhne 100%"])
  filtered('begins-with', condition('name', 'begins-with', "O'Neill &amp; S"), ["O'Neill & Söhne 100%"])
  filtered('between', '<condition attribute="numberofemployees" operator="between"><value>3</value><value>12</value></condition>', [
    'Adventure Works',
    'Contoso Tea',
    'Northwind Traders'
  ])
  filtered('in', '<condition attribute="accountnumber" operator="in"><value>A-1</value><value>A-5</value></condition>', [
    'Fabrikam Coffee',
    'Northwind Traders'
  ])
  filtered('on-or-after', condition('createdon', 'on-or-after', '2026-04-13'), ['Northwind Traders', "O'Neill & Söhne 100%"])

  operation('fetch: or in and', async api => {
    const filter = `<filter type="and">${condition('statecode', 'eq', 0)}<filter type="or">${condition('address1_city', 'eq', 'Praha')}${condition('numberofemployees', 'lt', 5)}</filter></filter>`
    assert.deepEqual(names(await accounts(api, NAME + filter)), ['Adventure Works', 'Contoso Tea'])
  })

  operation('fetch: order descending, top', async api => {
    const page = await accounts(api, '<attribute name="name"/><order attribute="revenue" descending="true"/>', 'top="2"')
    assert.deepEqual(names(page), ['Fabrikam Coffee', 'Contoso Tea'])
  })

  operation('fetch: an inner link', async api => {
    const link = `<link-entity name="contact" from="parentcustomerid" to="accountid" alias="c" link-type="inner"><attribute name="fullname"/><order attribute="fullname"/></link-entity>`
    const { value } = await accounts(api, `<attribute name="name"/>${link}`)
    assert.deepEqual(
      value.map(row => [row.name, row['c.fullname']]),
      [
        ['Fabrikam Coffee', 'Ada Lovelace'],
        ['Contoso Tea', 'Alan Turing'],
        ['Fabrikam Coffee', 'Grace Hopper']
      ]
    )
  })

  operation('fetch: an outer link', async api => {
    const link = `<link-entity name="contact" from="contactid" to="primarycontactid" alias="p" link-type="outer"><attribute name="lastname"/></link-entity>`
    const { value } = await accounts(api, NAME + link)
    assert.deepEqual(
      value.map(row => row['p.lastname']),
      [undefined, undefined, 'Lovelace', undefined, undefined]
    )
  })

  operation('fetch: rows without a linked row', async api => {
    const link = `<link-entity name="contact" from="parentcustomerid" to="accountid" alias="c" link-type="outer"/>`
    const page = await accounts(api, `${NAME}${link}<filter><condition entityname="c" attribute="contactid" operator="null"/></filter>`)
    assert.deepEqual(names(page), ['Adventure Works', 'Northwind Traders', "O'Neill & Söhne 100%"])
  })

  operation('fetch: a filter on a linked row', async api => {
    const link = `<link-entity name="contact" from="contactid" to="primarycontactid"><filter>${condition('lastname', 'eq', 'Lovelace')}</filter></link-entity>`
    assert.deepEqual(names(await accounts(api, NAME + link)), ['Fabrikam Coffee'])
  })

  operation('fetch: labels', async api => {
    const inner = `<attribute name="accountcategorycode"/><attribute name="primarycontactid"/><filter>${condition('accountid', 'eq', fabrikam)}</filter>`
    const { value } = await accounts(api, inner, '', { includeAnnotations: '*' })
    assert.equal(value[0].accountcategorycode_Formatted, 'Preferred Customer')
    assert.deepEqual([value[0]._primarycontactid_value, value[0]._primarycontactid_value_Formatted], [ada, 'Ada Lovelace'])
  })

  operation('fetch: pages with a cookie', async api => {
    const first = await accounts(api, NAME, 'count="2"', { includeAnnotations: '*' })
    assert.deepEqual(names(first), ['Adventure Works', 'Contoso Tea'])
    assert.equal(first['@Microsoft.Dynamics.CRM.morerecords'], true)
    const { cookie, nextPage } = first.PagingInfo
    assert.equal(nextPage, 2)
    const options = { pageNumber: nextPage, pagingCookie: cookie, includeAnnotations: '*' }
    const second = await accounts(api, NAME, 'count="2"', options)
    assert.deepEqual(names(second), ['Fabrikam Coffee', 'Northwind Traders'])
    const last = await accounts(api, NAME, 'count="2"', {
      ...options,
      pageNumber: second.PagingInfo.nextPage,
      pagingCookie: second.PagingInfo.cookie
    })
    assert.deepEqual([names(last), last.PagingInfo], [["O'Neill & Söhne 100%"], undefined])
  })

  operation('fetchAll: all pages', async api => {
    const fetchXml = `<fetch count="2"><entity name="account">${NAME}</entity></fetch>`
    const all = await api.fetchAll({ collection: 'accounts', fetchXml, includeAnnotations: '*' })
    assert.equal(all.value.length, 5)
    assert.deepEqual(names(all), names(all).sort())
  })

  operation('fetch: the number of all rows', async api => {
    const page = await accounts(api, NAME, 'count="2" returntotalrecordcount="true"', { includeAnnotations: '*' })
    assert.equal(page['@Microsoft.Dynamics.CRM.totalrecordcount'], 5)
    assert.equal(page['@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded'], false)
  })

  operation('fetch: aggregates', async api => {
    const inner = `<attribute name="accountid" aggregate="count" alias="number"/><attribute name="numberofemployees" aggregate="sum" alias="total"/>
      <attribute name="numberofemployees" aggregate="max" alias="most"/>`
    const { value } = await accounts(api, inner, 'aggregate="true"')
    assert.deepEqual([value.length, value[0].number, value[0].total, value[0].most], [1, 5, 62, 40])
  })

  operation('fetch: groups', async api => {
    const inner = `<attribute name="address1_city" groupby="true" alias="city"/><attribute name="accountid" aggregate="count" alias="number"/>
      <filter><condition attribute="address1_city" operator="not-null"/></filter><order alias="city"/>`
    const { value } = await accounts(api, inner, 'aggregate="true"')
    assert.deepEqual(
      value.map(({ city, number }) => [city, number]),
      [
        ['Brno', 2],
        ['Ostrava', 1],
        ['Praha', 1]
      ]
    )
  })

  operation('fetch: distinct', async api => {
    const inner = `<attribute name="address1_city"/><order attribute="address1_city"/><filter><condition attribute="address1_city" operator="not-null"/></filter>`
    const { value } = await accounts(api, inner, 'distinct="true"')
    assert.deepEqual(
      value.map(row => row.address1_city),
      ['Brno', 'Ostrava', 'Praha']
    )
  })

  operation('fetch: all columns', async api => {
    const { value } = await accounts(api, `<all-attributes/><filter>${condition('accountid', 'eq', contoso)}</filter>`)
    assert.deepEqual([value[0].name, value[0].creditonhold, value[0].revenue], ['Contoso Tea', true, 250000.5])
  })

  operation('fetch: the wrong collection', async api => {
    const fetchXml = '<fetch><entity name="contact"><attribute name="fullname"/></entity></fetch>'
    await assert.rejects(api.fetch({ collection: 'accounts', fetchXml }), { status: 400 })
  })

  operation('fetch: an unknown attribute', async api => {
    await assert.rejects(accounts(api, '<attribute name="nam"/>'), { status: 400, code: '0x80041103' })
  })

  operation('fetch: invalid XML', async api => {
    await assert.rejects(api.fetch({ collection: 'accounts', fetchXml: '<fetch><entity name="account">' }), { status: 400 })
  })
}
