// Definitions of tables, columns, relationships and choices, and the CSDL document.
import assert from 'node:assert/strict'

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const CRM = 'Microsoft.Dynamics.CRM.'

const label = ({ UserLocalizedLabel }) => UserLocalizedLabel.Label

export function definitions(operation) {
  const ACCOUNT = "LogicalName='account'"

  operation('retrieveEntity: selected properties', async api => {
    const select = ['LogicalName', 'SchemaName', 'EntitySetName', 'PrimaryIdAttribute', 'PrimaryNameAttribute', 'ObjectTypeCode']
    const table = await api.retrieveEntity({ key: ACCOUNT, select })
    assert.deepEqual(
      select.map(name => table[name]),
      ['account', 'Account', 'accounts', 'accountid', 'name', 1]
    )
    assert.match(table.MetadataId, GUID)
  })

  operation('retrieveEntity: by its id, with its columns', async api => {
    const { MetadataId } = await api.retrieveEntity({ key: "LogicalName='contact'", select: ['LogicalName'] })
    const expand = [{ property: 'Attributes', select: ['LogicalName', 'AttributeType'] }]
    const { LogicalName, Attributes } = await api.retrieveEntity({ key: MetadataId, select: ['LogicalName'], expand })
    assert.equal(LogicalName, 'contact')
    const types = Object.fromEntries(Attributes.map(column => [column.LogicalName, column.AttributeType]))
    assert.deepEqual(
      [types.contactid, types.lastname, types.parentcustomerid, types.birthdate, types.statecode],
      ['Uniqueidentifier', 'String', 'Customer', 'DateTime', 'State']
    )
  })

  operation('retrieveEntity: labels', async api => {
    const table = await api.retrieveEntity({
      key: ACCOUNT,
      select: ['DisplayName', 'DisplayCollectionName', 'IsActivity', 'OwnershipType']
    })
    assert.deepEqual([label(table.DisplayName), label(table.DisplayCollectionName)], ['Account', 'Accounts'])
    assert.deepEqual([table.IsActivity, table.OwnershipType], [false, 'UserOwned'])
  })

  operation('retrieveEntity: an activity', async api => {
    const table = await api.retrieveEntity({ key: "LogicalName='task'", select: ['IsActivity', 'PrimaryIdAttribute', 'EntitySetName'] })
    assert.deepEqual([table.IsActivity, table.PrimaryIdAttribute, table.EntitySetName], [true, 'activityid', 'tasks'])
  })

  operation('retrieveEntity: an unknown table', async api => {
    await assert.rejects(api.retrieveEntity({ key: "LogicalName='acount'", select: ['LogicalName'] }), { status: 404 })
  })

  operation('retrieveEntities: filtered', async api => {
    const filter = "LogicalName eq 'incident' or EntitySetName eq 'msdyn_ocliveworkitems'"
    const { value } = await api.retrieveEntities({ select: ['LogicalName', 'PrimaryIdAttribute'], filter })
    assert.deepEqual(Object.fromEntries(value.map(table => [table.LogicalName, table.PrimaryIdAttribute])), {
      incident: 'incidentid',
      msdyn_ocliveworkitem: 'activityid'
    })
  })

  operation('retrieveEntities: all', async api => {
    const { value } = await api.retrieveEntities({ select: ['LogicalName', 'EntitySetName'] })
    const sets = new Map(value.map(table => [table.LogicalName, table.EntitySetName]))
    for (const [name, set] of [
      ['account', 'accounts'],
      ['opportunity', 'opportunities'],
      ['systemuser', 'systemusers'],
      ['task', 'tasks']
    ])
      assert.equal(sets.get(name), set)
  })

  operation('retrieveAttributes: filtered', async api => {
    const request = { entityKey: ACCOUNT, select: ['LogicalName', 'SchemaName', 'AttributeType', 'IsPrimaryName'] }
    const { value } = await api.retrieveAttributes({ ...request, filter: "LogicalName eq 'name'" })
    assert.equal(value.length, 1)
    const [{ SchemaName, AttributeType, IsPrimaryName, '@odata.type': type }] = value
    assert.deepEqual([SchemaName, AttributeType, IsPrimaryName, type], ['Name', 'String', true, `#${CRM}StringAttributeMetadata`])
  })

  operation('retrieveAttributes: lengths of text', async api => {
    const request = { entityKey: ACCOUNT, castType: `${CRM}StringAttributeMetadata`, select: ['LogicalName', 'MaxLength'] }
    const { value } = await api.retrieveAttributes(request)
    const lengths = new Map(value.map(column => [column.LogicalName, column.MaxLength]))
    assert.deepEqual([lengths.get('name'), lengths.get('accountnumber'), lengths.has('revenue')], [160, 20, false])
  })

  operation('retrieveAttributes: choices with their options', async api => {
    const request = { entityKey: "LogicalName='incident'", castType: `${CRM}PicklistAttributeMetadata`, select: ['LogicalName'] }
    const { value } = await api.retrieveAttributes({ ...request, expand: [{ property: 'OptionSet', select: ['Options'] }] })
    const { OptionSet } = value.find(column => column.LogicalName === 'prioritycode')
    assert.deepEqual(
      OptionSet.Options.map(option => [option.Value, label(option.Label)]),
      [
        [1, 'High'],
        [2, 'Normal'],
        [3, 'Low']
      ]
    )
  })

  operation('retrieveAttributes: statuses with their states', async api => {
    const request = { entityKey: "LogicalName='task'", castType: `${CRM}StatusAttributeMetadata`, select: ['LogicalName'] }
    const { value } = await api.retrieveAttributes({ ...request, expand: [{ property: 'OptionSet', select: ['Options'] }] })
    const states = new Map(value[0].OptionSet.Options.map(option => [label(option.Label), [option.Value, option.State]]))
    assert.deepEqual(
      [states.get('Not Started'), states.get('Completed'), states.get('Canceled')],
      [
        [2, 0],
        [5, 1],
        [6, 2]
      ]
    )
  })

  operation('retrieveAttribute: by its name, as its type', async api => {
    const request = { entityKey: "LogicalName='opportunity'", attributeKey: "LogicalName='customerid'" }
    const column = await api.retrieveAttribute({
      ...request,
      castType: `${CRM}LookupAttributeMetadata`,
      select: ['LogicalName', 'Targets']
    })
    assert.deepEqual([column.LogicalName, column.Targets.toSorted()], ['customerid', ['account', 'contact']])
  })

  operation('retrieveAttribute: by its id', async api => {
    const { value } = await api.retrieveAttributes({ entityKey: ACCOUNT, select: ['LogicalName'], filter: "LogicalName eq 'revenue'" })
    const column = await api.retrieveAttribute({
      entityKey: ACCOUNT,
      attributeKey: value[0].MetadataId,
      select: ['AttributeType', 'RequiredLevel']
    })
    assert.deepEqual([column.AttributeType, column.RequiredLevel.Value], ['Money', 'None'])
  })

  operation('retrieveAttribute: an unknown column', async api => {
    const request = { entityKey: ACCOUNT, attributeKey: "LogicalName='nam'", select: ['LogicalName'] }
    await assert.rejects(api.retrieveAttribute(request), { status: 404 })
  })

  operation('retrieveRelationships: of one table', async api => {
    const { value } = await api.retrieveRelationships({
      castType: `${CRM}OneToManyRelationshipMetadata`,
      select: ['SchemaName', 'ReferencedEntity', 'ReferencingAttribute', 'ReferencingEntityNavigationPropertyName'],
      filter: "ReferencingEntity eq 'msdyn_ocliveworkitem'"
    })
    const found = value.find(({ SchemaName }) => SchemaName === 'msdyn_incident_msdyn_ocliveworkitem')
    assert.deepEqual(
      [found.ReferencedEntity, found.ReferencingAttribute, found.ReferencingEntityNavigationPropertyName],
      ['incident', 'msdyn_issueid', 'msdyn_IssueId_msdyn_ocliveworkitem']
    )
  })

  operation('retrieveRelationships: many to many', async api => {
    const { value } = await api.retrieveRelationships({
      castType: `${CRM}ManyToManyRelationshipMetadata`,
      select: ['SchemaName', 'Entity1LogicalName', 'Entity2LogicalName', 'IntersectEntityName'],
      filter: "SchemaName eq 'accountleads_association'"
    })
    const [{ Entity1LogicalName, Entity2LogicalName, IntersectEntityName }] = value
    assert.deepEqual([Entity1LogicalName, Entity2LogicalName].sort(), ['account', 'lead'])
    assert.equal(IntersectEntityName, 'accountleads')
  })

  operation('retrieveRelationship: by its id, as its type', async api => {
    const { value } = await api.retrieveRelationships({ select: ['SchemaName'], filter: "SchemaName eq 'contact_customer_accounts'" })
    assert.equal(value[0]['@odata.type'], `#${CRM}OneToManyRelationshipMetadata`)
    const relationship = await api.retrieveRelationship({
      key: value[0].MetadataId,
      castType: `${CRM}OneToManyRelationshipMetadata`,
      select: ['ReferencedEntity', 'ReferencingEntity', 'ReferencedEntityNavigationPropertyName']
    })
    const { ReferencedEntity, ReferencingEntity, ReferencedEntityNavigationPropertyName } = relationship
    assert.deepEqual([ReferencedEntity, ReferencingEntity], ['account', 'contact'])
    assert.equal(ReferencedEntityNavigationPropertyName, 'contact_customer_accounts')
  })

  operation('retrieve: the relationships of a table', async api => {
    const { value } = await api.retrieve({
      collection: 'EntityDefinitions',
      key: "LogicalName='contact'",
      navigationProperty: 'ManyToOneRelationships',
      select: ['SchemaName', 'ReferencedEntity']
    })
    assert.equal(value.find(({ SchemaName }) => SchemaName === 'contact_customer_accounts').ReferencedEntity, 'account')
  })

  operation('retrieve: the alternate keys of a table', async api => {
    const request = { collection: 'EntityDefinitions', key: ACCOUNT, navigationProperty: 'Keys', select: ['SchemaName', 'KeyAttributes'] }
    const { value } = await api.retrieve(request)
    assert.deepEqual(
      value.map(({ KeyAttributes }) => KeyAttributes),
      [['accountnumber']]
    )
  })

  operation('retrieveGlobalOptionSet: by its name', async api => {
    const choice = await api.retrieveGlobalOptionSet({ key: "Name='budgetstatus'" })
    assert.deepEqual([choice.Name, choice.IsGlobal, choice.OptionSetType], ['budgetstatus', true, 'Picklist'])
    assert.deepEqual(
      choice.Options.map(option => [option.Value, label(option.Label)]),
      [
        [0, 'No Committed Budget'],
        [1, 'May Buy'],
        [2, 'Can Buy'],
        [3, 'Will Buy']
      ]
    )
  })

  operation('retrieveGlobalOptionSets', async api => {
    const { value } = await api.retrieveGlobalOptionSets()
    assert.ok(value.some(({ Name }) => Name === 'budgetstatus'))
  })

  operation('retrieveCsdlMetadata', async api => {
    const document = await api.retrieveCsdlMetadata()
    assert.match(document, /<edmx:Edmx [^>]*Version="4\.0"/)
    assert.match(document, /<Schema [^>]*Namespace="Microsoft\.Dynamics\.CRM"/)
    assert.match(document, /<EntityType Name="account" BaseType="mscrm\.crmbaseentity"/)
    assert.match(document, /<EntitySet Name="msdyn_ocliveworkitems" EntityType="Microsoft\.Dynamics\.CRM\.msdyn_ocliveworkitem"/)
  })

  operation('retrieveCsdlMetadata: with annotations', async api => {
    assert.match(await api.retrieveCsdlMetadata({ addAnnotations: true }), /<Annotation /)
  })

  const Label = text => ({
    '@odata.type': `${CRM}Label`,
    LocalizedLabels: [{ '@odata.type': `${CRM}LocalizedLabel`, Label: text, LanguageCode: 1033 }]
  })
  const column = { '@odata.type': `${CRM}StringAttributeMetadata`, SchemaName: 'new_Name', MaxLength: 100, DisplayName: Label('Name') }

  operation('createEntity', async api => {
    const data = {
      '@odata.type': `${CRM}EntityMetadata`,
      SchemaName: 'new_Machine',
      DisplayName: Label('Machine'),
      DisplayCollectionName: Label('Machines'),
      OwnershipType: 'UserOwned',
      Attributes: [{ ...column, IsPrimaryName: true }]
    }
    assert.match(await api.createEntity({ data }), GUID)
    assert.equal(await api.count({ collection: 'new_machines' }), 0)
  })

  operation('updateEntity', async api => {
    const table = await api.retrieveEntity({ key: ACCOUNT })
    await api.updateEntity({ data: { ...table, DisplayName: Label('Customer') }, mergeLabels: true })
    assert.equal(label((await api.retrieveEntity({ key: ACCOUNT, select: ['DisplayName'] })).DisplayName), 'Customer')
  })

  operation('createAttribute', async api => {
    const { MetadataId } = await api.retrieveEntity({ key: ACCOUNT, select: ['LogicalName'] })
    assert.match(await api.createAttribute({ entityKey: MetadataId, data: column }), GUID)
  })

  operation('createRelationship', async api => {
    const data = {
      '@odata.type': `${CRM}OneToManyRelationshipMetadata`,
      SchemaName: 'new_account_task',
      ReferencedEntity: 'account',
      ReferencingEntity: 'task',
      Lookup: { '@odata.type': `${CRM}LookupAttributeMetadata`, SchemaName: 'new_AccountId', DisplayName: Label('Account') }
    }
    assert.match(await api.createRelationship({ data }), GUID)
  })

  operation('createGlobalOptionSet', async api => {
    const Options = [{ Value: 1, Label: Label('Ground') }]
    const data = {
      '@odata.type': `${CRM}OptionSetMetadata`,
      Name: 'new_grind',
      OptionSetType: 'Picklist',
      DisplayName: Label('Grind'),
      Options
    }
    assert.match(await api.createGlobalOptionSet({ data }), GUID)
  })
}
