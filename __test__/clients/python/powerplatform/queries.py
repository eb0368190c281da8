"""client.query: the builder, FetchXML and SQL."""

from datetime import datetime, timezone

from PowerPlatform.Dataverse.core.errors import HttpError
from PowerPlatform.Dataverse.models.filters import col
from PowerPlatform.Dataverse.models.query_builder import ExpandOption

from operations import ADA, FABRIKAM, operation, rejected, same

FORMATTED = "OData.Community.Display.V1.FormattedValue"
FABRIKAM_NAME, CONTOSO_NAME, ADVENTURE_NAME = "Fabrikam Coffee", "Contoso Tea", "Adventure Works"
ONEILL_NAME, NORTHWIND_NAME = "O'Neill & Söhne 100%", "Northwind Traders"


def filtered(title, expression, expected):
    """One operation of a filter, by the names that it selects."""

    @operation(f"query.builder: {title}")
    def _(client):
        rows = client.query.builder("account").select("name").where(expression).order_by("name").execute()
        same([row["name"] for row in rows], expected)


filtered("==", col("Name") == ONEILL_NAME, [ONEILL_NAME])
filtered("!=", col("address1_city") != "Brno", [CONTOSO_NAME, NORTHWIND_NAME, ONEILL_NAME])
filtered(">, <=", (col("revenue") > 5000) & (col("revenue") <= 250000.5), [CONTOSO_NAME, NORTHWIND_NAME])
filtered("|, ~", (col("address1_city") == "Praha") | ~(col("statecode") == 0), [CONTOSO_NAME, NORTHWIND_NAME])
filtered("is_null", col("address1_city").is_null(), [ONEILL_NAME])
filtered("is_not_null", col("_primarycontactid_value").is_not_null(), [FABRIKAM_NAME])
filtered("in_", col("accountnumber").in_(["A-1", "A-5"]), [FABRIKAM_NAME, NORTHWIND_NAME])
filtered("in_ numbers", col("numberofemployees").in_([3, 7]), [ADVENTURE_NAME, NORTHWIND_NAME])
filtered(
    "not_in",
    col("numberofemployees").not_in([3, 7]) & col("numberofemployees").is_not_null(),
    [CONTOSO_NAME, FABRIKAM_NAME],
)
filtered("between", col("numberofemployees").between(7, 12), [CONTOSO_NAME, NORTHWIND_NAME])
filtered(
    "not_between",
    col("numberofemployees").not_between(7, 12) & col("numberofemployees").is_not_null(),
    [ADVENTURE_NAME, FABRIKAM_NAME],
)
filtered("contains", col("name").contains("works"), [ADVENTURE_NAME])
filtered("startswith", col("name").startswith("O'N"), [ONEILL_NAME])
filtered("endswith", col("name").endswith("traders"), [NORTHWIND_NAME])
filtered("like", col("name").like("%tea%"), [CONTOSO_NAME])
filtered("not_like", col("name").not_like("%w%"), [CONTOSO_NAME, FABRIKAM_NAME, ONEILL_NAME])
filtered("a boolean", col("creditonhold") == True, [CONTOSO_NAME])  # noqa: E712
filtered(
    "a time",
    col("createdon").between(datetime(2026, 2, 1, tzinfo=timezone.utc), datetime(2026, 3, 31, tzinfo=timezone.utc)),
    [ADVENTURE_NAME, CONTOSO_NAME],
)


@operation("query.builder: top, order, labels")
def _(client):
    query = client.query.builder("account").select("name", "accountcategorycode").order_by("revenue", descending=True).top(2)
    rows = query.include_formatted_values().execute()
    same([row["name"] for row in rows], [FABRIKAM_NAME, CONTOSO_NAME])
    same([row[f"accountcategorycode@{FORMATTED}"] for row in rows], ["Preferred Customer", "Standard"])


@operation("query.builder: expand with options")
def _(client):
    tasks = ExpandOption("Account_Tasks").select("subject").filter("contains(subject,'a')").order_by("subject", descending=True).top(1)
    query = client.query.builder("account").select("name").where(col("name") == FABRIKAM_NAME).expand(tasks, "primarycontactid")
    row = query.execute().first()
    same([task["subject"] for task in row["Account_Tasks"]], ["Send samples"])
    same(row["primarycontactid"]["fullname"], "Ada Lovelace")


@operation("query.builder: pages")
def _(client):
    pages = list(client.query.builder("account").select("name").order_by("name").page_size(2).count().execute_pages())
    same([[row["name"] for row in page] for page in pages], [
        [ADVENTURE_NAME, CONTOSO_NAME],
        [FABRIKAM_NAME, NORTHWIND_NAME],
        [ONEILL_NAME],
    ])


