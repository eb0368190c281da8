"""The operations of PowerPlatform-Dataverse-Client."""

import sys
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from azure.core.credentials import AccessToken
from PowerPlatform.Dataverse.client import DataverseClient

import operations
import powerplatform.asynchronous
import powerplatform.batches
import powerplatform.queries
import powerplatform.records
import powerplatform.tables


class Credential:
    """The emulator's token, as a credential of azure-core."""

    def __init__(self, token):
        self.token = token

    def get_token(self, *scopes, **options):
        return AccessToken(self.token, int(time.time()) + 3600)


def connect(url, credential):
    """A new client each time, because clients keep definitions of tables."""
    return DataverseClient(url, Credential(credential))


warnings.simplefilter("ignore", DeprecationWarning)
operations.main(connect)
