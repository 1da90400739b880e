"""Reads back what Salesforce holds of our writes, two hundred records in one query.

Source: https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_query.htm; API version 67.0
(Summer '26).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from accordant.canonical.operation import Facts, ReadRef
from accordant.connector.http import VendorHttp
from accordant.systems.salesforce.client.queries import pages, quoted, select

READ_BACK_ROWS = 200


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """Where one kind of record is kept, and what of it is compared with what was written."""

    sobject: str
    fields: tuple[str, ...]
    facts: Callable[[Mapping[str, Any]], Facts]


async def read_back(http: VendorHttp, refs: Sequence[ReadRef], *, held: Held) -> dict[str, Facts]:
    """The facts by native id; a record that is not there is absent."""
    head = select(("Id", *held.fields), held.sobject)
    found: dict[str, Facts] = {}
    for start in range(0, len(refs), READ_BACK_ROWS):
        ids = ", ".join(quoted(ref.native_id) for ref in refs[start : start + READ_BACK_ROWS])
        async for page in pages(http, f"{head} WHERE Id IN ({ids})"):
            for raw in page.records:
                row = msgspec.json.decode(raw, type=dict[str, Any])
                found[row["Id"]] = held.facts(row)
    return found
