"""The business under test: orders that are billed, booked, entitled and noted, payments, and the tier of a customer."""

from typing import Any

import msgspec

from accordant.backbone import standing
from accordant.backbone.approvals import Asked
from accordant.backbone.flow import Describe, Flow, Stop, flow
from accordant.backbone.message import Message, Told
from accordant.backbone.standing import Standing
from accordant.canonical.envelope import Fact
from accordant.canonical.operation import Operation
from accordant.governance.approvals import Approvals, Kind, Person, Role
from accordant.governance.estate import Estate, ReferenceRow
from accordant.governance.policies import ExceptionPolicy, FlowPolicy, Policies
from accordant.kernel.errors import Malformed, Terminal, Unmapped
from accordant.kernel.money import Money
from tests.stateful.systems import Systems

DAY_S = 86_400
PAY_WITHIN_S = 3 * DAY_S
COOLING_OFF_S = 2 * DAY_S
PLAIN, LATER, PREPAID, NOTED, ASKED, UNKNOWN = "plain", "later", "prepaid", "noted", "asked", "mystery"
PRODUCTS = (PLAIN, LATER, PREPAID, NOTED, ASKED, UNKNOWN)
UNASKED_UP_TO = 100
"""What may be ordered of `asked` without anybody's word, in cents."""
BOSSES = ("boss 1", "boss 2")
"""The first may lose the role; the second always has it."""
TIERS = ("silver", "gold", "platnium")
"""The last is a word that the first version of the estate does not know, and so is the last product."""


class Corrected(Fact, frozen=True, kw_only=True):
    type = "test.order.corrected"
    version = 1
    producer = "crm"
    order: str
    product: str
    amount: int


class Ordered(Fact, frozen=True, kw_only=True):
    type = "test.order.placed"
    version = 1
    producer = "crm"
    order: str
    product: str
    amount: int

    def as_correction(self) -> Fact:
        return Corrected(order=self.order, product=self.product, amount=self.amount)


class Paid(Fact, frozen=True, kw_only=True):
    type = "test.order.paid"
    version = 1
    producer = "crm"
    order: str


