"""The operations of dataverse-api."""

import json
import re

import requests
from dataverse_api import DataverseClient
from dataverse_api.errors import DataverseAPIError
from dataverse_api.metadata.attributes import StringAttributeMetadata
from dataverse_api.metadata.entity import define_entity
from dataverse_api.metadata.relationships import define_relationship
from dataverse_api.utils.batching import BatchCommand, RequestMethod
from dataverse_api.utils.labels import define_label

from operations import ADA, CONTOSO, FABRIKAM, MISSING, ONEILL, main, operation, rejected, same

GUID = re.compile(r"\(([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\)$")
FORMATTED = "OData.Community.Display.V1.FormattedValue"


def names(rows):
    return [row["name"] for row in rows]


def read(client, record, column):
    rows = client.entity("account").read(select=[column], filter=f"accountid eq {record}")
    return rows[0][column] if rows else None


def parts(response):
    """The statuses and bodies in the response to a batch, which the client hands over unread."""
    boundary = response.headers["Content-Type"].split("boundary=")[1].strip('"')
    texts = response.text.split(f"--{boundary}")[1:-1]
    statuses = [int(re.search(r"HTTP/1\.1 (\d+)", text)[1]) for text in texts]
    bodies = [json.loads(found[0]) if (found := re.search(r"\{.*\}", text, re.S)) else None for text in texts]
    return statuses, bodies


@operation("entity: its definition")
def _(client):
    account = client.entity("account")
    same([account.entity_set_name, account.primary_id_attr, account.primary_img_attr], ["accounts", "accountid", "entityimage"])
    same(list(account.alternate_keys.values()), [["accountnumber"]])
    same([account.supports_create_multiple, account.supports_update_multiple], [True, True])


@operation("entity: its relationships")
def _(client):
    relationships = client.entity("account").relationships
    assert "primarycontactid" in relationships.single_valued, relationships
    assert "contact_customer_accounts" in relationships.collection_valued, relationships


@operation("entity: an unknown table")
def _(client):
    same(rejected(DataverseAPIError, lambda: client.entity("acount")).response.status_code, 404)


@operation("read: selected columns")
def _(client):
    rows = client.entity("account").read(select=["name", "revenue"], order_by="name")
    same(names(rows)[:2], ["Adventure Works", "Contoso Tea"])
    same([len(rows), rows[0]["revenue"], "telephone1" in rows[0]], [5, 5000, False])


@operation("read: filter, order, top")
def _(client):
    rows = client.entity("account").read(select=["name"], filter="revenue gt 6000", order_by="revenue desc", top=2)
    same(names(rows), ["Fabrikam Coffee", "Contoso Tea"])


@operation("read: special characters in a filter")
def _(client):
    rows = client.entity("account").read(select=["name"], filter="name eq 'O''Neill & Söhne 100%'")
    same(names(rows), ["O'Neill & Söhne 100%"])


@operation("read: all pages")
def _(client):
    responses = client.entity("account").read(select=["name"], page_size=2, order_by="name", return_responses=True)
    same([len(response.json()["value"]) for response in responses], [2, 2, 1])
    same(len(client.entity("account").read(select=["name"], page_size=2)), 5)


@operation("read: labels")
def _(client):
    rows = client.entity("account").read(select=["accountcategorycode"], filter="accountnumber eq 'A-1'", return_formatted_values=True)
    same(rows[0][f"accountcategorycode@{FORMATTED}"], "Preferred Customer")


@operation("read: labels and pages")
def _(client):
    rows = client.entity("account").read(select=["statecode"], order_by="name", page_size=2, return_formatted_values=True)
    same([row[f"statecode@{FORMATTED}"] for row in rows], ["Active", "Active", "Active", "Inactive", "Active"])


@operation("read: expand")
def _(client):
    rows = client.entity("account").read(select=["name"], filter="_primarycontactid_value ne null", expand="primarycontactid($select=fullname)")
    same([row["primarycontactid"]["fullname"] for row in rows], ["Ada Lovelace"])


