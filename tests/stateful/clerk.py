"""What a careful clerk would have in the books: plain dicts, filled from what happened and never from the platform."""

from dataclasses import dataclass, field

from accordant.kernel.ids import content_hash
from tests.stateful.business import ASKED, NOTED, PREPAID, UNASKED_UP_TO, Record
from tests.stateful.systems import System, Systems

WRITTEN = ("billing", "erp", "support")
"""Where a completed order stands once."""


@dataclass
class Clerk:
    """The truth about the source, the deliveries, and what was done to the business."""

    versions: dict[tuple[str, str], list[Record]] = field(default_factory=dict)
    """Every true version of each source record, oldest first."""
    acknowledged: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """Stream, delivery id and hash of the body → what it was, for everything that was answered with 2xx."""
    may_be_taken_back: bool = False
    """An estate that compensates was in force at some time."""
    meanings_changed: bool = False
    """An accepted word meant something else for some time."""
    agreed: set[tuple[str, int]] = field(default_factory=set)
    """Order and amount to which somebody with the right to it said yes; also where the platform died over it."""
    declined: set[str] = field(default_factory=set)
    """Orders to which somebody with the right to it said no; also where the platform died over it."""

    def newest(self, kind: str, name: str) -> Record | None:
        known = self.versions.get((kind, name))
        return known[-1] if known else None

    def orders(self) -> list[str]:
        return sorted(name for kind, name in self.versions if kind == "order")

    def customers(self) -> list[str]:
        return sorted(name for kind, name in self.versions if kind == "tier")

    def acknowledge(self, stream: str, delivery_id: str, *, body: bytes, what: str) -> None:
        self.acknowledged[stream, delivery_id, content_hash(body)] = what

    def must_complete(self, order: str, content: str, *, told_at_ms: int) -> bool:
        """Whether nothing that happened to the order is a reason for another end.

        A payment older than the version of the order that was told first may be for something else: a person is asked.
        """
        product = content.partition(" ")[0]
        payment = self.newest("payment", order)
        unpaid = product == PREPAID and (payment is None or payment.at_ms < told_at_ms)
        return not (unpaid or product == NOTED or self.may_be_taken_back or self.meanings_changed)


def doubled(systems: Systems) -> list[str]:
    """What some system applied twice. Who sets a state may set it again; who adds may not."""
    found: list[str] = []
    for system in systems.all():
        if system.name in ("tiers", "crm"):
            continue
        lines = [(one.business_id, one.verb) for one in system.ledger]
        found += [
            f"{system.name}: {verb} {name} twice" for name, verb in sorted(set(lines)) if lines.count((name, verb)) > 1
        ]
    return found


def harmed(systems: Systems) -> list[str]:
    """What was taken back though somebody else had written it."""
    return [
        f"{system.name}: {line.business_id} was there before and was taken back"
        for system in systems.all()
        for line in system.ledger
        if line.verb == "take back" and line.business_id in system.foreign
    ]


def overwritten(systems: Systems) -> list[str]:
    """Where something older was written over something newer."""
    found: list[str] = []
    newest: dict[str, int] = {}
    for line in systems.tiers.ledger:
        n: int = line.command["n"]
        if n < newest.get(line.business_id, 0):
            found.append(f"tier of {line.business_id}: version {n} after {newest[line.business_id]}")
        newest[line.business_id] = max(n, newest.get(line.business_id, 0))
    return found


def unasked(systems: Systems, clerk: Clerk) -> list[str]:
    """What was billed although it needed somebody's word, and nobody gave it."""
    return [
        f"billing: {line.business_id} for {line.command['amount']}, to which nobody agreed"
        for line in systems.billing.ledger
        if line.verb == "write"
        and line.business_id not in systems.billing.foreign
        and line.command["product"] == f"the {ASKED}"
        and line.command["amount"] > UNASKED_UP_TO
        and (line.business_id, line.command["amount"]) not in clerk.agreed
    ]


def net(system: System, order: str) -> int:
    """How often a system holds the order, as far as the platform can know: a lie counts as what it said."""

    def times(verb: str) -> int:
        return max(system.times(order, verb), int((order, verb) in system.lied))

    return times("write") - times("take back")


def amount(system: System, order: str) -> int:
    """Money that the system was given for the order, also where it lied about taking it."""
    if (order, "write") in system.lied:
        return -1
    return sum(one.command["amount"] for one in system.ledger if one.business_id == order and one.verb == "write")
