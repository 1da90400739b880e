"""Reads Stripe's answers: receipts, and which of our three errors a refusal is.

Source: https://docs.stripe.com/error-codes, https://docs.stripe.com/error-low-level, API version 2026-10-28.endive.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from accordant.canonical.operation import Applied, Receipt
from accordant.connector.http import Answer
from accordant.kernel.errors import Rejected, Unavailable, Unknown

Record = dict[str, Any]
KEY_IN_USE = "vendor.key_in_use"
REPLAYED = "vendor.replayed_failure"


def explain(answer: Answer) -> Rejected | Unknown | Unavailable:
    """The error that a refusal means.

    A conflict about an idempotency key is no refusal of the business: an earlier request with that key may have been
    applied, so that only a lookup can tell.
    """
    body = answer.json_or_none()
    error: Record = cast(Record, body).get("error") or {} if isinstance(body, dict) else {}
    code = str(error.get("code") or error.get("type") or answer.status)
    message = str(error.get("message") or answer.excerpt)
    detail = {"status": answer.status, "code": code, "message": message, "field": error.get("param")}
    detail["request_id"] = answer.headers.get("request-id")
    if code == "lock_timeout":
        return Unavailable(f"Stripe could not take it just now: {message}", detail=detail)
    if code == "idempotency_key_in_use":
        return Unknown("Stripe is still working on an earlier request with this key", code=KEY_IN_USE, detail=detail)
    if error.get("type") == "idempotency_error":
        message = f"the key was used before for something else, which may have been applied: {message}"
        return Unknown(message, code="vendor.key_conflict", detail=detail)
    return Rejected(f"Stripe refused: {message}", detail=detail)


def alive(answer: Answer) -> bool:
    """A 5xx that Stripe repeats from its memory of a key says nothing about how Stripe is now."""
    return answer.status < 500 or answer.headers.get("idempotent-replayed") == "true"


def server_error(answer: Answer) -> Unknown:
    """A 5xx to a write: saved under the key and repeated, or new."""
    replayed = answer.headers.get("idempotent-replayed") == "true"
    detail = {"status": answer.status, "replayed": replayed, "request_id": answer.headers.get("request-id")}
    if replayed:
        message = f"Stripe repeats the {answer.status} it saved under this key; the record must be looked up"
        return Unknown(message, code=REPLAYED, detail=detail)
    return Unknown(f"Stripe answered {answer.status}; whether it was applied is not known", detail=detail)


def applied(answer: Answer, kind: str, business_id: str, record: Record | None = None, /) -> Applied:
    """The receipt of a record; its item's id is kept for amendments."""
    found = the_record(answer) if record is None else record
    facts: dict[str, str] = {}
    if kind == "subscription":
        items: Sequence[Mapping[str, Any]] = found["items"]["data"]
        facts["billing_item"] = str(items[0]["id"])
    receipt = Receipt(kind=kind, native_id=str(found["id"]), business_id=business_id, facts=facts)
    return Applied(
        receipt=receipt,
        status=answer.status,
        request_sha256=answer.request_sha256,
        response_sha256=answer.response_sha256,
    )


def the_record(answer: Answer) -> Record:
    """The object in an answer; anything else leaves the outcome of a write unknown."""
    body = answer.json()
    if isinstance(body, dict) and ("id" in body or "data" in body):
        return cast(Record, body)
    message = f"Stripe's answer is not an object: {answer.excerpt}"
    raise Unknown(message) if answer.wrote else Unavailable(message)


def metadata(record: Record) -> Record:
    """What we wrote into an object beside its own fields."""
    return cast(Record, record.get("metadata") or {})
