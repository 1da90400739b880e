"""What the client takes from Zendesk's answers."""

from collections.abc import Mapping
from typing import Any, cast

from accordant.canonical.operation import Applied, Receipt
from accordant.connector.exchange import Answer
from accordant.kernel.errors import Unknown


def members(value: object) -> Mapping[str, Any]:
    """The members of a JSON object; none where it is something else."""
    return cast(Mapping[str, Any], value) if isinstance(value, dict) else {}


def rows_in(record: object, name: str) -> list[Mapping[str, Any]]:
    """The objects of a list that a record holds under a name: a listing's records, a ticket's custom fields."""
    return [members(row) for row in cast(list[Any], members(record).get(name) or [])]


def written(answer: Answer, name: str) -> Mapping[str, Any]:
    """The record of an answer to a write.

    Raises:
        Unknown: the answer names none.
    """
    record = members(members(answer.json()).get(name))
    if not record.get("id"):
        raise Unknown(f"Zendesk's answer to the write names no {name}", detail={"status": answer.status})
    return record


def applied(receipt: Receipt, answer: Answer, *, already: bool = False) -> Applied:
    return Applied(
        receipt=receipt,
        status=answer.status,
        request_sha256=answer.request_sha256,
        response_sha256=answer.response_sha256,
        already=already,
    )