class TierSet(Fact, frozen=True, kw_only=True):
    type = "test.customer.tier"
    version = 1
    producer = "crm"
    customer: str
    tier: str
    n: int


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a record at the source, as its row or webhook body says it."""

    kind: str
    name: str
    customer: str
    version: int
    at_ms: int
    content: str
    """Product and amount of an order; the tier of a customer."""


def translate(message: Message) -> list[Told]:
    try:
        one = msgspec.json.decode(message.body, type=Record)
    except msgspec.DecodeError as error:
        raise Malformed(f"not a record: {error}", detail={"field": "body"}) from error
    return [
        Told(
            fact=_fact(one),
            source_record=f"crm/{one.kind}/{one.name}",
            subject=one.name,
            orderingkey=one.customer,
            happened_at_ms=one.at_ms,
            sequence=f"{one.version:06}",
            content=f"{one.kind}:{one.content}",
        )
    ]


def _fact(one: Record) -> Fact:
    if one.kind == "tier":
        return TierSet(customer=one.name, tier=one.content, n=one.version)
    if one.kind == "payment":
        return Paid(order=one.name)
    product, _, amount = one.content.partition(" ")
    return Ordered(order=one.name, product=product, amount=int(amount))


def approvals(bosses: int) -> Approvals:
    """Whose word counts for an order of `asked`."""
    people = {name: Person(roles=("boss",) if name in BOSSES[-bosses:] else ()) for name in BOSSES}
    kind = Kind(roles=("boss",), automatic_up_to={"EUR": "1.00"})
    return Approvals(roles={"boss": Role(up_to={"EUR": "10.00"})}, people=people, kinds={"order": kind})


def estate(
    version: int, *, known: frozenset[str], on_failure: Any, meanings: dict[str, str], bosses: int = 2
) -> Estate:
    """A version of the estate: which words have a meaning, which mean something new, what a failed order does."""
    technical = ExceptionPolicy(cause_class="technical", owner="operations", severity="high", deadline_h=4, runbook="r")
    data = ExceptionPolicy(cause_class="data", owner="master data", severity="medium", deadline_h=24, runbook="r")
    words = {
        one: (ReferenceRow(value=one, target=meanings.get(one, f"the {one}"), owner="master data"),)
        for one in sorted(known)
    }
    policies = Policies(
        exceptions={"*": technical, "map.missing": data}, flows={"order": FlowPolicy(on_failure=on_failure)}
    )
    tables = {"word": words}
    return Estate(version=version, tables=tables, policies=policies, ownership={}, approvals=approvals(bosses))


FIRST_WORDS = frozenset({PLAIN, LATER, PREPAID, NOTED, ASKED, "silver", "gold"})
FIRST_ESTATE = estate(1, known=FIRST_WORDS, on_failure="hold", meanings={})


def meaning(word: str, known: Estate) -> str:
    rows = known.tables["word"].get(word)
    if not rows:
        raise Unmapped(f"{word!r} has no row", detail={"table": "word", "value": word})
    return rows[0].target


async def order(tx: Any, event: Ordered | Corrected, *, systems: Systems, **_: Any) -> None:
    meant = await tx.check("meaning", meaning, event.product)
    terms = {"amount": event.amount, "product": meant}
    if event.product == ASKED and not (await tx.approval("agreed", _asked(event, terms))).is_approved:
        return
    await tx.effect(
        "bill", systems.billing.write(event.order, terms), undo=lambda _: systems.billing.take_back(event.order)
    )
    if event.product == LATER:
        await tx.until("cooling off", tx.row.opened_at_ms + COOLING_OFF_S * 1000)
    if event.product == PREPAID:
        await tx.expect("payment", Paid, match=event.order, within_s=PAY_WITHIN_S)
    await tx.effect("book", systems.erp.write(event.order, terms), undo=lambda _: systems.erp.take_back(event.order))
    await tx.effect(
        "entitle", systems.support.write(event.order, terms), undo=lambda _: systems.support.take_back(event.order)
    )
    if event.product == NOTED:
        await tx.effect("note", systems.notes.write(event.order, terms))


def _asked(event: Ordered | Corrected, terms: dict[str, Any]) -> Asked:
    return Asked(
        kind="order",
        what=f"deliver {event.order}",
        amount=Money(event.amount, "EUR"),
        recent=Money(0, "EUR"),
        payload={"order": event.order, **terms},
        requested_by="sales",
    )


def tell_sales(fact: Ordered | Corrected, stop: Stop, *, systems: Systems, **_: Any) -> Operation:
    return systems.crm.write(fact.order, {"blocked": stop.reason[:40]})


async def correction(tx: Any, event: Corrected, **_: Any) -> None:
    begun = await tx.recall(
        "where it stands",
        lambda ours: ours.read(
            lambda connection: standing.of_subject(connection, "t", subject=event.order, flow="order")
        ),
        result_type=list[Standing],
    )
    await tx.check("taken up or asked", taken_up_or_asked, event.order, begun)


def taken_up_or_asked(order_id: str, begun: list[Standing], known: Estate, /) -> str:
    for one in begun:
        if one.untouched:
            return one.transaction_id
    raise Terminal(f"{order_id} changed after it was acted on", code="order.corrected", detail={"record": order_id})


async def tier(tx: Any, event: TierSet, *, systems: Systems, **_: Any) -> None:
    await tx.check("meaning", meaning, event.tier)
    await tx.effect("set tier", systems.tiers.write(event.customer, {"tier": event.tier, "n": event.n}))


def _describe(name: str) -> Describe:
    return Describe(
        party=lambda fact: getattr(fact, name),
        worth=lambda fact: Money(fact.amount, "EUR") if hasattr(fact, "amount") else None,
    )


ORDER_OPTIONS: dict[str, Any] = {
    "on": Ordered,
    "owner": "sales",
    "describe": _describe("order"),
    "blocked": tell_sales,
    "corrected_by": Corrected,
}
MORE_FLOWS: tuple[Flow, ...] = (
    flow(on=Corrected, owner="sales", describe=_describe("order"))(correction),
    flow(on=TierSet, owner="support", describe=_describe("customer"), hold_lane=True)(tier),
)
