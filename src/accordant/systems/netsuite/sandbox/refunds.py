"""What NetSuite checks when a customer refund is saved: it pays credit memos out, never more than they still hold.

Source: https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/article_0830082954.html (apply lines are named by
`doc`), https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_N3672094.html (2026.1)
"""

from decimal import Decimal

from accordant.connector.sandbox import Record
from accordant.systems.netsuite.sandbox.answers import invalid_value, missing_value, user_error
from accordant.systems.netsuite.sandbox.records import Books

DEPOSITED = "B"
"""`Deposited` of a customer refund's statuses."""


def completed_refund(books: Books, record: Record) -> Record:
    """The lines that are applied, and their sum, which is the refund."""
    lines = [_applied(books, record, line=line, place=place) for place, line in enumerate(record["apply"])]
    kept = [line for line in lines if line["apply"]]
    if not kept:
        raise missing_value("Apply", "apply")
    total = sum((line["amount"] for line in kept), Decimal(0))
    return {"apply": kept, "status": DEPOSITED, "total": total}


def refund_told(record: Record) -> Record:
    return {"memo": record.get("memo")}


def _applied(books: Books, record: Record, *, line: Record, place: int) -> Record:
    path = f"apply.items[{place}]"
    memo = books.refers("transaction", line.get("doc"))
    if memo is None or memo["recordType"] != "creditMemo" or memo["entity"] != record["customer"]:
        raise invalid_value(line.get("doc"), "doc", path=f"{path}.doc")
    amount = line.get("amount")
    number = Decimal(amount) if isinstance(amount, int) and not isinstance(amount, bool) else amount
    if not isinstance(number, Decimal) or number <= 0:
        raise invalid_value(amount, "amount", path=f"{path}.amount")
    if number > memo["total"] - _paid_out(books, memo["id"], record.get("externalId")):
        raise user_error("You cannot apply more than the remaining amount of the credit memo.", f"{path}.amount")
    return {**line, "doc": memo["id"], "apply": bool(line.get("apply", False)), "amount": number}


def _paid_out(books: Books, memo_id: str, own: object, /) -> Decimal:
    """What other refunds have paid out of a memo."""
    refunds = (one for one in books.tables["transaction"].values() if one["recordType"] == "customerRefund")
    lines = (line for one in refunds if one.get("externalId") != own for line in one["apply"])
    return sum((line["amount"] for line in lines if line["doc"] == memo_id), Decimal(0))
