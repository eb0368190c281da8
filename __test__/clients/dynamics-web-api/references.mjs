// Associating rows, and impersonation.
import assert from 'node:assert/strict'
import { ada, baristas, contoso, eva, fabrikam, grace, lead, leak, mary, missing, oneill, otherVisitor, visitor } from '../organisation.mjs'

const lookup = async (api, collection, key, column) => (await api.retrieve({ collection, key, select: [column] }))[column]
const related = async (api, collection, key, navigationProperty, select) => {
  const { value } = await api.retrieve({ collection, key, navigationProperty, select: [select] })
  return value.map(row => row[select]).sort()
}

export function references(operation) {
  operation('associate: one to many', async api => {
    const request = { collection: 'accounts', primaryKey: oneill, relationshipName: 'contact_customer_accounts' }
    assert.equal(await api.associate({ ...request, relatedCollection: 'contacts', relatedKey: mary }), undefined)
    assert.equal(await lookup(api, 'contacts', mary, '_parentcustomerid_value'), oneill)
  })

  operation('associate: one to many, moves the row', async api => {
    const request = { collection: 'accounts', primaryKey: contoso, relationshipName: 'contact_customer_accounts' }
    await api.associate({ ...request, relatedCollection: 'contacts', relatedKey: grace })
    assert.deepEqual(await related(api, 'accounts', fabrikam, 'contact_customer_accounts', 'fullname'), ['Ada Lovelace'])
    assert.deepEqual(await related(api, 'accounts', contoso, 'contact_customer_accounts', 'fullname'), ['Alan Turing', 'Grace Hopper'])
  })

  operation('associate: many to many', async api => {
    const request = { collection: 'accounts', primaryKey: contoso, relationshipName: 'accountleads_association' }
    await api.associate({ ...request, relatedCollection: 'leads', relatedKey: lead })
    assert.deepEqual(await related(api, 'accounts', contoso, 'accountleads_association', 'companyname'), ['Café Slavia'])
    assert.deepEqual(await related(api, 'leads', lead, 'accountleads_association', 'name'), ['Contoso Tea'])
  })

  operation('associate: a user with a team', async api => {
    const request = { collection: 'teams', primaryKey: baristas, relationshipName: 'teammembership_association' }
    await api.associate({ ...request, relatedCollection: 'systemusers', relatedKey: eva })
    assert.deepEqual(await related(api, 'teams', baristas, 'teammembership_association', 'fullname'), ['Eva Agent'])
  })

  operation('associate: a row that does not exist', async api => {
    const request = { collection: 'accounts', primaryKey: contoso, relationshipName: 'contact_customer_accounts' }
    await assert.rejects(api.associate({ ...request, relatedCollection: 'contacts', relatedKey: missing }), {
      status: 404,
      code: '0x80040217'
    })
  })

  operation('disassociate: one to many', async api => {
    const request = { collection: 'accounts', primaryKey: fabrikam, relationshipName: 'contact_customer_accounts' }
    await api.disassociate({ ...request, relatedKey: grace })
    assert.equal(await lookup(api, 'contacts', grace, '_parentcustomerid_value'), null)
    assert.equal(await lookup(api, 'contacts', ada, '_parentcustomerid_value'), fabrikam)
  })

  operation('disassociate: many to many', async api => {
    const request = { collection: 'leads', primaryKey: lead, relationshipName: 'accountleads_association' }
    for (const relatedKey of [contoso, fabrikam]) await api.associate({ ...request, relatedCollection: 'accounts', relatedKey })
    await api.disassociate({ ...request, relatedKey: fabrikam })
    assert.deepEqual(await related(api, 'leads', lead, 'accountleads_association', 'name'), ['Contoso Tea'])
  })

  operation('associateSingleValued: a lookup', async api => {
    const request = { collection: 'accounts', primaryKey: contoso, navigationProperty: 'primarycontactid' }
    await api.associateSingleValued({ ...request, relatedCollection: 'contacts', relatedKey: mary })
    assert.equal(await lookup(api, 'accounts', contoso, '_primarycontactid_value'), mary)
  })

  operation('associateSingleValued: the customer of a conversation', async api => {
    const navigationProperty = 'msdyn_customer_msdyn_ocliveworkitem_account'
    const request = { collection: 'msdyn_ocliveworkitems', primaryKey: visitor, navigationProperty }
    await api.associateSingleValued({ ...request, relatedCollection: 'accounts', relatedKey: contoso })
    assert.equal(await lookup(api, 'msdyn_ocliveworkitems', visitor, '_msdyn_customer_value'), contoso)
  })

  operation('associateSingleValued: the case of a conversation', async api => {
    const navigationProperty = 'msdyn_IssueId_msdyn_ocliveworkitem'
    const request = { collection: 'msdyn_ocliveworkitems', primaryKey: otherVisitor, navigationProperty }
    await api.associateSingleValued({ ...request, relatedCollection: 'incidents', relatedKey: leak })
    assert.equal(await lookup(api, 'msdyn_ocliveworkitems', otherVisitor, '_msdyn_issueid_value'), leak)
  })

  operation('associateSingleValued: a row that does not exist', async api => {
    const request = { collection: 'accounts', primaryKey: contoso, navigationProperty: 'primarycontactid' }
    await assert.rejects(api.associateSingleValued({ ...request, relatedCollection: 'contacts', relatedKey: missing }), {
      status: 404,
      code: '0x80040217'
    })
  })

  operation('disassociateSingleValued: a lookup', async api => {
    await api.disassociateSingleValued({ collection: 'accounts', primaryKey: fabrikam, navigationProperty: 'primarycontactid' })
    assert.equal(await lookup(api, 'accounts', fabrikam, '_primarycontactid_value'), null)
  })

  operation('disassociateSingleValued: the customer of a conversation', async api => {
    const navigationProperty = 'msdyn_customer_msdyn_ocliveworkitem_contact'
    await api.disassociateSingleValued({ collection: 'msdyn_ocliveworkitems', primaryKey: visitor, navigationProperty })
    assert.equal(await lookup(api, 'msdyn_ocliveworkitems', visitor, '_msdyn_customer_value'), null)
  })

  for (const [option, header] of [
    ['impersonate', 'mscrmcallerid'],
    ['impersonateAAD', 'callerobjectid']
  ]) {
    operation(`${option}: another user`, async (api, emulator) => {
      const row = await api.retrieve({ collection: 'accounts', key: fabrikam, select: ['name'], [option]: eva })
      assert.equal(row.name, 'Fabrikam Coffee')
      assert.equal((await emulator.requests())[0].headers[header], eva)
    })

    operation(`${option}: a user without the privilege`, async (api, emulator) => {
      await emulator.faults.conditions({ unprivilegedCallers: [eva] })
      const request = { collection: 'accounts', key: fabrikam, data: { name: 'x' }, [option]: eva }
      await assert.rejects(api.update(request), { status: 403, code: '0x80040220' })
    })
  }
}
