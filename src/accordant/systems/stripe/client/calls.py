"""The two ways in which every verb speaks to Stripe: a form under a key, and a listing walked to its end.

Source: https://docs.stripe.com/api/idempotent_requests, https://docs.stripe.com/api/pagination; API version
2026-10-28.endive.
"""

from collections.abc import AsyncIterator
from typing import cast

from accordant.canonical.operation import Attempt
from accordant.connector.exchange import form_body
from accordant.connector.http import Answer, Request, VendorHttp
from accordant.kernel.errors import Unavailable
from accordant.kernel.priority import Priority
from accordant.systems.stripe import mapping
from accordant.systems.stripe.client.answers import Record, server_error, the_record

KEY_LIFE_S = 86_400.0
PAGE = 100
REPEATED_PAGES_MAX = 5
FORM = "application/x-www-form-urlencoded"


class Calls:
    """One connection's writes by form and reads by page."""

    def __init__(self, http: VendorHttp) -> None:
        self._http = http

    async def post(self, path: str, form: mapping.Fields, *, attempt: Attempt) -> Answer:
        """Send a form under the attempt's key.

        Raises:
            Unknown: also when Stripe repeats a 5xx that it saved under the key: sending again cannot help, `look_up`
                can (`detail["replayed"]` is true, code `vendor.replayed_failure`).
        """
        headers = {"Idempotency-Key": attempt.key}
        body = form_body(form)
        request = Request(
            "POST", path, headers=headers, body=body, content_type=FORM, accept=frozenset({500, 502, 503, 504})
        )
        answer = await self._http.write(request, attempt=attempt)
        if answer.status >= 500:
            raise server_error(answer)
        return answer

    async def listing(
        self, path: str, query: tuple[tuple[str, str], ...], /, priority: Priority
    ) -> AsyncIterator[tuple[Record, Answer]]:
        """All records of a listing with the page they came on, newest first; a disturbed page may repeat some."""
        cursor: str | None = None
        repeated = 0
        while True:
            paging = (("limit", str(PAGE)), *((("starting_after", cursor),) if cursor else ()))
            answer = await self._http.read(Request("GET", path, (*query, *paging)), priority=priority)
            page = the_record(answer)
            records = cast(list[Record], page["data"])
            for record in records:
                yield record, answer
            if not page["has_more"] or not records:
                return
            repeated = repeated + 1 if records[-1]["id"] == cursor else 0
            if repeated > REPEATED_PAGES_MAX:
                raise Unavailable(f"{path} repeats the page after {cursor}; the listing does not end")
            cursor = str(records[-1]["id"])
