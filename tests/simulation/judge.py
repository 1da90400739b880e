"""What must be true once everything has healed and come to rest, whatever happened before; by the checker's names."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import select

from accordant.backbone.engine.due import stranded
from accordant.backbone.rows import (
    EffectRow,
    ExceptionRow,
    TransactionRow,
    effect_table,
    exception_table,
    transaction_table,
)
from accordant.telemetry.audit import verify_chain
from tests.simulation.agreed import GIVEN, TOLD, approval, is_given
from tests.simulation.storage import ENGINE
from tests.simulation.vendors import D, Write
from tests.simulation.world import World

FLOW_OF = {"deal": "deal", "trial": "trial", "tier": "tier", "case": "case", "favour": "favour"}
_STEPS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "deal": (("billing", "subscription", "create"), ("erp", "order", "create")),
    "trial": (
        ("billing", "subscription", "create"),
        ("support", "entitlement", "create"),
        ("erp", "order", "create"),
        ("billing", "bill", "create"),
    ),
    "case": (("support", "case", "take"), ("support", "comment", "create"), ("billing", "credit", "create")),
}
_UNDONE = {
    ("billing", "subscription"): ("billing", "subscription", "cancel"),
    ("support", "entitlement"): ("support", "entitlement", "withdraw"),
    ("erp", "order"): ("erp", "credit memo", "create"),
}
_UPSERTS = frozenset({("erp", "customer"), ("support", "entitlement"), ("support", "tier"), ("crm", "note")}) | {
    ("support", "case"),
    ("support", "review"),
    ("support", "favour"),
}


class Evidence:
    """What the platform says and what the systems did."""

    def __init__(self, world: World) -> None:
        self.world = world
        with ENGINE.connect() as connection:
            self.transactions = [
                TransactionRow(**row) for row in connection.execute(select(transaction_table)).mappings()
            ]
            query = select(effect_table).order_by(effect_table.c.version)
            self.effects = [EffectRow(**row) for row in connection.execute(query).mappings()]
            self.items = [ExceptionRow(**row) for row in connection.execute(select(exception_table)).mappings()]
            self.stranded = stranded(connection)
            self.chain = verify_chain(connection)
        self.audit = world.ask("SELECT action, transaction_id, subject, detail FROM audit")
        self.open = [one for one in self.items if one.state == "open"]
        self.parked = {one.transaction_id for one in self.open}
        self.writes: dict[tuple[str, str, str, str], list[Write]] = defaultdict(list)
        for write in world.vendors.log:
            self.writes[write.system, write.kind, write.change, write.business_id].append(write)
        self.latest = {(one.transaction_id, one.name): one for one in self.effects}
        self.by_id = {one.transaction_id: one for one in self.transactions}

    def lied(self, system: str, kind: str, business_id: str) -> bool:
        return (system, kind, business_id) in self.world.vendors.lied


def judge(world: World) -> tuple[str, ...]:
    """Every violation in words; nothing when all promises held."""
    evidence = Evidence(world)
    rules = (_liveness, _lost, _duplicate, _partial, _orphan, _stale, _order, _audit, _in_doubt, _lie, approval)
    return tuple(f"{rule.__name__.strip('_')}: {what}" for rule in rules for what in rule(evidence))


def _liveness(seen: Evidence) -> Iterator[str]:
    if not seen.world.at_rest:
        yield "it never came to rest after everything had healed"
    if seen.stranded:
        yield f"{seen.stranded} transactions that nothing will ever wake"
    for row in seen.transactions:
        if row.state in {"running", "waiting"} and not _behind_a_held_one(seen, row):
            yield f"{row.flow} {row.subject} is {row.state} for {row.waiting_for!r}"
    yield from (f"a callback failed: {one}" for one in seen.world.loop.crashes)
    yield from (f"the platform logged {one}" for one in seen.world.defects)

    came = dict(seen.world.ask("SELECT subject, published_at_ms FROM event WHERE type = 'sim.order.paid'"))
    for one in seen.open:
        if one.code == "promise.broken" and came.get(one.subject, 0) >= seen.by_id[one.transaction_id].opened_at_ms:
            yield f"{one.subject} waits for a payment that came"


def _behind_a_held_one(seen: Evidence, row: TransactionRow) -> bool:
    ahead = (one for one in seen.transactions if one.lane == row.lane and one.turn == 1)
    return row.waiting_for in {"lane", "lane again"} and any(one.transaction_id in seen.parked for one in ahead)


def _lost(seen: Evidence) -> Iterator[str]:
    kept = dict(seen.world.ask("SELECT delivery_id, state FROM inbox ORDER BY stream"))
    for delivery in sorted(seen.world.source.acknowledged):
        if delivery not in kept:
            yield f"delivery {delivery} was acknowledged and is not in the inbox"
    for delivery, state in kept.items():
        if state not in {"published", "ignored", "superseded"}:
            yield f"message {delivery} ended as {state}"
    told = {(row.flow, row.subject) for row in seen.transactions}
    for kind, order in seen.world.source.records:
        if kind in FLOW_OF and (FLOW_OF[kind], order) not in told:
            yield f"{kind} {order} began no transaction"


def _duplicate(seen: Evidence) -> Iterator[str]:
    for (system, kind, change, business_id), writes in seen.writes.items():
        if (system, kind) not in _UPSERTS and len(writes) > 1:
            yield f"{system} applied {change} {kind} {business_id} {len(writes)} times"
    counted = Counter(
        (row.flow, row.subject) for row in seen.transactions if row.flow in {"deal", "trial", "case", "favour"}
    )
    yield from (f"{flow} {order} is {n} transactions" for (flow, order), n in counted.items() if n > 1)


def _wanted(seen: Evidence, row: TransactionRow) -> list[tuple[str, str, str]]:
    if row.flow == "tier":
        return [("support", "tier", "set")]
    if row.flow == "favour":
        return list(GIVEN) if is_given(seen, row) else []
    wanted = list(_STEPS.get(row.flow, ()))
    if row.flow == "deal":
        plan = seen.world.source.records["deal", row.subject].fields["plan"]
        if plan != "basic":
            wanted.append(("support", "entitlement", "create"))
        if plan == "prepaid":
            wanted.append(("billing", "credit", "create"))
    return wanted


def _partial(seen: Evidence) -> Iterator[str]:
    for row in seen.transactions:
        if row.state == "exception" and row.transaction_id not in seen.parked:
            yield f"{row.flow} {row.subject} has stopped, and no open item says so"
        if row.state == "completed":
            yield from _left_out(seen, row)
            yield from _taken_back_by_mistake(seen, row)
        if row.state == "compensated":
            yield from _left_behind(seen, row)


def _left_out(seen: Evidence, row: TransactionRow) -> Iterator[str]:
    for system, kind, change in _wanted(seen, row):
        if not seen.writes[system, kind, change, row.subject] and not seen.lied(system, kind, row.subject):
            yield f"{row.flow} {row.subject} is completed, but {system} never applied {change} {kind}"


def _left_behind(seen: Evidence, row: TransactionRow) -> Iterator[str]:
    for system, kind, change in _wanted(seen, row):
        applied = seen.writes[system, kind, change, row.subject]
        undoing = _UNDONE.get((system, kind))
        undone = seen.writes[*undoing, row.subject] if undoing else []
        if bool(undone) != bool(applied) and not seen.lied(system, kind, row.subject):
            yield f"{row.flow} {row.subject} is compensated, but {system} applied {kind} and never undid it"
        elif applied and undone[-1].n < applied[-1].n:
            yield f"{row.flow} {row.subject} is compensated, but {system} applied its {kind} after taking it back"


def _taken_back_by_mistake(seen: Evidence, row: TransactionRow) -> Iterator[str]:
    for undone in _UNDONE.values():
        if row.flow == "trial" and seen.writes[*undone, row.subject]:
            yield f"{row.flow} {row.subject} is completed, but {undone[0]} applied {undone[2]} {undone[1]}"


def _orphan(seen: Evidence) -> Iterator[str]:
    known = {(one.system, one.key) for one in seen.effects if one.state in {"confirmed", "unknown", "sent"}}
    for write in seen.world.vendors.log:
        row = seen.by_id.get(write.transaction)
        if row is None:
            yield f"{write.system} holds {write.kind} {write.business_id} of no transaction"
        elif write.kind == TOLD:
            continue  # no effect: the question may be answered before it is written down that somebody was told of it
        elif (write.system, write.key) not in known and not _found_later(seen, write):
            yield f"{write.system} holds {write.kind} {write.business_id}, and no effect stands for it"


def _found_later(seen: Evidence, write: Write) -> bool:
    """Applied under a key that was left behind, found by a look-up, and confirmed under it or the next."""
    return any(
        one.transaction_id == write.transaction and one.kind == write.kind and one.state == "confirmed"
        for one in seen.effects
    )


def _stale(seen: Evidence) -> Iterator[str]:
    for (kind, order), record in seen.world.source.records.items():
        if kind == "tier":
            rows = [row for row in seen.transactions if row.flow == "tier" and row.subject == order]
            held = seen.world.vendors.held.get(("support", "tier", order))
            settled = all(row.state == "completed" for row in rows) and not seen.lied("support", "tier", order)
            if settled and (held is None or held[0]["level"] != record.fields["level"]):
                yield f"tier {order} is {held and held[0]['level']}, the source says {record.fields['level']}"
        if kind == "deal":
            amounts = {
                one.command["amount"]
                for one in seen.world.vendors.log
                if one.business_id == order and one.kind in {"subscription", "order", "entitlement"}
            }
            if len(amounts) > 1:
                yield f"deal {order} has the amounts {sorted(amounts)} in different systems"


def _order(seen: Evidence) -> Iterator[str]:
    levels: dict[str, int] = {}
    for write in seen.world.vendors.log:
        if write.kind == "tier":
            level = int(write.command["level"])
            if level < levels.get(write.business_id, 0):
                yield f"tier {write.business_id} went from {levels[write.business_id]} back to {level}"
            levels[write.business_id] = level
    yield from seen.world.vendors.side_by_side


def _audit(seen: Evidence) -> Iterator[str]:
    if not seen.chain.valid:
        yield f"the chain breaks at {seen.chain.first_broken}"
    said = Counter(
        (about, subject, msgspec.json.decode(detail)["key"])
        for action, about, subject, detail in seen.audit
        if action == "effect.confirmed"
    )
    done = Counter((one.transaction_id, one.name, one.key) for one in seen.effects if one.state == "confirmed")
    if said != done:
        yield f"confirmed effects and audit differ: {sorted((said - done) | (done - said))}"
    for action, state in (("transaction.completed", "completed"), ("transaction.compensated", "compensated")):
        ended = Counter(about for one, about, *_ in seen.audit if one == action)
        rows = Counter(row.transaction_id for row in seen.transactions if row.state == state)
        if ended != rows:
            yield f"{state} transactions and audit differ: {sorted((ended - rows) | (rows - ended))}"
    opened = Counter(subject for action, _, subject, _ in seen.audit if action == "exception.opened")
    if set(opened) != {one.exception_id for one in seen.items}:
        yield "open items and audit differ"


def _in_doubt(seen: Evidence) -> Iterator[str]:
    asked = Counter((one.transaction_id, one.step) for one in seen.open if one.code == "effect.in_doubt")
    for one in seen.latest.values():
        items = asked[one.transaction_id, one.name]
        if one.effect_class != D.value:
            if items:
                yield f"{one.name} of class {one.effect_class} asks a person, and need not"
            continue
        applied = len(seen.writes[one.system, one.kind, "create", one.business_id])
        doubtful = one.state in {"sent", "unknown"}
        if items != int(doubtful):
            yield f"{one.name} {one.business_id} is {one.state}, and {items} items ask about it"
        if not doubtful and applied != int(one.state == "confirmed"):
            yield f"{one.name} {one.business_id} is {one.state}, and was applied {applied} times"


def _lie(seen: Evidence) -> Iterator[str]:
    found = {(one.transaction_id, one.step) for one in seen.open if one.code == "readback.different"}
    for one in seen.effects:
        place = (one.system, one.kind, one.business_id)
        about = (one.transaction_id, one.name)
        if one.state != "confirmed" or one.checked not in {"different", "verified"}:
            continue
        if (one.checked == "different") != (about in found):
            yield f"{one.name} {one.business_id} is {one.checked}, and the open items say otherwise"
        if one.checked == "verified" and seen.world.vendors.lied.get(place) == one.key:
            yield f"{one.name} {one.business_id} is verified, and {one.system} does not hold it"


def rare_states(world: World, evidence: Any = None) -> None:
    """States that only the end shows."""
    seen = evidence or Evidence(world)
    deadlines = {about: int(result) for about, result in world.ask(_DEADLINES) if result.isdigit()}
    for row in seen.transactions:
        came = world.ask("SELECT published_at_ms FROM event WHERE subject = ? AND type = 'sim.order.paid'", row.subject)
        if row.transaction_id in deadlines and came and abs(came[0][0] - deadlines[row.transaction_id]) < 1500:
            world.reach("a payment came about its deadline")
    for state, sql in _SEEN_AT_THE_END.items():
        if world.ask(sql)[0][0]:
            world.reach(state)
    if any(one.redriven for one in seen.effects):
        world.reach("an effect was settled after a crash")


_DEADLINES = "SELECT transaction_id, result FROM memo WHERE kind IN ('expect', 'discarded') AND name = 'payment'"
_SEEN_AT_THE_END = {
    "a compensation came to its end": "SELECT count(*) FROM business_transaction WHERE state = 'compensated'",
    "somebody was asked about a single try": "SELECT count(*) FROM exception WHERE code = 'effect.in_doubt'",
    "an older version came too late": "SELECT count(*) FROM inbox WHERE state = 'superseded'",
    "a lie was found by reading back": "SELECT count(*) FROM exception WHERE code = 'readback.different'",
    "a blocked deal took a correction up": (
        "SELECT count(*) FROM audit WHERE action = 'transaction.repinned' AND detail LIKE '%event_now%'"
    ),
    "a key was left behind": "SELECT count(*) FROM audit WHERE action = 'effect.absent'",
    "a promise was broken": "SELECT count(*) FROM exception WHERE code = 'promise.broken'",
    "nobody answered in time": "SELECT count(*) FROM approval_decision WHERE verdict = 'expired'",
    "something else was asked than before": (
        "SELECT count(*) FROM approval AS one JOIN approval AS other ON one.transaction_id = other.transaction_id"
        " WHERE one.payload_hash <> other.payload_hash"
    ),
    "a stop was told to the source": "SELECT count(*) FROM effect WHERE name LIKE 'tell %' AND state = 'confirmed'",
}