@operation("query.builder: a data frame")
def _(client):
    frame = client.query.builder("account").select("name", "numberofemployees").where(col("numberofemployees") > 10).execute().to_dataframe()
    same(sorted(frame["name"]), [CONTOSO_NAME, FABRIKAM_NAME])
    same(int(frame["numberofemployees"].sum()), 52)


def fetch(inner, attributes=""):
    return f'<fetch {attributes}><entity name="account">{inner}</entity></fetch>'


NAME = '<attribute name="name"/><order attribute="name"/>'


@operation("query.fetchxml: a filter")
def _(client):
    xml = fetch(f'{NAME}<filter><condition attribute="name" operator="like" value="%O\'Neill &amp; S%"/></filter>')
    rows = client.query.fetchxml(xml).execute()
    same([row["name"] for row in rows], [ONEILL_NAME])


@operation("query.fetchxml: a linked table")
def _(client):
    link = '<link-entity name="contact" from="parentcustomerid" to="accountid" alias="c"><attribute name="fullname"/><order attribute="fullname"/></link-entity>'
    rows = client.query.fetchxml(fetch(f'<attribute name="name"/>{link}')).execute()
    same([(row["name"], row["c.fullname"]) for row in rows], [
        (FABRIKAM_NAME, "Ada Lovelace"),
        (CONTOSO_NAME, "Alan Turing"),
        (FABRIKAM_NAME, "Grace Hopper"),
    ])


@operation("query.fetchxml: all pages")
def _(client):
    rows = client.query.fetchxml(fetch(NAME, 'count="2"')).execute()
    same([row["name"] for row in rows], [ADVENTURE_NAME, CONTOSO_NAME, FABRIKAM_NAME, NORTHWIND_NAME, ONEILL_NAME])


@operation("query.fetchxml: page by page")
def _(client):
    pages = client.query.fetchxml(fetch(NAME, 'count="3"')).execute_pages()
    same([len(page) for page in pages], [3, 2])


@operation("query.fetchxml: an aggregate")
def _(client):
    inner = '<attribute name="address1_city" groupby="true" alias="city"/><attribute name="revenue" aggregate="sum" alias="total"/><filter><condition attribute="address1_city" operator="not-null"/></filter>'
    rows = client.query.fetchxml(fetch(inner, 'aggregate="true"')).execute()
    same({row["city"]: row["total"] for row in rows}, {"Brno": 1005000, "Ostrava": 70000, "Praha": 250000.5})


@operation("query.fetchxml: an unknown attribute")
def _(client):
    error = rejected(HttpError, lambda: client.query.fetchxml(fetch('<attribute name="nam"/>')).execute())
    same([error.status_code, error.details["service_error_code"]], [400, "0x80041103"])


@operation("query.sql")
def _(client):
    rows = client.query.sql("SELECT TOP 2 name, revenue FROM account WHERE statecode = 0 ORDER BY name")
    same([row["name"] for row in rows], [ADVENTURE_NAME, CONTOSO_NAME])


@operation("query.sql: a join, with groups")
def _(client):
    sql = "SELECT a.name, COUNT(c.contactid) AS number FROM account a JOIN contact c ON a.accountid = c.parentcustomerid GROUP BY a.name"
    same({row["name"]: row["number"] for row in client.query.sql(sql)}, {FABRIKAM_NAME: 2, CONTOSO_NAME: 1})


@operation("query.sql_columns")
def _(client):
    columns = client.query.sql_columns("account")
    same([column["name"] for column in columns[:2]], ["accountid", "name"])
    same([columns[0]["is_pk"], columns[1]["is_name"], columns[1]["label"], columns[1]["type"]], [True, True, "Account Name", "String"])
    names = [column["name"] for column in columns]
    assert "revenue" in names and "versionnumber" not in names, names


@operation("query.odata_expands")
def _(client):
    expands = client.query.odata_expands("contact")
    found = next(expand for expand in expands if expand["nav_property"] == "parentcustomerid_account")
    same([found["target_table"], found["target_entity_set"], found["lookup_attribute"]], ["account", "accounts", "parentcustomerid"])


@operation("query.odata_bind")
def _(client):
    bind = client.query.odata_bind("msdyn_ocliveworkitem", "incident", FABRIKAM)
    assert list(bind.values()) == [f"/incidents({FABRIKAM})"], bind
    bind = client.query.odata_bind("account", "contact", ADA)
    record = client.records.create("account", {"name": "Litware", **bind})
    same(client.records.retrieve("account", record, select=["_primarycontactid_value"])["_primarycontactid_value"], ADA)
