"""What must be true of the platform's books: after every step, and exactly once everything has come to rest."""

from collections import Counter
from typing import Any

import msgspec
from sqlalchemy import select

from accordant.backbone.engine.due import stranded
from accordant.backbone.lanes import WOKEN
from accordant.backbone.rows import (
    EffectRow,
    EventRow,
    ExceptionRow,
    MessageRow,
    TransactionRow,
    WatermarkRow,
    effect_table,
    event_table,
    exception_table,
    inbox_table,
    transaction_table,
    watermark_table,
)
from accordant.kernel.database import Database
from accordant.operations.proof import audit_disagreements
from accordant.operations.transactions import audit_of
from accordant.telemetry.audit import audit_table, verify_chain
from tests.stateful.clerk import WRITTEN, Clerk, amount, doubled, harmed, net, overwritten, unasked
from tests.stateful.systems import Systems

OPEN_STATES = {"running", "waiting", "exception"}
ENDED = {"completed", "compensated", "cancelled"}
TERMINAL = {"published", "ignored", "superseded", "quarantined"}
Tables = dict[str, list[Any]]


def read(database: Database) -> Tables:
    """Everything, at one moment."""
    wanted: dict[str, tuple[Any, Any]] = {
        "inbox": (inbox_table, MessageRow),
        "event": (event_table, EventRow),
        "watermark": (watermark_table, WatermarkRow),
        "transaction": (transaction_table, TransactionRow),
        "effect": (effect_table, EffectRow),
        "exception": (exception_table, ExceptionRow),
    }
    found = database.read_now(
        lambda c: {
            name: [row(**one) for one in c.execute(select(table)).mappings()] for name, (table, row) in wanted.items()
        }
    )
    moves = select(audit_table.c.subject, audit_table.c.action).where(audit_table.c.action.like("exception.%"))
    found["moves"] = database.read_now(lambda c: [tuple(one) for one in c.execute(moves)])
    return found


def _transaction_is_sound(row: TransactionRow, tables: Tables) -> None:
    """Only the states that the architecture names, and what is partial is seen by somebody."""
    where = f"{row.flow} {row.subject} is {row.state} ({row.waiting_for})"
    assert row.state in OPEN_STATES | ENDED, where
    if row.state == "exception":
        assert open_items(tables, row.transaction_id), f"{where}, and nobody has an open item"
    effects = [one for one in tables["effect"] if one.transaction_id == row.transaction_id]
    if row.state in ENDED:
        last = {one.name: one.state for one in sorted(effects, key=lambda one: one.version)}
        doubtful = sorted(
            name
            for name, state in last.items()
            if state in {"sent", "unknown"} and not name.startswith("tell ")  # notices are not effects, decision 0015
        )
        assert doubtful == [], f"{where}, and nobody knows whether these were applied: {doubtful}"
        assert row.ended_at_ms is not None, f"{where}, since never"


def open_items(tables: Tables, transaction_id: str) -> list[ExceptionRow]:
    return [one for one in tables["exception"] if one.transaction_id == transaction_id and one.state == "open"]


