"""Rows as the platform leaves them, written through its own writer; every maker takes what differs from a plain one."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accordant.backbone.follow_ups import FOLLOW_UPS
from accordant.backbone.ledger.entries import audit_detail
from accordant.backbone.rows import (
    ApprovalRow,
    DecisionRow,
    EffectRow,
    EventRow,
    ExceptionRow,
    MemoRow,
    MessageRow,
    TransactionRow,
    approval_table,
    decision_table,
    effect_table,
    event_table,
    exception_table,
    inbox_table,
    memo_table,
    transaction_table,
)
from accordant.governance import versions
from accordant.kernel.database import Changes, Database, Writer, metadata
from accordant.telemetry.audit import AuditEntry, continue_chain, record

NOW_MS = 1_700_000_000_000
TENANT = "demo"
TABLES_OF = (versions,)


@dataclass(frozen=True)
class Storage:
    """An open database and its writer."""

    database: Database
    writer: Writer

    async def put(self, *rows: Any, audit: Sequence[AuditEntry] = ()) -> None:
        changes = Changes()
        for row in rows:
            changes.put(_TABLES[type(row)], row)
        for entry in audit:
            record(changes, entry)
        await self.writer.commit(changes, at="test")


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Storage]:
    """A database file with every table and a running writer."""
    database = Database(f"sqlite:///{path}")
    metadata.create_all(database.engine)
    writer = Writer(database, chain=database.read_now(lambda c: continue_chain(c, "main")), follow_ups=FOLLOW_UPS)
    writer.start()
    try:
        yield Storage(database, writer)
    finally:
        await writer.stop()
        database.close()


def message(n: int = 1, **changed: Any) -> MessageRow:
    plain: dict[str, Any] = {
        "message_id": f"msg-{n:04}",
        "tenant": TENANT,
        "connection": "salesforce",
        "stream": "Opportunity",
        "delivery_id": f"006{n}@1",
        "body": b"{}",
        "body_hash": "0" * 64,
        "received_at_ms": NOW_MS + n,
        "correlation_id": f"cor-{n:04}",
        "state": "published",
        "note": "",
    }
    return MessageRow(**{**plain, **changed})


def event(n: int = 1, **changed: Any) -> EventRow:
    plain: dict[str, Any] = {
        "event_id": f"evt-{n:04}",
        "tenant": TENANT,
        "type": "accordant.opportunity.won",
        "source": f"salesforce/Opportunity/006NATIVE{n}",
        "subject": f"DEAL-{n}",
        "at_ms": NOW_MS,
        "producer": "crm",
        "ordering_key": "A1",
        "sequence": "1",
        "correlation_id": f"cor-{n:04}",
        "message_id": f"msg-{n:04}",
        "published_at_ms": NOW_MS + n,
        "content": "c",
        "data": "{}",
    }
    return EventRow(**{**plain, **changed})


def transaction(n: int = 1, **changed: Any) -> TransactionRow:
    plain: dict[str, Any] = {
        "transaction_id": f"tx-{n:024x}",
        "tenant": TENANT,
        "flow": "customer_onboarding",
        "flow_version": 1,
        "event_id": f"evt-{n:04}",
        "correlation_id": f"cor-{n:04}",
        "subject": f"DEAL-{n}",
        "party": "Acme Corporation",
        "lane": f"lane-{n}",
        "lane_seq": n,
        "turn": 2,
        "priority": 2,
        "state": "completed",
        "waiting_for": "",
        "expects_type": "",
        "expects_subject": "",
        "due_rank": None,
        "wake_at_ms": None,
        "estate_version": 1,
        "drives": 1,
        "amount_minor": 105_400,
        "currency": "USD",
        "effects": 0,
        "waivers": "",
        "opened_at_ms": NOW_MS + n * 1000,
        "changed_at_ms": NOW_MS + n * 1000 + 900,
        "ended_at_ms": NOW_MS + n * 1000 + 900,
    }
    return TransactionRow(**{**plain, **changed})


def effect(name: str = "start subscription", tx: int = 1, **changed: Any) -> EffectRow:
    system = changed.get("system", "billing")
    plain: dict[str, Any] = {
        "transaction_id": f"tx-{tx:024x}",
        "name": name,
        "version": 1,
        "n": 1,
        "tenant": TENANT,
        "system": system,
        "connection": f"{system}-one",
        "verb": name.replace(" ", "_"),
        "kind": "subscription",
        "effect_class": "A",
        "business_id": f"{name}-{tx}",
        "key": f"acc-{name}",
        "input_hash": "i",
        "command": "{}",
        "state": "confirmed",
        "attempts": 1,
        "redriven": 0,
        "first_sent_at_ms": NOW_MS + tx * 1000 + 100,
        "confirmed_at_ms": NOW_MS + tx * 1000 + 200,
        "own": 1,
        "native_id": f"{system}_NATIVE{tx}",
        "receipt": "",
        "status": 200,
        "request_hash": "a" * 64,
        "response_hash": "b" * 64,
        "error": "",
        "expected": "",
        "checked": "verified",
        "checked_at_ms": NOW_MS + tx * 1000 + 5000,
        "check_note": "",
    }
    return EffectRow(**{**plain, **changed})


def memo(name: str = "terms", tx: int = 1, **changed: Any) -> MemoRow:
    plain: dict[str, Any] = {
        "transaction_id": f"tx-{tx:024x}",
        "name": name,
        "n": 1,
        "kind": "check",
        "input_hash": "i",
        "result": "{}",
        "at_ms": NOW_MS + tx * 1000 + 50,
    }
    return MemoRow(**{**plain, **changed})


def item(n: int = 1, **changed: Any) -> ExceptionRow:
    plain: dict[str, Any] = {
        "exception_id": f"exc-{n:020x}",
        "tenant": TENANT,
        "transaction_id": f"tx-{n:024x}",
        "message_id": "",
        "cause_group": "cause-gtx",
        "code": "map.missing",
        "cause_class": "data",
        "severity": "high",
        "owner": "product operations",
        "title": "product 'GTXPro' is not in the reference table",
        "message": "reference table 'product' has no row for 'GTXPro'; nearest: 'GTX Pro'",
        "hint": "add the row, then release the cause",
        "detail": '{"candidates":["GTX Pro","GTX Basic"],"table":"product","value":"GTXPro"}',
        "subject": f"DEAL-{n}",
        "step": "terms",
        "amount_minor": 100,
        "currency": "USD",
        "opened_at_ms": NOW_MS + n,
        "deadline_ms": NOW_MS + n + 86_400_000,
        "state": "open",
        "closed_at_ms": None,
        "closed_by": "",
        "correlation_id": f"cor-{n:04}",
    }
    return ExceptionRow(**{**plain, **changed})


def entry(action: str, tx: int = 1, **changed: Any) -> AuditEntry:
    plain: dict[str, Any] = {
        "at_ms": NOW_MS + tx * 1000 + 200,
        "tenant": TENANT,
        "correlation_id": f"cor-{tx:04}",
        "transaction_id": f"tx-{tx:024x}",
        "action": action,
        "subject": f"DEAL-{tx}",
    }
    return AuditEntry(**{**plain, **changed})


def told(one: EffectRow, *, tx: int = 1) -> list[AuditEntry]:
    """What the audit says of a confirmed and, where it is, verified effect."""
    confirmed = entry("effect.confirmed", tx, subject=one.name, detail=audit_detail(one))
    if one.checked != "verified":
        return [confirmed]
    return [confirmed, entry("effect.verified", tx, subject=one.name, detail={"native_id": one.native_id})]


def onboarding(tx: int = 1) -> list[EffectRow]:
    """The effects of a whole deal, in the flow's order."""
    steps = [
        ("open customer in erp", "erp", "customer"),
        ("open customer in billing", "billing", "customer"),
        ("start subscription", "billing", "subscription"),
        ("place order", "erp", "order"),
        ("raise entitlement", "support", "entitlement"),
        ("tell sales", "crm", "opportunity"),
    ]
    return [
        effect(
            name,
            tx,
            n=n,
            system=system,
            kind=kind,
            native_id=f"{system}_{kind}_{tx}",
            confirmed_at_ms=NOW_MS + tx * 1000 + n * 100,
        )
        for n, (name, system, kind) in enumerate(steps, 1)
    ]


_TABLES: dict[type, Any] = {
    ApprovalRow: approval_table,
    DecisionRow: decision_table,
    EffectRow: effect_table,
    EventRow: event_table,
    ExceptionRow: exception_table,
    MemoRow: memo_table,
    MessageRow: inbox_table,
    TransactionRow: transaction_table,
}
