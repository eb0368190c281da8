"""The operations of python-odata, whose classes come from $metadata."""

import datetime

import requests
from odata import ODataService
from odata.exceptions import ODataError
from odata.property import BooleanProperty, DatetimeProperty, DecimalProperty, IntegerProperty, StringProperty, UUIDProperty

from operations import ADA, CONTOSO, FABRIKAM, GRACE, MISSING, main, operation, rejected, same


def names(rows):
    return [row.name for row in rows]


@operation("reflection: the sets")
def _(service):
    for name in ("accounts", "contacts", "incidents", "opportunities", "tasks", "systemusers", "msdyn_ocliveworkitems"):
        assert name in service.entities, (name, sorted(service.entities))
    same(service.entities["accounts"].__odata_type__, "Microsoft.Dynamics.CRM.account")


@operation("reflection: the kinds of columns")
def _(service):
    Account, Contact = service.entities["accounts"], service.entities["contacts"]
    for column, kind in (
        (Account.accountid, UUIDProperty),
        (Account.name, StringProperty),
        (Account.numberofemployees, IntegerProperty),
        (Account.revenue, DecimalProperty),
        (Account.creditonhold, BooleanProperty),
        (Account.createdon, DatetimeProperty),
        (Account._primarycontactid_value, UUIDProperty),
        (Contact.birthdate, StringProperty),
    ):
        same(type(column), kind, column.name)
    same([Account.accountid.primary_key, Account.name.primary_key], [True, False])


@operation("reflection: lookups and collections")
def _(service):
    Account, Contact = service.entities["accounts"], service.entities["contacts"]
    lookup, collection = Account.primarycontactid, Account.contact_customer_accounts
    same([lookup.is_collection, lookup.foreign_key, lookup.entitycls.__odata_type__], [False, "_primarycontactid_value", "Microsoft.Dynamics.CRM.contact"])
    same([collection.is_collection, collection.entitycls.__odata_type__], [True, "Microsoft.Dynamics.CRM.contact"])
    same(Contact.parentcustomerid_account.entitycls.__odata_type__, "Microsoft.Dynamics.CRM.account")


@operation("reflection: activities inherit their key")
def _(service):
    Task = service.entities["tasks"]
    same([Task.activityid.primary_key, Task.subject.name], [True, "subject"])
    assert any(base.__odata_type__ == "Microsoft.Dynamics.CRM.activitypointer" for base in Task.__mro__ if hasattr(base, "__odata_type__"))


@operation("reflection: functions and actions")
def _(service):
    assert "WhoAmI" in service.functions, sorted(service.functions)
    assert "WinOpportunity" in service.actions, sorted(service.actions)


@operation("query: filter, order, limit")
def _(service):
    Account = service.entities["accounts"]
    query = service.query(Account).filter((Account.address1_city == "Brno") | (Account.numberofemployees >= 12))
    same(names(query.order_by(Account.revenue.desc()).limit(2).all()), ["Fabrikam Coffee", "Contoso Tea"])


@operation("query: functions in a filter")
def _(service):
    Account = service.entities["accounts"]
    query = service.query(Account).order_by(Account.name.asc())
    same(names(query.filter(Account.name.contains("O'Neill & S"))), ["O'Neill & Söhne 100%"])
    same(names(query.filter(Account.name.lacks("w"))), ["Contoso Tea", "Fabrikam Coffee", "O'Neill & Söhne 100%"])
    same(names(query.filter(Account.revenue.is_null())), ["O'Neill & Söhne 100%"])


@operation("query: one row")
def _(service):
    Account = service.entities["accounts"]
    row = service.query(Account).get(FABRIKAM)
    same([row.name, float(row.revenue), row.numberofemployees, row.creditonhold], ["Fabrikam Coffee", 1000000, 40, False])
    same(row.createdon, datetime.datetime(2026, 1, 10, 8, tzinfo=datetime.timezone.utc))


@operation("query: the number of rows")
def _(service):
    Account = service.entities["accounts"]
    same(service.query(Account).count(), 5)
    same(service.query(Account).filter(Account.address1_city == "Brno").count(), 2)


@operation("query: expand")
def _(service):
    Account = service.entities["accounts"]
    row = service.query(Account).filter(Account.accountid == FABRIKAM).expand(Account.primarycontactid, Account.contact_customer_accounts).first()
    same(row.primarycontactid.fullname, "Ada Lovelace")
    same(sorted(contact.fullname for contact in row.contact_customer_accounts), ["Ada Lovelace", "Grace Hopper"])


@operation("query: rows behind navigation properties")
def _(service):
    row = service.query(service.entities["accounts"]).get(FABRIKAM)
    same(row.primarycontactid.contactid, ADA)
    same({contact.contactid for contact in row.contact_customer_accounts}, {ADA, GRACE})


@operation("query: a column of a lookup")
def _(service):
    Account = service.entities["accounts"]
    same(names(service.query(Account).filter(Account.primarycontactid.lastname == "Lovelace")), ["Fabrikam Coffee"])


@operation("query: raw")
def _(service):
    Contact = service.entities["contacts"]
    rows = service.query(Contact).raw({"$select": "fullname", "$filter": f"_parentcustomerid_value eq {CONTOSO}"})
    same([row["fullname"] for row in rows], ["Alan Turing"])


@operation("query: an offset, which Dataverse refuses")
def _(service):
    Account = service.entities["accounts"]
    error = rejected(ODataError, lambda: service.query(Account).offset(2).all())
    same([error.status_code, error.code], ["HTTP 400", "0x80060888"])


def model(service):
    """A class with a few columns, because the reflected ones write all columns."""

    class Account(service.Entity):
        __odata_type__ = "Microsoft.Dynamics.CRM.account"
        __odata_collection__ = "accounts"
        accountid = UUIDProperty("accountid", primary_key=True)
        name = StringProperty("name")
        numberofemployees = IntegerProperty("numberofemployees")

    return Account


@operation("save: a new row")
def _(service):
    Account = model(service)
    row = Account()
    row.name = "Litware"
    row.numberofemployees = 9
    service.save(row)
    assert len(row.accountid) == 36, row.accountid
    same([row.name, service.query(Account).get(row.accountid).numberofemployees], ["Litware", 9])


@operation("save: a change")
def _(service):
    Account = model(service)
    row = service.query(Account).get(FABRIKAM)
    row.name = "Fabrikam"
    service.save(row)
    same([row.name, service.query(Account).get(FABRIKAM).numberofemployees], ["Fabrikam", 40])


@operation("delete")
def _(service):
    Account = model(service)
    service.delete(service.query(Account).get(FABRIKAM))
    same(service.query(Account).filter(Account.accountid == FABRIKAM).all(), [])


@operation("delete: a row that does not exist")
def _(service):
    Account = model(service)
    row = Account(from_data={"accountid": MISSING})
    same(rejected(ODataError, lambda: service.delete(row)).code, "0x80040217")


def connect(url, credential):
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {credential}"
    headers = {"Prefer": "return=representation"}
    return ODataService(f"{url}/api/data/v9.2/", session=session, reflect_entities=True, extra_headers=headers, quiet_progress=True)


main(connect)