class Books:
    """Looks at the database with its own connection, whether the platform lives or not."""

    def __init__(self, url: str, systems: Systems, clerk: Clerk) -> None:
        self._database = Database(url, readers=1)
        self._systems = systems
        self._clerk = clerk
        self._marks: dict[str, str] = {}

    def close(self) -> None:
        self._database.close()

    def tables(self) -> Tables:
        return read(self._database)

    def always(self) -> None:
        """What holds at every moment."""
        wrong = [*doubled(self._systems), *harmed(self._systems), *overwritten(self._systems), *self._systems.together]
        wrong += unasked(self._systems, self._clerk)
        assert not wrong, "; ".join(wrong)
        tables = self.tables()
        self._nothing_acknowledged_is_lost(tables)
        self._watermarks_rise(tables)
        for row in tables["transaction"]:
            _transaction_is_sound(row, tables)
        for item in tables["exception"]:
            assert item.owner, f"{item.code} of {item.subject} has no owner"
            assert item.deadline_ms > item.opened_at_ms, f"{item.code} of {item.subject} has no deadline"
        moves = Counter(tables["moves"])
        for item in tables["exception"]:
            closed = sum(moves[item.exception_id, f"exception.{end}"] for end in ("released", "resolved"))
            opened = moves[item.exception_id, "exception.opened"]
            assert closed <= opened, (
                f"{item.code} of {item.subject} was opened {opened} times and closed {closed} times"
            )
        assert self._database.read_now(stranded) == 0, "a transaction that nothing will ever wake"

    def chain(self) -> None:
        verdict = self._database.read_now(verify_chain)
        assert verdict.valid, f"the audit chain is broken at {verdict.first_broken}"

    def _nothing_acknowledged_is_lost(self, tables: Tables) -> None:
        kept = Counter((one.stream, one.delivery_id, one.body_hash) for one in tables["inbox"])
        twice = [name for (_, name, _), n in kept.items() if n > 1]
        assert twice == [], f"kept twice: {twice}"
        lost = [what for key, what in self._clerk.acknowledged.items() if key not in kept]
        assert lost == [], f"acknowledged and not in the inbox: {lost}"

    def _watermarks_rise(self, tables: Tables) -> None:
        for mark in tables["watermark"]:
            before = self._marks.get(mark.source_record, "")
            assert mark.sequence >= before, f"the watermark of {mark.source_record} fell from {before}: {mark.sequence}"
            self._marks[mark.source_record] = mark.sequence

    def at_rest(self) -> None:
        """What the clerk expects once everything was delivered, mended, released, and given its time."""
        tables = self.tables()
        self.chain()
        unread = [one.delivery_id for one in tables["inbox"] if one.state not in TERMINAL]
        assert unread == [], f"messages that nobody has understood or parked: {unread}"
        self._every_record_is_known(tables)
        for row in tables["transaction"]:
            self._has_come_to_its_end(row, tables)
            audit = self._database.read_now(lambda c, one=row.transaction_id: audit_of(c, one))
            effects = [one for one in tables["effect"] if one.transaction_id == row.transaction_id]
            wrong = list(audit_disagreements(effects, audit))
            assert wrong == [], f"{row.flow} {row.subject}: {wrong}"
        for name in self._clerk.orders():
            self._order_is_as_the_clerk_has_it(name, tables)
        for name in self._clerk.customers():
            self._tier_is_the_newest(name, tables)
        self._doubts_are_open_once(tables)
        self._lies_are_found_out(tables)
        untold = [f"{one.code} of {one.subject}" for one in tables["exception"] if one.state == "open" and not one.told]
        assert untold == [], f"whose owner was never told: {untold}"

    def _every_record_is_known(self, tables: Tables) -> None:
        marks = {one.source_record: one for one in tables["watermark"]}
        for (kind, name), known in self._clerk.versions.items():
            mark = marks.get(f"crm/{kind}/{name}")
            assert mark is not None, f"{kind} {name} never arrived"
            assert mark.content == f"{kind}:{known[-1].content}", f"{kind} {name} is known as {mark.content}"

    def _has_come_to_its_end(self, row: TransactionRow, tables: Tables) -> None:
        codes = sorted(one.code for one in open_items(tables, row.transaction_id))
        where = f"{row.flow} {row.subject} is {row.state} ({row.waiting_for or codes})"
        if row.state == "waiting":
            assert row.waiting_for in ("lane", WOKEN), f"{where}, and nothing is left to wait for"
            holder = [one for one in tables["transaction"] if one.lane == row.lane and one.turn == 1]
            assert [one.state for one in holder] == ["exception"], f"{where}, and nobody holds the lane"
            return
        assert row.state in ENDED | {"exception"}, where
        if row.flow == "tier":
            assert row.state == "completed", where

    def _order_is_as_the_clerk_has_it(self, name: str, tables: Tables) -> None:
        mine = [one for one in tables["transaction"] if one.flow == "order" and one.subject == name]
        assert len(mine) == 1, f"order {name} has {len(mine)} transactions"
        row = mine[0]
        event = next(one for one in tables["event"] if one.event_id == row.event_id)
        fact = msgspec.json.decode(event.data)
        newest = self._clerk.newest("order", name)
        assert newest is not None
        acted_on = f"{fact['product']} {fact['amount']}"
        codes = {one.code for one in open_items(tables, row.transaction_id)}
        if row.state != "waiting" and self._clerk.must_complete(name, acted_on, told_at_ms=event.at_ms):
            assert row.state == "completed", f"order {name} is {row.state} ({sorted(codes)}), the clerk has it done"
        self._stands_once_or_not_at_all(row, amount_minor=fact["amount"])
        asked = [
            one
            for one in tables["exception"]
            if one.state == "open" and one.subject == name and one.code == "order.corrected"
        ]
        pending = [
            one.subject
            for one in tables["transaction"]
            if one.flow == "correction" and one.subject == name and one.state == "waiting"
        ]
        if row.state in {"completed", "compensated"} and acted_on != newest.content:
            assert asked or pending, (
                f"order {name} was acted on as {acted_on}; it is {newest.content}, and nobody is asked"
            )

    def _stands_once_or_not_at_all(self, row: TransactionRow, *, amount_minor: int) -> None:
        systems = {name: one for name in WRITTEN if row.subject not in (one := self._systems.named(name)).foreign}
        held = {name: net(one, row.subject) for name, one in systems.items()}
        where = f"order {row.subject} is {row.state}, and the systems hold it {held}"
        if row.state == "completed" and row.subject in self._clerk.declined and set(held.values()) <= {0}:
            return
        if row.state == "completed":
            assert set(held.values()) <= {1}, where
            sums = {amount(one, row.subject) for one in systems.values()} - {-1}
            assert sums <= {amount_minor}, f"order {row.subject} is worth {amount_minor}, the systems have {sums}"
        elif row.state == "compensated":
            assert set(held.values()) <= {0}, where
        else:
            assert all(0 <= one <= 1 for one in held.values()), where

    def _tier_is_the_newest(self, name: str, tables: Tables) -> None:
        newest = self._clerk.newest("tier", name)
        assert newest is not None
        mine = [one for one in tables["transaction"] if one.flow == "tier" and one.subject == name]
        if any(one.state == "waiting" for one in mine):
            return  # behind somebody who holds the lane; `_has_come_to_its_end` looks at that
        if any(one == name for one, _ in self._systems.tiers.lied):
            return  # what it holds is not what it said; `_lies_are_found_out` looks at that
        held = [one.command["tier"] for one in self._systems.tiers.ledger if one.business_id == name]
        if not held and name in self._systems.tiers.foreign:
            return  # somebody else had written the same
        assert held, f"the tier of {name} was never written"
        assert held[-1] == newest.content, f"the tier of {name} is {held[-1]}, at the source it is {newest.content}"

    def _doubts_are_open_once(self, tables: Tables) -> None:
        """Class D: at most once, and one open item exactly where nobody can say whether it was applied."""
        newest = {(one.transaction_id, one.name): one for one in sorted(tables["effect"], key=lambda one: one.version)}
        for effect in newest.values():
            if effect.effect_class != "D" or effect.verb != "write":
                continue
            items = [one for one in open_items(tables, effect.transaction_id) if one.code == "effect.in_doubt"]
            in_doubt = effect.state in {"sent", "unknown"}
            assert len(items) == int(in_doubt), f"note {effect.business_id} is {effect.state} with {len(items)} items"

    def _lies_are_found_out(self, tables: Tables) -> None:
        for effect in tables["effect"]:
            system = self._systems.named(effect.system)
            verb = effect.verb.replace("_", " ")
            if effect.state != "confirmed" or not effect.expected:
                continue
            assert effect.checked, f"{effect.system}: {effect.name} of {effect.business_id} was never read back"
            if effect.checked != "superseded" and (effect.business_id, verb) not in system.lied:
                assert effect.checked == "verified", f"{effect.system} {effect.business_id}: {effect.check_note}"
            if effect.checked == "different":
                items = [one for one in open_items(tables, effect.transaction_id) if one.step == effect.name]
                assert len(items) == 1, f"{effect.system} {effect.business_id} differs, with {len(items)} open items"
