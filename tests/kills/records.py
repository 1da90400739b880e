"""What the platform's database says when everything has come to rest, as plain lines, and what is wrong in it."""

from collections import Counter
from typing import Any

from sqlalchemy import select, text

from accordant.backbone.engine.due import stranded
from accordant.backbone.rows import effect_table, exception_table, transaction_table
from accordant.kernel.database import Database
from accordant.telemetry.audit import audit_table, verify_chain


def rows_of(database: Database, table: Any) -> list[dict[str, Any]]:
    return database.read_now(lambda c: [dict(row) for row in c.execute(select(table)).mappings()])


def transactions(database: Database) -> list[str]:
    rows = rows_of(database, transaction_table)
    return sorted(f"{one['flow']} {one['subject']} {one['state']} {one['waiting_for']}".strip() for one in rows)


def effects(database: Database) -> list[str]:
    """The last version of every effect, without the notices, whose number depends on how often it stopped."""
    subject = {one["transaction_id"]: one["subject"] for one in rows_of(database, transaction_table)}
    last: dict[tuple[str, str], dict[str, Any]] = {}
    for one in sorted(rows_of(database, effect_table), key=lambda one: one["version"]):
        last[one["transaction_id"], one["name"]] = one
    found = [one for one in last.values() if not one["name"].startswith("tell ")]
    return sorted(f"{subject[one['transaction_id']]}/{one['name']} {one['state']} {_proved(one)}" for one in found)


def _proved(effect: dict[str, Any]) -> str:
    """Read back itself, or overtaken by an effect that was: which of the two depends on the moment of the look."""
    return "verified" if effect["checked"] == "superseded" else effect["checked"]


def open_items(database: Database) -> list[str]:
    rows = [one for one in rows_of(database, exception_table) if one["state"] == "open"]
    return sorted(f"{one['code']} {one['subject']} {one['step']} told={one['told']}" for one in rows)


def problems(database: Database) -> list[str]:
    """Violations that need no comparison."""
    found: list[str] = []
    stuck = database.read_now(stranded)
    if stuck:
        found.append(f"liveness: {stuck} transactions are stranded")
    chain = database.read_now(verify_chain)
    if not chain.valid:
        found.append(f"audit: {chain}")
    found += _unmatched(database)
    found += _owned(database)
    return found


def _unmatched(database: Database) -> list[str]:
    """Effects and audit rows are in bijection."""
    said = Counter(
        (one["transaction_id"], one["subject"])
        for one in rows_of(database, audit_table)
        if one["action"] == "effect.confirmed"
    )
    confirmed = Counter(
        (one["transaction_id"], one["name"]) for one in rows_of(database, effect_table) if one["state"] == "confirmed"
    )
    return [
        f"audit: {name} is confirmed {confirmed[name]} times and told {said[name]} times"
        for name in sorted({*said, *confirmed})
        if said[name] != confirmed[name]
    ]


def _owned(database: Database) -> list[str]:
    """Whatever stopped, and whatever may have been applied, is in somebody's hands."""
    query = text(
        "SELECT one.subject FROM business_transaction AS one WHERE one.state = 'exception' AND NOT EXISTS ("
        "SELECT 1 FROM exception AS item WHERE item.transaction_id = one.transaction_id AND item.state = 'open'"
        " AND item.owner <> '')"
    )
    unowned = database.read_now(lambda c: [row[0] for row in c.execute(query)])
    return [f"partial without exception: {subject} stopped and nobody owns it" for subject in unowned]
