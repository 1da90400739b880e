"""Golden records and crosswalk entries are written together with the effect that makes them true."""

from collections.abc import Callable

import msgspec
from sqlalchemy import Table

from accordant.backbone.transaction import Transaction
from accordant.canonical.operation import Operation, Receipt
from accordant.masterdata.crosswalk import crosswalk_table
from accordant.masterdata.customers import crosswalk_row, record_row
from accordant.masterdata.records import record_table

Keeps = Callable[[Receipt], list[tuple[Table, msgspec.Struct]]]


def first(tx: Transaction, operation: Operation, *, body: msgspec.Struct) -> Keeps:
    """With the confirmation of an operation that creates something: where it is, and its first version."""

    def keeps(receipt: Receipt) -> list[tuple[Table, msgspec.Struct]]:
        return [
            (crosswalk_table, crosswalk_row(tx, operation, receipt=receipt)),
            (record_table, record_row(tx, operation.kind, record_id=operation.business_id, body=body)),
        ]

    return keeps


async def version(tx: Transaction, noun: str, *, record_id: str, body: msgspec.Struct) -> None:
    """The next version of a record of ours that no single effect stands for; the body carries its `version`."""
    await numbered(tx, noun, record_id=record_id, body=body, version=getattr(body, "version", 1))


async def numbered(tx: Transaction, noun: str, *, record_id: str, body: msgspec.Struct, version: int) -> None:
    """The same of a record whose body carries no number of its own."""
    await tx.keep(
        f"keep {noun}", record_table, row=record_row(tx, noun, record_id=record_id, body=body, version=version)
    )


def beside(tx: Transaction, noun: str, *, record_id: str, body: msgspec.Struct) -> Keeps:
    """With the confirmation of an effect: the next version of a record of ours; the body carries its `version`."""
    number: int = getattr(body, "version", 1)

    def keeps(_: Receipt) -> list[tuple[Table, msgspec.Struct]]:
        return [(record_table, record_row(tx, noun, record_id=record_id, body=body, version=number))]

    return keeps
