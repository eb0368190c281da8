"""client.records and client.dataframe."""

import re

import pandas
from PowerPlatform.Dataverse.core.errors import HttpError, MetadataError
from PowerPlatform.Dataverse.models import UpsertItem

from operations import ADA, CONTOSO, FABRIKAM, GRACE, MISSING, ONEILL, operation, rejected, same

GUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
FORMATTED = "OData.Community.Display.V1.FormattedValue"


def read(client, record, *columns, table="account"):
    row = client.records.retrieve(table, record, select=list(columns))
    return [row[column] for column in columns]


def count(client, table="account"):
    return len(client.records.list(table, select=["createdon"]))


@operation("records.create: one")
def _(client):
    record = client.records.create("account", {"Name": "Litware", "NumberOfEmployees": 9, "revenue": 12.5, "creditonhold": True})
    assert GUID.match(record), record
    same(read(client, record, "name", "numberofemployees", "revenue", "creditonhold", "statecode"), ["Litware", 9, 12.5, True, 0])


@operation("records.create: a choice by its label")
def _(client):
    record = client.records.create("account", {"name": "Litware", "accountcategorycode": "Preferred Customer"})
    same(read(client, record, "accountcategorycode"), [1])


@operation("records.create: with lookups")
def _(client):
    data = {"name": "Litware", "primarycontactid@odata.bind": f"/contacts({ADA})", "parentaccountid@odata.bind": f"/accounts({CONTOSO})"}
    record = client.records.create("account", data)
    same(read(client, record, "_primarycontactid_value", "_parentaccountid_value"), [ADA, CONTOSO])


@operation("records.create: a case")
def _(client):
    record = client.records.create("incident", {"title": "Loud", "customerid_contact@odata.bind": f"/contacts({GRACE})", "prioritycode": "Low"})
    same(read(client, record, "title", "_customerid_value", "prioritycode", table="incident"), ["Loud", GRACE, 3])


@operation("records.create: several")
def _(client):
    records = client.records.create("account", [{"name": "One"}, {"name": "Two", "accountcategorycode": "Standard"}])
    same(len(records), 2)
    same([read(client, record, "name") for record in records], [["One"], ["Two"]])
    same(read(client, records[1], "accountcategorycode"), [2])


@operation("records.create: several, all or nothing")
def _(client):
    error = rejected(HttpError, lambda: client.records.create("account", [{"name": "One"}, {"accountnumber": "A-1"}]))
    same([error.status_code, error.details["service_error_code"]], [412, "0x80040237"])
    same(count(client), 5)


@operation("records.create: an unknown column")
def _(client):
    error = rejected(HttpError, lambda: client.records.create("account", {"nam": "Litware"}))
    same(error.status_code, 400)
    assert "Invalid property 'nam' was found in entity" in error.message, error.message
    # Dataverse sends this header twice.
    assert GUID.match(error.details["service_request_id"].split(", ")[0]), error.details


@operation("records.create: an unknown table")
def _(client):
    error = rejected(MetadataError, lambda: client.records.create("acount", {"name": "Litware"}))
    same(error.subcode, "metadata_entityset_not_found")


@operation("records.retrieve: selected columns")
def _(client):
    row = client.records.retrieve("account", FABRIKAM, select=["name", "Revenue"])
    same([row["name"], row["revenue"], row["accountid"], "telephone1" in row], ["Fabrikam Coffee", 1000000, FABRIKAM, False])
    assert re.match(r'^W/"\d+"$', row.etag), row.etag


@operation("records.retrieve: all columns")
def _(client):
    row = client.records.retrieve("account", ONEILL)
    same([row["name"], row["telephone1"], row["revenue"], row["_primarycontactid_value"]], ["O'Neill & Söhne 100%", None, None, None])
    same(row["createdon"], "2026-04-13T11:00:00Z")


@operation("records.retrieve: a record that does not exist")
def _(client):
    same(client.records.retrieve("account", MISSING, select=["name"]), None)


@operation("records.retrieve: expand, with labels")
def _(client):
    row = client.records.retrieve(
        "account",
        FABRIKAM,
        select=["name", "accountcategorycode"],
        expand=["primarycontactid($select=fullname)", "contact_customer_accounts($select=fullname;$orderby=fullname)"],
        include_annotations=FORMATTED,
    )
    same(row[f"accountcategorycode@{FORMATTED}"], "Preferred Customer")
    same(row["primarycontactid"]["fullname"], "Ada Lovelace")
    same([contact["fullname"] for contact in row["contact_customer_accounts"]], ["Ada Lovelace", "Grace Hopper"])


@operation("records.list: filter, order, top")
def _(client):
    rows = client.records.list("account", filter="statecode eq 0 and revenue ne null", select=["Name"], orderby=["revenue desc"], top=2)
    same([row["name"] for row in rows], ["Fabrikam Coffee", "Contoso Tea"])


@operation("records.list: all pages")
def _(client):
    rows = client.records.list("account", select=["name"], orderby=["name asc"], page_size=2, count=True)
    names = [row["name"] for row in rows]
    same([len(names), names], [5, sorted(names)])


