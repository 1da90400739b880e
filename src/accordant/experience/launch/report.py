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
KINDS = {"customers": "customer", "subscriptions": "subscription", "orders": "order", "entitlements": "entitlement"}
Json = dict[str, Any]


def pass_report(connection: Connection, *, states: Mapping[str, Json], state: Path, deals_won: int) -> Json:
    """One pass of the report file."""
    ledgers = {role: list(read_ledger(state / "ledger" / f"{role}.jsonl")) for role in ROLES}
    return {
        "deals_won": deals_won,
        "transactions": _transactions(connection),
        "exceptions": _exceptions(connection),
        "systems": {role: _system(states.get(role, {})) for role in ROLES},
        "duplicate_effects": sum(duplicates(lines) for lines in ledgers.values()),
        "lost_events": _lost(connection, deals_won),
        "partial_without_exception": _partial(connection),
        "stale_overwrites": _stale(connection, states),
        "effects_applied": sum(len(lines) for lines in ledgers.values()),
        "state_sha256": sha256(canonical_json(dict(states))).hexdigest(),
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
    return dict(connection.execute(select(tx.state, func.count()).group_by(tx.state)).tuples().all())


def _exceptions(connection: Connection) -> list[Json]:
    item = exception_table.c
    query = (
        select(
            item.cause_group,
            func.min(item.title).label("title"),
            func.min(item.code).label("code"),
            func.min(item.owner).label("owner"),
            func.count().label("count"),
            func.sum(item.amount_minor).label("amount_minor"),
            func.min(item.currency).label("currency"),
            func.min(item.detail).label("detail"),
        )
        .where(item.state == "open")
        .group_by(item.cause_group)
        .order_by(func.count().desc(), item.cause_group)
    )
    return [
        {
            "cause": row.title,
            "cause_group": row.cause_group,
            "code": row.code,
            "count": row.count,
            "owner": row.owner,
            "amount_minor": int(row.amount_minor or 0),
            "currency": row.currency,
            "candidates": json.loads(row.detail).get("candidates", []),
        }
        for row in connection.execute(query)
    ]


def _system(held: Json) -> Json:
    counts: Json = {name: len(held.get(kind, [])) for name, kind in KINDS.items()}
    counts["parents"] = sum(1 for customer in held.get("customer", []) if _parent_of(customer))
    money = [*held.get("subscription", []), *held.get("order", [])]
    counts["total_minor"] = sum(int(one["amount_minor"]) for one in money)
    currencies = sorted({str(one["currency"]) for one in money})
    counts["currency"] = currencies[0] if len(currencies) == 1 else currencies
    return counts


def _parent_of(customer: Json) -> object:
    return customer.get("parent_id") or customer.get("parent")


def _lost(connection: Connection, deals_won: int) -> int:
    """Messages nobody has dealt with, and won deals that neither a transaction nor an open item stands for."""
    unread = select(func.count()).select_from(inbox_table).where(inbox_table.c.state == "kept")
    tx, item = transaction_table.c, exception_table.c
    begun = select(func.count(func.distinct(tx.subject))).where(tx.flow == "customer_onboarding")
    parked = select(func.count(func.distinct(item.subject))).where(item.message_id != "", item.state == "open")
    found = connection.execute(begun).scalar_one() + connection.execute(parked).scalar_one()
    return connection.execute(unread).scalar_one() + max(0, deals_won - found)


def _partial(connection: Connection) -> int:
    """Transactions with something in some system that are neither done, nor on their way, nor with a person."""
    tx, item = transaction_table.c, exception_table.c
    opened = select(item.transaction_id).where(item.state == "open")
    query = (
        select(func.count())
        .select_from(transaction_table)
        .where(tx.effects > 0, tx.state.not_in(("completed", "compensated")), tx.transaction_id.not_in(opened))
    )
    return connection.execute(query).scalar_one()


def _stale(connection: Connection, states: Mapping[str, Json]) -> int:
    """Entitlements that say less than the newest version of the customer's contract."""
    record = record_table.c
    newest = (
        select(record.canonical_id, func.max(record.version).label("version"))
        .where(record.noun == "contract")
        .group_by(record.canonical_id)
        .subquery()
    )
    query = select(record.body).join(
        newest, (newest.c.canonical_id == record.canonical_id) & (newest.c.version == record.version)
    )
    held = {one["business_id"]: one for one in states.get("support", {}).get("entitlement", [])}
    stale = 0
    for (body,) in connection.execute(query.where(record.noun == "contract")).tuples():
        contract = json.loads(body)
        one = held.get(contract["customer_id"])
        stale += one is None or (one.get("tier"), one.get("ends_on")) != (contract["service_tier"], contract["ends_on"])
    return stale


def effects_redriven(connection: Connection) -> int:
    """Effects that were sent again because a process died before their outcome was known."""
    return int(connection.execute(select(func.coalesce(func.sum(effect_table.c.redriven), 0))).scalar_one())
