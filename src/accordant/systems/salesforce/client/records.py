"""One record of Salesforce: its address, an update of some of its fields, and a read of some of them.

Source: https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_update_fields.htm; API version
67.0 (Summer '26).
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from accordant.canonical.operation import Applied, Attempt, Receipt
from accordant.connector.exchange import Answer, Request, segment
from accordant.connector.http import VendorHttp
from accordant.kernel.errors import Unknown
from accordant.kernel.priority import Priority

API_VERSION = "67.0"
ROOT = f"/services/data/v{API_VERSION}"


def record_path(sobject: str, native_id: str) -> str:
    return f"{ROOT}/sobjects/{sobject}/{segment(native_id)}"


async def update(http: VendorHttp, path: str, *, fields: Mapping[str, Any], attempt: Attempt) -> Answer:
    """Set these fields; the others stay as they are.

    Raises:
        Unknown: the answer is not the one of an update.
    """
    body = msgspec.json.encode(fields)
    answer = await http.write(Request("PATCH", path, body=body, content_type="application/json"), attempt=attempt)
    if answer.status != 204:
        message = f"Salesforce answered {answer.status} to an update; expected 204 without a body"
        raise Unknown(message, detail={"status": answer.status})
    return answer


async def look(
    http: VendorHttp, path: str, *, fields: Sequence[str], priority: Priority
) -> tuple[Answer, Mapping[str, Any] | None]:
    """These fields as they are now, None where there is no such record; reads by id do not lag."""
    request = Request("GET", path, query=(("fields", ",".join(fields)),), accept=frozenset({404}))
    answer = await http.read(request, priority=priority)
    row: Any = answer.json()
    if answer.status == 404 or not isinstance(row, dict):
        return answer, None
    return answer, cast("dict[str, Any]", row)


def applied(receipt: Receipt, answer: Answer) -> Applied:
    return Applied(
        receipt=receipt,
        status=answer.status,
        request_sha256=answer.request_sha256,
        response_sha256=answer.response_sha256,
    )