@operation("records.list: expand")
def _(client):
    rows = client.records.list("contact", select=["fullname"], expand=["parentcustomerid_account($select=name)"], orderby=["fullname"])
    same(
        [(row["fullname"], (row["parentcustomerid_account"] or {}).get("name")) for row in rows],
        [
            ("Ada Lovelace", "Fabrikam Coffee"),
            ("Alan Turing", "Contoso Tea"),
            ("Grace Hopper", "Fabrikam Coffee"),
            ("Mary Shelley", None),
        ],
    )


@operation("records.list_pages")
def _(client):
    pages = list(client.records.list_pages("account", select=["name"], orderby=["name asc"], page_size=2))
    same([len(page) for page in pages], [2, 2, 1])
    same(pages[0].first()["name"], "Adventure Works")


@operation("records.list: an unknown column")
def _(client):
    error = rejected(HttpError, lambda: client.records.list("account", filter="nam eq 'x'"))
    same([error.status_code, error.details["service_error_code"]], [400, "0x80060888"])


@operation("records.update: one")
def _(client):
    client.records.update("account", FABRIKAM, {"Telephone1": "555-0177", "accountcategorycode": "Standard"})
    same(read(client, FABRIKAM, "telephone1", "accountcategorycode", "name"), ["555-0177", 2, "Fabrikam Coffee"])


@operation("records.update: to empty")
def _(client):
    client.records.update("account", FABRIKAM, {"telephone1": None, "primarycontactid": None})
    same(read(client, FABRIKAM, "telephone1", "_primarycontactid_value"), [None, None])


@operation("records.update: a record that does not exist")
def _(client):
    error = rejected(HttpError, lambda: client.records.update("account", MISSING, {"name": "x"}))
    same([error.status_code, error.details["service_error_code"]], [404, "0x80040217"])
    same(count(client), 5)


@operation("records.update: the same for several")
def _(client):
    client.records.update("account", [FABRIKAM, CONTOSO], {"telephone1": "555-0177"})
    same([read(client, record, "telephone1") for record in (FABRIKAM, CONTOSO)], [["555-0177"]] * 2)


@operation("records.update: several")
def _(client):
    client.records.update("account", [FABRIKAM, CONTOSO], [{"telephone1": "1"}, {"telephone1": "2"}])
    same([read(client, record, "telephone1") for record in (FABRIKAM, CONTOSO)], [["1"], ["2"]])


@operation("records.update: several, all or nothing")
def _(client):
    error = rejected(HttpError, lambda: client.records.update("account", [FABRIKAM, MISSING], {"telephone1": "1"}))
    same([error.status_code, error.details["service_error_code"]], [404, "0x80040217"])
    same(read(client, FABRIKAM, "telephone1"), ["555-0101"])


@operation("records.delete: one")
def _(client):
    client.records.delete("account", ONEILL)
    same(client.records.retrieve("account", ONEILL), None)


@operation("records.delete: a record that does not exist")
def _(client):
    error = rejected(HttpError, lambda: client.records.delete("account", MISSING))
    same([error.status_code, error.details["service_error_code"]], [404, "0x80040217"])


@operation("records.delete: several, one by one")
def _(client):
    client.records.delete("account", [ONEILL, CONTOSO], use_bulk_delete=False)
    same(count(client), 3)


@operation("records.delete: several, as a job")
def _(client):
    assert GUID.match(client.records.delete("account", [ONEILL, CONTOSO]))


@operation("records.upsert: a record that exists")
def _(client):
    client.records.upsert("account", [UpsertItem(alternate_key={"accountnumber": "A-2"}, record={"telephone1": "555-0177"})])
    same([read(client, CONTOSO, "telephone1"), count(client)], [["555-0177"], 5])


@operation("records.upsert: a new record")
def _(client):
    client.records.upsert("account", [{"alternate_key": {"AccountNumber": "A-9"}, "record": {"Name": "Litware"}}])
    rows = client.records.list("account", filter="accountnumber eq 'A-9'", select=["name"])
    same([row["name"] for row in rows], ["Litware"])


@operation("records.upsert: several")
def _(client):
    items = [
        UpsertItem(alternate_key={"accountnumber": "A-2"}, record={"name": "Contoso"}),
        UpsertItem(alternate_key={"accountnumber": "O'N"}, record={"name": "Litware"}),
    ]
    client.records.upsert("account", items)
    same([read(client, CONTOSO, "name"), count(client)], [["Contoso"], 6])
    same(len(client.records.list("account", filter="accountnumber eq 'O''N'", select=["name"])), 1)


@operation("dataframe.create")
def _(client):
    records = client.dataframe.create("account", pandas.DataFrame([{"name": "One", "telephone1": "1"}, {"name": "Two"}]))
    same([read(client, record, "name", "telephone1") for record in records], [["One", "1"], ["Two", None]])


@operation("dataframe.update")
def _(client):
    changes = pandas.DataFrame([{"accountid": FABRIKAM, "telephone1": "1"}, {"accountid": CONTOSO, "telephone1": None}])
    client.dataframe.update("account", changes, id_column="accountid", clear_nulls=True)
    same([read(client, record, "telephone1") for record in (FABRIKAM, CONTOSO)], [["1"], [None]])


@operation("dataframe.delete")
def _(client):
    client.dataframe.delete("account", pandas.Series([ONEILL, CONTOSO]), use_bulk_delete=False)
    same(count(client), 3)
