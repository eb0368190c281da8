"""client.tables and client.files."""

import tempfile
from base64 import b64decode
from pathlib import Path

from PowerPlatform.Dataverse.core.errors import MetadataError
from PowerPlatform.Dataverse.models.relationship import ManyToManyRelationshipMetadata

from operations import FABRIKAM, operation, rejected, same


@operation("tables.get")
def _(client):
    table = client.tables.get("Account")
    same(
        [table[name] for name in ("table_schema_name", "table_logical_name", "entity_set_name", "primary_name_attribute")],
        ["Account", "account", "accounts", "name"],
    )
    same([table.primary_id_attribute, len(table.metadata_id)], ["accountid", 36])


@operation("tables.get: an unknown table")
def _(client):
    same(client.tables.get("acount"), None)


@operation("tables.list")
def _(client):
    tables = {table["LogicalName"]: table for table in client.tables.list(select=["LogicalName", "EntitySetName"])}
    same([tables[name]["EntitySetName"] for name in ("account", "opportunity", "msdyn_ocliveworkitem")], [
        "accounts",
        "opportunities",
        "msdyn_ocliveworkitems",
    ])


@operation("tables.list: filtered")
def _(client):
    tables = client.tables.list(filter="SchemaName eq 'Account'", select=["LogicalName", "SchemaName"])
    same([table["LogicalName"] for table in tables], ["account"])


@operation("tables.list_columns")
def _(client):
    columns = {column["LogicalName"]: column for column in client.tables.list_columns("account")}
    same([columns["name"]["AttributeType"], columns["name"]["MaxLength"]], ["String", 160])
    same([columns["revenue"]["AttributeType"], columns["primarycontactid"]["Targets"]], ["Money", ["contact"]])


@operation("tables.list_columns: filtered")
def _(client):
    columns = client.tables.list_columns("contact", select=["LogicalName"], filter="AttributeType eq 'Customer'")
    same([column["LogicalName"] for column in columns], ["parentcustomerid"])


@operation("tables.list_columns: typed")
def _(client):
    columns = {column["LogicalName"]: column for column in client.tables.list_columns("account", typed=True)}
    same([columns["name"]["MaxLength"], columns["name"]["AttributeTypeName"]["Value"]], [160, "StringType"])


@operation("tables.list_columns: an unknown table")
def _(client):
    same(rejected(MetadataError, lambda: client.tables.list_columns("acount")).subcode, "metadata_table_not_found")


@operation("tables.get_column")
def _(client):
    column = client.tables.get_column("account", "AccountNumber", select=["LogicalName", "SchemaName", "AttributeType"])
    same([column["LogicalName"], column["SchemaName"], column["AttributeType"]], ["accountnumber", "AccountNumber", "String"])


@operation("tables.get_column: an unknown column")
def _(client):
    same(client.tables.get_column("account", "nam"), None)


@operation("tables.get_column: typed")
def _(client):
    column = client.tables.get_column("account", "accountnumber", typed=True)
    same([column["LogicalName"], column["MaxLength"]], ["accountnumber", 20])


@operation("tables.get_relationship: one to many")
def _(client):
    relationship = client.tables.get_relationship("contact_customer_accounts")
    same([relationship.relationship_type, relationship.referenced_entity, relationship.referencing_entity], ["one_to_many", "account", "contact"])
    same(relationship.lookup_schema_name, "parentcustomerid_account")


@operation("tables.get_relationship: many to many")
def _(client):
    relationship = client.tables.get_relationship("accountleads_association")
    same(relationship.relationship_type, "many_to_many")
    same({relationship.entity1_logical_name, relationship.entity2_logical_name}, {"account", "lead"})


@operation("tables.get_relationship: an unknown one")
def _(client):
    same(client.tables.get_relationship("account_customer_contacts"), None)


@operation("tables.list_relationships")
def _(client):
    kind = "Microsoft.Dynamics.CRM.RelationshipType'ManyToManyRelationship'"
    relationships = client.tables.list_relationships(filter=f"RelationshipType eq {kind}", select=["SchemaName"])
    names = [relationship["SchemaName"] for relationship in relationships]
    assert "accountleads_association" in names and "contact_customer_accounts" not in names, names


@operation("tables.list_table_relationships")
def _(client):
    relationships = client.tables.list_table_relationships("account")
    names = [relationship["SchemaName"] for relationship in relationships]
    for name in ("contact_customer_accounts", "account_primary_contact", "accountleads_association", "account_parent_account"):
        assert name in names, (name, names)


@operation("tables.get_alternate_keys")
def _(client):
    keys = client.tables.get_alternate_keys("account")
    same([(key.key_attributes, key.status) for key in keys], [(["accountnumber"], "Active")])


@operation("tables.create")
def _(client):
    table = client.tables.create("new_Machine", {"new_Serial": "string", "new_Price": "decimal"})
    same(table.entity_set_name, "new_machines")


@operation("tables.delete")
def _(client):
    client.tables.delete("lead")
    same(client.tables.get("lead"), None)


@operation("tables.add_columns")
def _(client):
    same(client.tables.add_columns("account", {"new_Grinder": "string"}), ["new_Grinder"])


@operation("tables.remove_columns")
def _(client):
    same(client.tables.remove_columns("account", "telephone1"), ["telephone1"])


@operation("tables.create_many_to_many_relationship")
def _(client):
    definition = ManyToManyRelationshipMetadata(schema_name="new_account_contact", entity1_logical_name="account", entity2_logical_name="contact")
    assert client.tables.create_many_to_many_relationship(definition).relationship_id


@operation("tables.create_lookup_field")
def _(client):
    assert client.tables.create_lookup_field("task", "new_AccountId", "account").relationship_id


@operation("tables.create_alternate_key")
def _(client):
    assert client.tables.create_alternate_key("contact", "new_email", ["emailaddress1"]).metadata_id


# One pixel, as PNG.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


@operation("files.upload")
def _(client):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.png"
        path.write_bytes(b64decode(PIXEL))
        client.files.upload("account", FABRIKAM, "entityimage", str(path))
    # Dataverse returns a thumbnail, so only that there is one is known.
    assert client.records.retrieve("account", FABRIKAM, select=["entityimage"])["entityimage"]
