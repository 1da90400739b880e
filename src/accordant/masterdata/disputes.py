"""Which invoice is under which dispute; an invoice is under one at most, and its record keeps all it ever was under."""

import msgspec
from sqlalchemy import Connection, select

from accordant.backbone.rows import transaction_table
from accordant.backbone.transaction import Transaction
from accordant.canonical.dispute import GIVEN_UP, OPEN, Dispute
from accordant.kernel.database import Database, rows_of
from accordant.kernel.ids import canonical_id, canonical_json
from accordant.masterdata import customers, records
from accordant.masterdata.records import RecordRow, record_table

NOUN = "dispute"
_TAKEN_BACK = frozenset({"cancelled", "compensated"})


def name_of(invoice_source_id: str) -> str:
    """Under which name the disputes of an invoice are kept."""
    return canonical_id("disputed-invoice", invoice_source_id)


async def latest(tx: Transaction, name: str, *, invoice_source_id: str) -> str:
    """The newest dispute of an invoice as JSON, read once under a name; empty where there was none."""

    async def ask(ours: Database) -> str:
        kept = name_of(invoice_source_id)
        return await ours.read(lambda connection: _newest(connection, tx.row.tenant, kept=kept))

    return await tx.recall(name, ask, result_type=str)


def as_it_stands(dispute: Dispute, *, state: str) -> Dispute:
    """A dispute beside the state of its transaction: what was taken back before it was ruled is not open any more."""
    is_over = dispute.status == OPEN and state in _TAKEN_BACK
    return msgspec.structs.replace(dispute, status=GIVEN_UP) if is_over else dispute


def _newest(connection: Connection, tenant: str, *, kept: str) -> str:
    row = records.latest_of(connection, tenant, noun=NOUN, canonical_ids=[kept]).get(kept)
    if row is None:
        return ""
    c = transaction_table.c
    state = connection.execute(select(c.state).where(c.transaction_id == row.transaction_id)).scalar_one_or_none()
    dispute = msgspec.json.decode(row.body.encode(), type=Dispute)
    return canonical_json(as_it_stands(dispute, state=state or "")).decode()


async def keep(tx: Transaction, dispute: Dispute) -> None:
    """Write down how a dispute stands; with its next version, what it stood at before stays readable."""
    row = customers.record_row(
        tx, NOUN, record_id=name_of(dispute.invoice_source_id), body=dispute, version=dispute.version
    )
    await tx.keep(f"keep dispute {dispute.status}", record_table, row=row)


def all_of(connection: Connection, tenant: str) -> list[RecordRow]:
    """Every version of every dispute, oldest first."""
    c = record_table.c
    query = select(record_table).where(c.tenant == tenant, c.noun == NOUN).order_by(c.at_ms, c.canonical_id, c.version)
    return rows_of(connection, query, RecordRow)
