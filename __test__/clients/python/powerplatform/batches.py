"""client.batch."""

from PowerPlatform.Dataverse.core.errors import HttpError
from PowerPlatform.Dataverse.models import UpsertItem

from operations import CONTOSO, FABRIKAM, MISSING, ONEILL, operation, rejected, same


def name(client, record):
    return client.records.retrieve("account", record, select=["name"])["name"]


@operation("batch: creates")
def _(client):
    batch = client.batch.new()
    batch.records.create("account", {"name": "One"})
    batch.records.create("account", {"name": "Two", "accountcategorycode": "Standard"})
    result = batch.execute()
    same([response.status_code for response in result.responses], [204, 204])
    same([name(client, record) for record in result.entity_ids], ["One", "Two"])


@operation("batch: several at once")
def _(client):
    batch = client.batch.new()
    batch.records.create("account", [{"name": "One"}, {"name": "Two"}])
    batch.records.update("account", [FABRIKAM, CONTOSO], {"telephone1": "555-0177"})
    batch.records.upsert("account", [
        UpsertItem(alternate_key={"accountnumber": "A-1"}, record={"name": "Fabrikam"}),
        UpsertItem(alternate_key={"accountnumber": "A-9"}, record={"name": "Litware"}),
    ])
    result = batch.execute()
    same(result.has_errors, False)
    same([len(result.responses), len(result.responses[0].data["Ids"])], [3, 2])
    same([name(client, FABRIKAM), len(client.records.list("account", select=["name"]))], ["Fabrikam", 8])


@operation("batch: updates and deletes")
def _(client):
    batch = client.batch.new()
    batch.records.update("account", FABRIKAM, {"name": "Fabrikam"})
    batch.records.delete("account", ONEILL)
    batch.records.upsert("account", [UpsertItem(alternate_key={"accountnumber": "A-2"}, record={"name": "Contoso"})])
    result = batch.execute()
    same([response.status_code for response in result.responses], [204, 204, 204])
    same([name(client, FABRIKAM), name(client, CONTOSO), client.records.retrieve("account", ONEILL)], ["Fabrikam", "Contoso", None])


@operation("batch: reads")
def _(client):
    batch = client.batch.new()
    batch.records.retrieve("account", FABRIKAM, select=["name"], expand=["primarycontactid"])
    batch.records.list("account", filter="statecode eq 0 and address1_city eq 'Brno'", select=["name"], orderby=["name desc"], top=1)
    result = batch.execute()
    row, page = [response.data for response in result.responses]
    same([row["name"], row["primarycontactid"]["fullname"]], ["Fabrikam Coffee", "Ada Lovelace"])
    same([row["name"] for row in page["value"]], ["Fabrikam Coffee"])


@operation("batch: definitions")
def _(client):
    batch = client.batch.new()
    batch.tables.get("account")
    batch.tables.list(filter="LogicalName eq 'contact'", select=["LogicalName", "EntitySetName"])
    result = batch.execute()
    same(result.has_errors, False)
    same(result.responses[1].data["value"][0]["EntitySetName"], "contacts")


@operation("batch: a change set with references")
def _(client):
    batch = client.batch.new()
    with batch.changeset() as changes:
        account = changes.records.create("account", {"name": "Litware"})
        contact = changes.records.create("contact", {"lastname": "Clarke", "parentcustomerid_account@odata.bind": account})
        changes.records.update("account", account, {"primarycontactid@odata.bind": contact})
    result = batch.execute()
    same([response.status_code for response in result.responses], [204, 204, 204])
    same([response.content_id for response in result.responses], ["1", "2", "3"])
    account, contact = result.entity_ids[:2]
    row = client.records.retrieve("account", account, select=["_primarycontactid_value"])
    same(row["_primarycontactid_value"], contact)


@operation("batch: a change set is all or nothing")
def _(client):
    batch = client.batch.new()
    with batch.changeset() as changes:
        changes.records.update("account", FABRIKAM, {"name": "Fabrikam"})
        changes.records.create("account", {"nam": "x"})
    result = batch.execute()
    same([response.status_code for response in result.responses], [400])
    assert "nam" in result.responses[0].error_message, result
    same(name(client, FABRIKAM), "Fabrikam Coffee")


@operation("batch: up to the first error")
def _(client):
    batch = client.batch.new()
    batch.records.update("account", FABRIKAM, {"name": "Fabrikam"})
    batch.records.create("account", {"nam": "x"})
    batch.records.update("account", CONTOSO, {"name": "Contoso"})
    result = batch.execute()
    same([response.status_code for response in result.responses], [204, 400])
    same([name(client, FABRIKAM), name(client, CONTOSO)], ["Fabrikam", "Contoso Tea"])


@operation("batch: an error that the client does not expect of a batch")
def _(client):
    batch = client.batch.new()
    batch.records.update("account", MISSING, {"name": "x"})
    same(rejected(HttpError, batch.execute).status_code, 404)


@operation("batch: goes on after an error")
def _(client):
    batch = client.batch.new()
    batch.records.update("account", MISSING, {"name": "x"})
    batch.records.update("account", CONTOSO, {"name": "Contoso"})
    result = batch.execute(continue_on_error=True)
    same([(response.status_code, response.error_code) for response in result.responses], [(404, "0x80040217"), (204, None)])
    same(name(client, CONTOSO), "Contoso")


@operation("batch: SQL")
def _(client):
    batch = client.batch.new()
    batch.query.sql("SELECT name FROM account WHERE accountnumber = 'A-2'")
    result = batch.execute()
    same(result.responses[0].data["value"][0]["name"], "Contoso Tea")
