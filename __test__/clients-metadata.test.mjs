// The $metadata document, read by npm odata-csdl, which turns it into CSDL JSON.
import assert from 'node:assert/strict'
import csdl from 'odata-csdl'
import { operations } from './clients/operations.mjs'

const CRM = 'Microsoft.Dynamics.CRM'

/** Reads the document and checks that the parser finds no fault with it. */
async function read({ url, credential }, query = '') {
  const headers = { authorization: `Bearer ${credential}` }
  const response = await fetch(`${url}/api/data/v9.2/$metadata${query}`, { headers })
  const text = await response.text()
  assert.equal(response.status, 200, text)
  assert.match(response.headers.get('content-type'), /^application\/xml/)
  const messages = []
  const document = csdl.xml2json(text, { messages, strict: true })
  assert.deepEqual(
    messages.map(({ message }) => message),
    []
  )
  return { document, types: document[CRM], container: document[CRM].System }
}

const { operation, report } = await operations('npm odata-csdl 0.11.2', emulator => read.bind(undefined, emulator))

operation('xml2json: the document', async read => {
  const { document, types } = await read()
  assert.deepEqual([document.$Version, document.$EntityContainer, types.$Alias], ['4.0', `${CRM}.System`, 'mscrm'])
})

operation('xml2json: a table', async read => {
  const { account, crmbaseentity } = (await read()).types
  assert.deepEqual([account.$Kind, account.$BaseType, account.$Key], ['EntityType', 'mscrm.crmbaseentity', ['accountid']])
  assert.deepEqual([crmbaseentity.$Kind, crmbaseentity.$Abstract], ['EntityType', true])
})

operation('xml2json: kinds of columns', async read => {
  const { account, contact } = (await read()).types
  for (const [column, type] of [
    [account.accountid, 'Edm.Guid'],
    // CSDL JSON leaves out the type if it is Edm.String.
    [account.name, undefined],
    [account.numberofemployees, 'Edm.Int32'],
    [account.revenue, 'Edm.Decimal'],
    [account.address1_latitude, 'Edm.Double'],
    [account.creditonhold, 'Edm.Boolean'],
    [account.createdon, 'Edm.DateTimeOffset'],
    [account.statecode, 'Edm.Int32'],
    [account.accountcategorycode, 'Edm.Int32'],
    [account.versionnumber, 'Edm.Int64'],
    [account._primarycontactid_value, 'Edm.Guid'],
    [contact.birthdate, 'Edm.Date']
  ])
    assert.equal(column.$Type, type)
})

operation('xml2json: a lookup', async read => {
  const { account } = (await read()).types
  const { $Kind, $Type, $Partner, $ReferentialConstraint } = account.primarycontactid
  assert.deepEqual([$Kind, $Type, $Partner], ['NavigationProperty', 'mscrm.contact', 'account_primary_contact'])
  assert.deepEqual($ReferentialConstraint, { _primarycontactid_value: 'contactid' })
})

operation('xml2json: a lookup to two tables', async read => {
  const { contact, msdyn_ocliveworkitem: conversation } = (await read()).types
  assert.equal(contact.parentcustomerid_account.$Type, 'mscrm.account')
  assert.equal(contact.parentcustomerid_contact.$Type, 'mscrm.contact')
  assert.equal(conversation.msdyn_customer_msdyn_ocliveworkitem_account.$Type, 'mscrm.account')
  assert.equal(conversation.msdyn_IssueId_msdyn_ocliveworkitem.$Type, 'mscrm.incident')
})

operation('xml2json: a collection', async read => {
  const { account } = (await read()).types
  const { $Kind, $Collection, $Type, $Partner } = account.contact_customer_accounts
  assert.deepEqual([$Kind, $Collection, $Type, $Partner], ['NavigationProperty', true, 'mscrm.contact', 'parentcustomerid_account'])
})

operation('xml2json: a relationship of many to many', async read => {
  const { account, lead } = (await read()).types
  assert.deepEqual([account.accountleads_association.$Type, account.accountleads_association.$Collection], ['mscrm.lead', true])
  assert.deepEqual([lead.accountleads_association.$Type, lead.accountleads_association.$Collection], ['mscrm.account', true])
})

operation('xml2json: activities', async read => {
  const { task, msdyn_ocliveworkitem: conversation, activitypointer } = (await read()).types
  assert.deepEqual([task.$BaseType, conversation.$BaseType], ['mscrm.activitypointer', 'mscrm.activitypointer'])
  assert.deepEqual([activitypointer.$Key, activitypointer.$BaseType], [['activityid'], 'mscrm.crmbaseentity'])
})

operation('xml2json: the sets', async read => {
  // The parser writes names with the alias, however the document has them.
  const { container } = await read()
  const { $Collection, $Type, $NavigationPropertyBinding } = container.accounts
  assert.deepEqual([$Collection, $Type], [true, 'mscrm.account'])
  assert.equal($NavigationPropertyBinding.primarycontactid, 'contacts')
  assert.equal($NavigationPropertyBinding.contact_customer_accounts, 'contacts')
  assert.equal(container.msdyn_ocliveworkitems.$Type, 'mscrm.msdyn_ocliveworkitem')
})

operation('xml2json: all names refer to something', async read => {
  const { types, container } = await read()
  const declared = name => {
    const [, type] = /^(?:mscrm|Microsoft\.Dynamics\.CRM)\.(\w+)$/.exec(name) ?? []
    return type === undefined ? name.startsWith('Edm.') : type in types
  }
  for (const [name, type] of Object.entries(types).filter(([, type]) => type.$Kind === 'EntityType')) {
    if (type.$BaseType) assert.ok(declared(type.$BaseType), `${name} derives from ${type.$BaseType}`)
    for (const [member, { $Type = 'Edm.String' }] of Object.entries(type).filter(([member]) => !member.startsWith('$')))
      assert.ok(declared($Type), `${name}.${member} is a ${$Type}`)
  }
  for (const [name, set] of Object.entries(container).filter(([, { $Collection }]) => $Collection)) {
    assert.ok(declared(set.$Type), `${name} has ${set.$Type}`)
    for (const target of Object.values(set.$NavigationPropertyBinding ?? {}))
      assert.ok(target in container, `${name} is bound to ${target}`)
  }
})

operation('xml2json: functions', async read => {
  const { types, container } = await read()
  const [whoAmI] = types.WhoAmI
  assert.deepEqual([whoAmI.$Kind, whoAmI.$ReturnType.$Type], ['Function', 'mscrm.WhoAmIResponse'])
  assert.deepEqual([types.WhoAmIResponse.$Kind, types.WhoAmIResponse.UserId.$Type], ['ComplexType', 'Edm.Guid'])
  assert.equal(container.WhoAmI.$Function, 'mscrm.WhoAmI')
})

operation('xml2json: actions', async read => {
  const { types } = await read()
  const [win] = types.WinOpportunity
  assert.equal(win.$Kind, 'Action')
  for (const name of ['OpportunityClose', 'Status']) assert.ok(win.$Parameter.some(({ $Name }) => $Name === name))
  const add = types.AddToQueue.find(({ $IsBound }) => $IsBound)
  assert.deepEqual([add.$Parameter[0].$Type, add.$ReturnType.$Type], ['mscrm.queue', 'mscrm.AddToQueueResponse'])
})

operation('xml2json: with annotations', async read => {
  const { types } = await read('?annotations=true')
  assert.match(JSON.stringify(types), /@(Core|Org\.OData\.Core\.V1)\.Description/)
})

report(13)
