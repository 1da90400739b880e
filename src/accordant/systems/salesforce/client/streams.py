"""Polls Salesforce for records that changed; a further kind of record is a further entry of POLLED.

Source: https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_query.htm; API version 67.0
(Summer '26).
"""

from collections.abc import AsyncIterator

import msgspec

from accordant.connector.capabilities import Row
from accordant.connector.http import VendorHttp
from accordant.kernel.clock import parse_utc_ms, utc_text
from accordant.kernel.ids import digest
from accordant.systems.salesforce.client.queries import pages, quoted, select
from accordant.systems.salesforce.mapping import customer, opportunity


class Polled(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of record that is polled: the stream has the name of its object."""

    sobject: str
    paths: tuple[str, ...]
    """What is asked of each record; Id and SystemModstamp are among it."""
    only: str = ""
    """A condition that narrows it down; words of ours."""
    look_back_s: float = 10.0


OPPORTUNITIES = Polled(sobject=opportunity.STREAM, paths=opportunity.PATHS)
CUSTOMERS = Polled(
    sobject=customer.STREAM,
    paths=customer.PATHS,
    only=f"Type IN ({', '.join(quoted(word) for word in customer.CUSTOMER)})",
)
POLLED = (OPPORTUNITIES, CUSTOMERS)


class Stamped(msgspec.Struct, frozen=True, rename="pascal"):
    """What the cursor needs of a row."""

    id: str
    system_modstamp: str


async def changed(http: VendorHttp, polled: Polled, *, since: str) -> AsyncIterator[list[Row]]:
    """Pages of records whose SystemModstamp is >= `since` (empty: all), oldest change first."""
    newer = f"SystemModstamp >= {utc_text(parse_utc_ms(since))}" if since else ""
    conditions = " AND ".join(one for one in (polled.only, newer) if one)
    condition = f"WHERE {conditions} " if conditions else ""
    head = select(polled.paths, polled.sobject)
    async for page in pages(http, f"{head} {condition}ORDER BY SystemModstamp, Id"):
        yield [_row(raw) for raw in page.records]


def _row(raw: msgspec.Raw) -> Row:
    """The version carries a digest too: two changes within one tick of the vendor's clock are two deliveries."""
    body = bytes(raw)
    stamped = msgspec.json.decode(body, type=Stamped)
    stamp = utc_text(parse_utc_ms(stamped.system_modstamp))
    version = f"{stamped.id}@{stamp}#{digest(body.decode())[:8]}"
    return Row(delivery_id=version, sequence=stamp, body=body)
