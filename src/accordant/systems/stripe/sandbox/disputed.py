"""Invoices that carry a dispute, as the business sees them."""

from accordant.connector.sandbox import Record
from accordant.systems.stripe.mapping import from_stripe
from accordant.systems.stripe.sandbox.books import Books


def disputed_lines(books: Books) -> list[Record]:
    """By number: whose dispute it is, what is still owed, and whether anybody asks for it."""
    lines = [_line(record) for record in books.invoices.values() if "dispute_id" in record["metadata"]]
    return sorted(lines, key=lambda line: (str(line["number"]), str(line["business_id"])))


def _line(record: Record) -> Record:
    metadata, left = record["metadata"], from_stripe(int(record["amount_remaining"]), record["currency"])
    return {
        "business_id": metadata["dispute_id"],
        "number": record["number"],
        "case_id": metadata.get("dispute_case_id"),
        "dispute_status": metadata.get("dispute_status"),
        "status": record["status"],
        "owed_minor": left.amount_minor,
        "currency": left.currency,
        "is_asked_for": record["auto_advance"],
    }
