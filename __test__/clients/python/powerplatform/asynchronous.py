"""The asynchronous client, which sends the same requests through aiohttp."""

import asyncio
import time

from azure.core.credentials import AccessToken
from PowerPlatform.Dataverse.aio.async_client import AsyncDataverseClient

from operations import EMULATOR, FABRIKAM, operation, same


class Credential:
    def __init__(self, token):
        self.token = token

    async def get_token(self, *scopes, **options):
        return AccessToken(self.token, int(time.time()) + 3600)

    async def close(self):
        pass

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):
        pass


def asynchronous(title):
    """Declares an operation of the asynchronous client."""

    def declare(function):
        @operation(f"aio: {title}")
        def _(_):
            async def perform():
                async with AsyncDataverseClient(EMULATOR["url"], Credential(EMULATOR["credential"])) as other:
                    await function(other)

            asyncio.run(perform())

    return declare


@asynchronous("records.create and retrieve")
async def _(client):
    record = await client.records.create("account", {"name": "Litware"})
    row = await client.records.retrieve("account", record, select=["name"])
    same(row["name"], "Litware")


@asynchronous("records.list")
async def _(client):
    rows = await client.records.list("account", select=["name"], orderby=["name asc"], page_size=2)
    same([len(rows), rows.first()["name"]], [5, "Adventure Works"])


@asynchronous("records.update and delete")
async def _(client):
    await client.records.update("account", FABRIKAM, {"name": "Fabrikam"})
    row = await client.records.retrieve("account", FABRIKAM, select=["name"])
    same(row["name"], "Fabrikam")
    await client.records.delete("account", FABRIKAM)
    same(await client.records.retrieve("account", FABRIKAM), None)


@asynchronous("query.fetchxml")
async def _(client):
    xml = '<fetch count="2"><entity name="account"><attribute name="name"/><order attribute="name"/></entity></fetch>'
    rows = await client.query.fetchxml(xml).execute()
    same([row["name"] for row in rows][:2], ["Adventure Works", "Contoso Tea"])
    same(len(rows), 5)


@asynchronous("batch")
async def _(client):
    batch = client.batch.new()
    batch.records.create("account", {"name": "Litware"})
    batch.records.update("account", FABRIKAM, {"name": "Fabrikam"})
    result = await batch.execute()
    same([response.status_code for response in result.responses], [204, 204])
