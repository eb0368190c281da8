"""The operations of one client, run one at a time on behalf of python.mjs: titles first, then an answer for each title on stdin."""

import json
import os
import sys
import traceback
from pathlib import Path

_operations = {}

EMULATOR = json.loads(os.environ["EMULATOR"])
ORGANISATION = json.loads((Path(__file__).parent.parent / "organisation.json").read_text(encoding="utf-8"))
MISSING = "00000000-0000-4000-8000-00000000dead"


def ids(table, key):
    return [row[key] for row in ORGANISATION[table]]


FABRIKAM, CONTOSO, ADVENTURE, ONEILL, NORTHWIND = ids("accounts", "accountid")
ADA, GRACE, ALAN, MARY = ids("contacts", "contactid")
LEAK, DELIVERY = ids("incidents", "incidentid")
VISITOR, OTHER_VISITOR = ids("msdyn_ocliveworkitems", "activityid")


def operation(title):
    """Declares an operation. The function gets what `connect` returns."""

    def declare(function):
        assert title not in _operations, title
        _operations[title] = function
        return function

    return declare


def same(actual, expected, what=""):
    assert actual == expected, f"{what} is {actual!r}, not {expected!r}"


def rejected(kind, call):
    """The exception of that kind that `call` raises."""
    try:
        result = call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__} but {result!r}")


def main(connect):
    # Clients may print; only answers may be on the real stdout.
    answers, sys.stdout = sys.stdout, sys.stderr
    print(json.dumps(list(_operations)), file=answers, flush=True)
    for line in sys.stdin:
        try:
            _operations[json.loads(line)](connect(**EMULATOR))
            answer = {}
        except BaseException:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), file=answers, flush=True)