@operation("read: an unknown column")
def _(client):
    error = rejected(DataverseAPIError, lambda: client.entity("account").read(select=["nam"]))
    same(error.response.status_code, 400)
    assert "Could not find a property named 'nam'" in str(error), error


@operation("create: one by one")
def _(client):
    account = client.entity("account")
    responses = account.create([{"name": "One"}, {"name": "Two", "primarycontactid@odata.bind": f"/contacts({ADA})"}])
    same([response.status_code for response in responses], [204, 204])
    same([read(client, GUID.search(response.headers["OData-EntityId"])[1], "name") for response in responses], ["One", "Two"])


@operation("create: one by one, returned")
def _(client):
    response, = client.entity("account").create([{"name": "One"}], return_created=True, detect_duplicates=True)
    same([response.status_code, response.json()["name"]], [201, "One"])


@operation("create: one by one, with an error")
def _(client):
    responses = client.entity("account").create([{"nam": "One"}, {"name": "Two"}])
    same([response.status_code for response in responses], [400, 204])


@operation("create: at once")
def _(client):
    response, = client.entity("account").create([{"name": "One"}, {"name": "Two"}], mode="multiple")
    same([read(client, record, "name") for record in response.json()["Ids"]], ["One", "Two"])


@operation("create: as a batch")
def _(client):
    response, = client.entity("account").create([{"name": "One"}, {"name": "Two Söhne"}], mode="batch")
    same(parts(response)[0], [204, 204])
    same(names(client.entity("account").read(select=["name"], filter="endswith(name,'Söhne')")), ["Two Söhne"])


@operation("create: as several batches, in threads")
def _(client):
    rows = [{"name": f"Account {number}"} for number in range(10)]
    responses = client.entity("account").create(rows, mode="batch", batch_size=3, threading=True)
    same(sorted(len(parts(response)[0]) for response in responses), [1, 3, 3, 3])
    same(len(client.entity("account").read(select=["name"], filter="startswith(name,'Account ')")), 10)


@operation("create: as a batch, with an error")
def _(client):
    account = client.entity("account")
    # The client reads the response as JSON, because its status is that of the error, but it is that of a batch.
    rejected(ValueError, lambda: account.create([{"name": "One"}, {"nam": "Two"}, {"name": "Three"}], mode="batch"))
    same(len(account.read(select=["name"])), 6)


@operation("upsert: by id")
def _(client):
    account = client.entity("account")
    responses = account.upsert([{"accountid": FABRIKAM, "name": "Fabrikam"}, {"accountid": MISSING, "name": "Litware"}])
    same([response.status_code for response in responses], [204, 204])
    same([read(client, FABRIKAM, "name"), read(client, MISSING, "name")], ["Fabrikam", "Litware"])


@operation("upsert: by an alternate key")
def _(client):
    account = client.entity("account")
    key, = account.alternate_keys
    account.upsert([{"accountnumber": "A-2", "name": "Contoso"}, {"accountnumber": "A 9 ö", "name": "Litware"}], altkey_name=key)
    same(read(client, CONTOSO, "name"), "Contoso")
    same(names(account.read(select=["name"], filter="accountnumber eq 'A 9 ö'")), ["Litware"])


@operation("upsert: as a batch")
def _(client):
    account = client.entity("account")
    key, = account.alternate_keys
    rows = [{"accountnumber": "A-2", "name": "Contoso"}, {"accountnumber": "A 9 ö", "name": "Litware"}]
    response, = account.upsert(rows, mode="batch", altkey_name=key)
    same(parts(response)[0], [204, 204])
    same(names(account.read(select=["name"], filter="accountnumber eq 'A 9 ö'")), ["Litware"])
    same(len(account.read(select=["name"])), 6)


@operation("delete: by ids")
def _(client):
    responses = client.entity("account").delete(ids=[ONEILL, CONTOSO])
    same([response.status_code for response in responses], [204, 204])
    same(read(client, ONEILL, "name"), None)


