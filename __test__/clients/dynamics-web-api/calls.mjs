// Functions, actions, and the parts of Dataverse beside its tables.
import assert from 'node:assert/strict'
import { beans, callBack, contoso, fabrikam, leak, missing, support } from '../organisation.mjs'

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

const many = (api, actionName, Targets, collection = 'accounts') =>
  api.callAction({ collection, actionName: `Microsoft.Dynamics.CRM.${actionName}`, action: { Targets } })
const account = row => ({ '@odata.type': 'Microsoft.Dynamics.CRM.account', ...row })

export function calls(operation) {
  operation('callFunction: WhoAmI', async api => {
    const answer = await api.callFunction('WhoAmI')
    for (const name of ['UserId', 'BusinessUnitId', 'OrganizationId']) assert.match(answer[name], GUID)
    assert.match(answer.oDataContext, /\$metadata#Microsoft\.Dynamics\.CRM\.WhoAmIResponse$/)
  })

  operation('callFunction: the user of WhoAmI is a row', async api => {
    const { UserId, BusinessUnitId } = await api.callFunction('WhoAmI')
    const user = await api.retrieve({ collection: 'systemusers', key: UserId, select: ['fullname', '_businessunitid_value'] })
    assert.equal(user._businessunitid_value, BusinessUnitId)
    assert.ok(user.fullname.length > 0)
    const unit = await api.retrieve({ collection: 'businessunits', key: BusinessUnitId, select: ['name', '_parentbusinessunitid_value'] })
    assert.equal(unit._parentbusinessunitid_value, null)
  })

  operation('callFunction: RetrieveVersion', async api => {
    assert.match((await api.callFunction('RetrieveVersion')).Version, /^9\.2\.\d+\.\d+$/)
  })

  operation('callFunction: RetrieveTotalRecordCount', async api => {
    const answer = await api.callFunction({ name: 'RetrieveTotalRecordCount', parameters: { EntityNames: ['account', 'contact'] } })
    const { Keys, Values } = answer.EntityRecordCountCollection
    assert.deepEqual(Object.fromEntries(Keys.map((key, index) => [key, Values[index]])), { account: 5, contact: 4 })
  })

  operation('callFunction: RetrieveAvailableLanguages', async api => {
    assert.ok((await api.callFunction('RetrieveAvailableLanguages')).LocaleIds.includes(1033))
  })

  operation('callFunction: privileges by name, bound to a user', async api => {
    const { UserId } = await api.callFunction('WhoAmI')
    const { RolePrivileges } = await api.callFunction({
      collection: 'systemusers',
      key: UserId,
      name: 'Microsoft.Dynamics.CRM.RetrieveUserSetOfPrivilegesByNames',
      parameters: { PrivilegeNames: ['prvReadAccount'] }
    })
    assert.deepEqual(
      RolePrivileges.map(({ PrivilegeName, Depth }) => [PrivilegeName, Depth]),
      [['prvReadAccount', 'Global']]
    )
  })

  operation('callFunction: RetrieveCurrentOrganization', async api => {
    const parameters = { AccessType: "Microsoft.Dynamics.CRM.EndpointAccessType'Default'" }
    const { Detail } = await api.callFunction({ name: 'RetrieveCurrentOrganization', parameters })
    assert.equal(Detail.OrganizationId, (await api.callFunction('WhoAmI')).OrganizationId)
  })

  operation('callFunction: an unknown one', async api => {
    await assert.rejects(api.callFunction('WhoAreYou'), { status: 404 })
  })

  operation('callAction: CreateMultiple', async api => {
    const { Ids } = await many(api, 'CreateMultiple', [account({ name: 'One' }), account({ name: 'Two' })])
    assert.equal(Ids.length, 2)
    assert.equal((await api.retrieve({ collection: 'accounts', key: Ids[1], select: ['name'] })).name, 'Two')
  })

  operation('callAction: CreateMultiple is all or nothing', async api => {
    const sent = many(api, 'CreateMultiple', [account({ name: 'One' }), account({ accountnumber: 'A-1' })])
    await assert.rejects(sent, { status: 412, code: '0x80040237' })
    assert.equal(await api.count({ collection: 'accounts' }), 5)
  })

  operation('callAction: UpdateMultiple', async api => {
    const targets = [account({ accountid: fabrikam, telephone1: '1' }), account({ accountid: contoso, telephone1: '2' })]
    assert.equal(await many(api, 'UpdateMultiple', targets), undefined)
    const filter = "telephone1 eq '1' or telephone1 eq '2'"
    assert.equal(await api.count({ collection: 'accounts', filter }), 2)
  })

  operation('callAction: UpdateMultiple of a row that does not exist', async api => {
    const targets = [account({ accountid: fabrikam, telephone1: '1' }), account({ accountid: missing, telephone1: '2' })]
    await assert.rejects(many(api, 'UpdateMultiple', targets), { status: 404, code: '0x80040217' })
    assert.equal(await api.count({ collection: 'accounts', filter: "telephone1 eq '1'" }), 0)
  })

  operation('callAction: UpsertMultiple', async api => {
    const targets = [
      account({ '@odata.id': "accounts(accountnumber='A-1')", telephone1: '1' }),
      account({ '@odata.id': "accounts(accountnumber='A-9')", name: 'Litware' })
    ]
    await many(api, 'UpsertMultiple', targets)
    assert.equal(await api.count({ collection: 'accounts' }), 6)
    const row = await api.retrieve({ collection: 'accounts', key: "accountnumber='A-9'", select: ['name'] })
    assert.equal(row.name, 'Litware')
  })

  operation('callAction: WinOpportunity', async api => {
    const OpportunityClose = { subject: 'Won', 'opportunityid@odata.bind': `/opportunities(${beans})` }
    await api.callAction({ actionName: 'WinOpportunity', action: { Status: 3, OpportunityClose } })
    const row = await api.retrieve({
      collection: 'opportunities',
      key: beans,
      select: ['statecode', 'statuscode'],
      includeAnnotations: '*'
    })
    assert.deepEqual([row.statecode, row.statuscode, row.statecode_Formatted], [1, 3, 'Won'])
  })

  operation('callAction: LoseOpportunity', async api => {
    const OpportunityClose = { subject: 'Lost', 'opportunityid@odata.bind': `/opportunities(${beans})` }
    await api.callAction({ actionName: 'LoseOpportunity', action: { Status: 4, OpportunityClose } })
    const row = await api.retrieve({ collection: 'opportunities', key: beans, select: ['statecode', 'statuscode'] })
    assert.deepEqual([row.statecode, row.statuscode], [2, 4])
  })

  operation('callAction: CloseIncident', async api => {
    const IncidentResolution = { subject: 'New seal', timespent: 60, 'incidentid@odata.bind': `/incidents(${leak})` }
    await api.callAction({ actionName: 'CloseIncident', action: { Status: 5, IncidentResolution } })
    const row = await api.retrieve({ collection: 'incidents', key: leak, select: ['statecode', 'statuscode'] })
    assert.deepEqual([row.statecode, row.statuscode], [1, 5])
  })

  operation('callAction: AddToQueue, bound to a queue', async api => {
    const Target = { '@odata.type': 'Microsoft.Dynamics.CRM.task', activityid: callBack }
    const request = { collection: 'queues', key: support, actionName: 'Microsoft.Dynamics.CRM.AddToQueue', action: { Target } }
    const { QueueItemId } = await api.callAction(request)
    assert.match(QueueItemId, GUID)
    const row = await api.retrieve({ collection: 'queueitems', key: QueueItemId, select: ['_queueid_value', '_objectid_value'] })
    assert.deepEqual([row._queueid_value, row._objectid_value], [support, callBack])
  })

  operation('callAction: an unknown one', async api => {
    await assert.rejects(api.callAction({ actionName: 'LinkToConversation', action: {} }), { status: 404 })
  })

  operation('callAction: in the background', async api => {
    const OpportunityClose = { subject: 'Won', 'opportunityid@odata.bind': `/opportunities(${beans})` }
    const request = { actionName: 'WinOpportunity', action: { Status: 3, OpportunityClose }, respondAsync: true }
    const { backgroundOperationId } = await api.callAction(request)
    assert.match(backgroundOperationId, GUID)
  })

  operation('getBackgroundOperationStatus', async api => {
    const { backgroundOperationStateCode } = await api.getBackgroundOperationStatus(missing)
    assert.equal(backgroundOperationStateCode, 3)
  })

  operation('query: a search', async api => {
    const { value } = await api.query({ query: { search: 'Fabrikam', entities: ['account'] } })
    assert.equal(value[0]['@search.objectid'], fabrikam)
  })

  operation('suggest', async api => {
    const { value } = await api.suggest({ query: { search: 'Fab' } })
    assert.match(value[0].text, /Fab/)
  })

  operation('autocomplete', async api => {
    assert.match((await api.autocomplete({ query: { search: 'Fab' } })).value, /fabrikam/i)
  })

  operation('uploadFile and downloadFile: an image', async api => {
    const data = Buffer.from('not really an image')
    await api.uploadFile({ collection: 'accounts', key: fabrikam, property: 'entityimage', fileName: 'a.png', data })
    const { data: read } = await api.downloadFile({ collection: 'accounts', key: fabrikam, property: 'entityimage' })
    assert.deepEqual(Buffer.from(read), data)
  })
}
