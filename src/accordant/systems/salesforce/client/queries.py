"""Asks Salesforce a query and follows its pages.

Sources: https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_query.htm,
`headers_queryoptions.htm` beside it; API version 67.0 (Summer '26).
"""

from collections.abc import AsyncIterator, Iterable

import msgspec

from accordant.connector.exchange import Answer, Request
from accordant.connector.http import VendorHttp
from accordant.connector.paging import path_of_link
from accordant.kernel.errors import Unavailable
from accordant.systems.salesforce.client.records import ROOT

SAME_PAGE_MAX = 3
PAGES_MAX = 100_000
SMALL_PAGES = {"Sforce-Query-Options": "batchSize=500"}
"""Rows a page; memory follows the page, not the backlog. Source: `headers_queryoptions.htm` (200 to 2,000)."""


class Page(msgspec.Struct, frozen=True, rename="camel"):
    """One page of a query; rows stay as they came."""

    records: list[msgspec.Raw]
    done: bool = True
    next_records_url: str | None = None


async def pages(http: VendorHttp, soql: str) -> AsyncIterator[Page]:
    """All pages of a query. A cursor that stands still is followed a few times: pages do repeat under load."""
    path, query = f"{ROOT}/query", (("q", soql),)
    seen: dict[str, int] = {}
    for _ in range(PAGES_MAX):
        answer = await http.read(Request("GET", path, query=query, headers=SMALL_PAGES))
        page = _page(answer)
        yield page
        if page.next_records_url is None:
            return
        seen[page.next_records_url] = seen.get(page.next_records_url, 0) + 1
        if seen[page.next_records_url] > SAME_PAGE_MAX:
            break
        path, query = path_of_link(page.next_records_url)
    raise Unavailable("Salesforce keeps naming the same next page; the poll starts again from its cursor")


def select(paths: Iterable[str], sobject: str) -> str:
    """The head of a query; both are names of ours, never a vendor's or a person's words."""
    return f"SELECT {', '.join(paths)} FROM {sobject}"  # noqa: S608 - see above


def quoted(text: str) -> str:
    """A SOQL string literal; quotes and backslashes cannot end it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _page(answer: Answer) -> Page:
    try:
        return msgspec.json.decode(answer.body, type=Page)
    except msgspec.DecodeError as wrong:
        raise Unavailable(f"Salesforce answered a query with something else: {answer.excerpt}") from wrong