@operation("delete: by a filter")
def _(client):
    account = client.entity("account")
    account.delete(filter="address1_city eq 'Brno'")
    same(len(account.read(select=["name"])), 3)


@operation("delete: as a batch")
def _(client):
    account = client.entity("account")
    response, = account.delete(mode="batch", ids=[ONEILL, CONTOSO])
    same(parts(response)[0], [204, 204])
    same(len(account.read(select=["name"])), 3)


@operation("delete: a row that does not exist")
def _(client):
    response, = client.entity("account").delete(ids=[MISSING])
    same([response.status_code, response.json()["error"]["code"]], [404, "0x80040217"])


@operation("delete_columns")
def _(client):
    client.entity("account").delete_columns(["telephone1", "address1_city"], ids=[FABRIKAM])
    same([read(client, FABRIKAM, column) for column in ("telephone1", "address1_city", "name")], [None, None, "Fabrikam Coffee"])


@operation("delete_columns: as a batch")
def _(client):
    client.entity("account").delete_columns(["telephone1"], mode="batch", filter="telephone1 ne null")
    same(client.entity("account").read(select=["name"], filter="telephone1 ne null"), [])


@operation("submit_batch: all methods")
def _(client):
    response, = client.submit_batch([
        BatchCommand(f"accounts({FABRIKAM})?$select=name", RequestMethod.GET),
        BatchCommand(f"accounts({FABRIKAM})", RequestMethod.PATCH, data={"telephone1": "555-0177"}),
        BatchCommand(f"accounts({FABRIKAM})", RequestMethod.PUT, data={"name": "Fabrikam"}),
        BatchCommand("accounts", RequestMethod.POST, data={"name": "Litware"}),
        BatchCommand(f"accounts({ONEILL})", RequestMethod.DELETE),
    ])
    statuses, bodies = parts(response)
    same([statuses, bodies[0]["name"]], [[200, 204, 204, 204, 204], "Fabrikam Coffee"])
    same([read(client, FABRIKAM, column) for column in ("name", "telephone1")], ["Fabrikam", "555-0177"])


@operation("get_language_codes")
def _(client):
    assert 1033 in client.get_language_codes()


@operation("get_entity_definition")
def _(client):
    definition = client.get_entity_definition("account")
    same([definition.schema_name, definition.is_activity], ["Account", False])
    same(definition.display_name.localized_labels[0].label, "Account")


@operation("get_relationship_definition")
def _(client):
    definition = client.get_relationship_definition("contact_customer_accounts")
    same([definition.schema_name, definition.referenced_entity, definition.referencing_entity], ["contact_customer_accounts", "account", "contact"])


COLUMN = StringAttributeMetadata(schema_name="new_Name", is_primary_name=True, description=define_label("Name"), display_name=define_label("Name"))


@operation("create_entity")
def _(client):
    response = client.create_entity(define_entity(schema_name="new_Machine", attributes=[COLUMN]), return_representation=True)
    same(response.json()["LogicalName"], "new_machine")


@operation("update_entity")
def _(client):
    definition = client.get_entity_definition("account")
    definition.display_name.localized_labels[0].label = "Customer"
    client.update_entity(definition)
    same(client.get_entity_definition("account").display_name.localized_labels[0].label, "Customer")


@operation("delete_entity")
def _(client):
    client.delete_entity("lead")
    same(rejected(DataverseAPIError, lambda: client.entity("lead")).response.status_code, 404)


@operation("create_relationship")
def _(client):
    definition = define_relationship("new_account_task", referencing_entity="task", referenced_entity="account", lookup="new_AccountId")
    same(client.create_relationship(definition).status_code, 204)


@operation("add_attribute")
def _(client):
    same(client.entity("account").add_attribute(COLUMN).status_code, 204)


def connect(url, credential):
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {credential}"
    return DataverseClient(session, url)


main(connect)
