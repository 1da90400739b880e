"""What a run left behind, counted from the systems' own ledgers and states and from the platform's records."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select

from accordant.backbone.rows import effect_table, exception_table, inbox_table, transaction_table
from accordant.kernel.ids import canonical_json
from accordant.masterdata.records import record_table

ROLES = ("crm", "billing", "erp", "support")
KINDS = {
    "customers": "customer",
    "parents": "",
    "subscriptions": "subscription",
    "orders": "order",
    "entitlements": "entitlement",
}
DEAL_FLOWS = ("customer_onboarding", "contract_amendment")
"""Flows in which one transaction stands for one won deal; a correction of a deal is no deal."""
Json = dict[str, Any]


def pass_report(connection: Connection, *, states: Mapping[str, Json], state: Path, deals_won: int) -> Json:
    """One pass of the report file."""
    ledgers = {role: list(read_ledger(state / "ledger" / f"{role}.jsonl")) for role in ROLES}
    return {
        "deals_won": deals_won,
        "transactions": _transactions(connection),
        "exceptions": _exceptions(connection),
        "systems": {role: system_counts(states.get(role, {})) for role in ROLES},
        "duplicate_effects": sum(duplicates(lines) for lines in ledgers.values()),
        "lost_events": _lost(connection, deals_won),
        "partial_without_exception": _partial(connection),
        "stale_overwrites": _stale(connection, states),
        "effects_applied": sum(len(lines) for lines in ledgers.values()),
        "state_sha256": sha256(canonical_json(dict(states))).hexdigest(),
        "completed_minor": _completed_minor(connection),
        "messages": _messages(connection),
    }


def read_ledger(path: Path) -> Iterable[Json]:
    """The writes that a sandbox applied, in order."""
    if path.exists():
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)


def duplicates(lines: Iterable[Json]) -> int:
    """Creations beyond the first of the same business thing."""
    made = Counter((line["kind"], line["business_id"]) for line in lines if line["change"] == "create")
    return sum(n - 1 for (kind, business_id), n in made.items() if business_id and kind != "invoice")


def _transactions(connection: Connection) -> Json:
    tx = transaction_table.c
    query = select(tx.state, func.count()).where(tx.flow.in_(DEAL_FLOWS)).group_by(tx.state)
    return dict(connection.execute(query).all())


def _completed_minor(connection: Connection) -> Json:
    """What the completed deals are worth, by currency."""
    tx = transaction_table.c
    query = (
        select(tx.currency, func.sum(tx.amount_minor))
        .where(tx.flow.in_(DEAL_FLOWS), tx.state == "completed")
        .group_by(tx.currency)
    )
    return {currency: int(total) for currency, total in connection.execute(query) if total is not None}


def _messages(connection: Connection) -> Json:
    columns = inbox_table.c
    query = select(columns.state, func.count()).group_by(columns.state)
    return dict(connection.execute(query).all())


def _exceptions(connection: Connection) -> list[Json]:
    """Open items by cause, those of messages that nobody could read among them; most items first."""
    item = exception_table.c
    query = select(exception_table).where(item.state == "open").order_by(item.opened_at_ms, item.exception_id)
    causes: dict[str, Json] = {}
    for row in connection.execute(query):
        cause = causes.setdefault(
            row.cause_group,
            {
                "cause": row.title,
                "count": 0,
                "owner": row.owner,
                "candidates": json.loads(row.detail).get("candidates") or [],
                "cause_group": row.cause_group,
                "code": row.code,
                "amount_minor": 0,
                "currency": None,
                "messages": 0,
                "records": [],
            },
        )
        cause["count"] += 1
        cause["amount_minor"] += row.amount_minor or 0
        cause["currency"] = cause["currency"] or row.currency or None
        cause["messages"] += row.message_id != ""
        if len(cause["records"]) < 20:
            cause["records"].append(row.subject)
    return sorted(causes.values(), key=lambda cause: (-cause["count"], cause["cause_group"]))


def system_counts(held: Json) -> Json:
    """What one system holds, counted; `currency` is None where no money lives."""
    counts: Json = {name: len(held.get(kind, [])) for name, kind in KINDS.items()}
    counts["parents"] = sum(1 for customer in held.get("customer", []) if _parent_of(customer))
    money = [*held.get("subscription", []), *held.get("order", [])]
    counts["total_minor"] = sum(int(one["amount_minor"]) for one in money)
    currencies = sorted({str(one["currency"]) for one in money})
    counts["currency"] = currencies[0] if len(currencies) == 1 else currencies or None
    return counts


def _parent_of(customer: Json) -> object:
    return customer.get("parent_id") or customer.get("parent")


def _lost(connection: Connection, deals_won: int) -> int:
    """Messages nobody has dealt with, and won deals that neither a transaction nor an open item stands for."""
    unread = select(func.count()).select_from(inbox_table).where(inbox_table.c.state == "kept")
    tx, item = transaction_table.c, exception_table.c
    begun = set(connection.execute(select(tx.subject).where(tx.flow.in_(DEAL_FLOWS))).scalars())
    parked = set(connection.execute(select(item.subject).where(item.message_id != "", item.state == "open")).scalars())
    return connection.execute(unread).scalar_one() + max(0, deals_won - len(begun | parked))


def _partial(connection: Connection) -> int:
    """Transactions with something in some system that are neither done, nor on their way, nor with a person."""
    tx, item = transaction_table.c, exception_table.c
    opened = select(item.transaction_id).where(item.state == "open")
    ended = ("completed", "compensated", "running", "waiting")
    query = (
        select(func.count())
        .select_from(transaction_table)
        .where(tx.effects > 0, tx.state.not_in(ended), tx.transaction_id.not_in(opened))
    )
    return connection.execute(query).scalar_one()


def _stale(connection: Connection, states: Mapping[str, Json]) -> int:
    """Entitlements in support that say something else than the newest version of the customer's contract."""
    record = record_table.c
    newest = (
        select(record.canonical_id, func.max(record.version).label("version"))
        .where(record.noun == "contract")
        .group_by(record.canonical_id)
        .subquery()
    )
    query = (
        select(record.body)
        .join(newest, (newest.c.canonical_id == record.canonical_id) & (newest.c.version == record.version))
        .where(record.noun == "contract")
    )
    held = {one["business_id"]: one for one in states.get("support", {}).get("entitlement", [])}
    stale = 0
    for (body,) in connection.execute(query):
        contract = json.loads(body)
        one = held.get(contract["customer_id"], {})
        said = (one.get("service_tier"), one.get("ends_on"))
        stale += said != (contract["service_tier"], contract["ends_on"])
    return stale


def effects_redriven(connection: Connection) -> int:
    """Effects that were sent again because a process died before their outcome was known."""
    return int(connection.execute(select(func.coalesce(func.sum(effect_table.c.redriven), 0))).scalar_one())
