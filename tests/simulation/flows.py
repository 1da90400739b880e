"""The flows of the simulated company: every effect class, a branch, both kinds of wait, compensation, notices."""

from typing import Any

import msgspec

from accordant.backbone import standing
from accordant.backbone.approvals import Asked
from accordant.backbone.flow import Describe, Flows, Stop, flow
from accordant.backbone.message import Ignored, Message, Told
from accordant.backbone.standing import Standing
from accordant.canonical.envelope import Fact
from accordant.canonical.operation import Receipt
from accordant.governance.approvals import Approvals, Kind, Person, Role
from accordant.governance.estate import Estate
from accordant.governance.policies import ExceptionPolicy, FlowPolicy, Policies
from accordant.kernel.errors import Terminal, Unmapped
from accordant.kernel.money import Money
from tests.simulation.vendors import A, B, C, D, Port

PAYMENT_WITHIN_S = 20.0
ASKS, ANSWERS = "sales", ("boss", "deputy")
"""Who asks for favours, and whose word counts."""
UNASKED_UP_TO = 200
"""What is given without anybody's word, in cents."""
_ROLE = "boss"
APPROVALS = Approvals(
    roles={_ROLE: Role(up_to={"EUR": "1000"})},
    people={ASKS: Person(roles=(_ROLE,)), **{one: Person(roles=(_ROLE,)) for one in ANSWERS}},
    kinds={
        "favour": Kind(
            roles=(_ROLE,),
            automatic_up_to={"EUR": "2"},
            escalate_after_h=1 / 128,  # pyright: ignore[reportArgumentType] - nobody has hours here: 28 s
            expire_after_h=1 / 64,  # pyright: ignore[reportArgumentType] - 56 s
        )
    },
)
TEST_PLAN = "mystery"
"""A plan that nobody mapped when the run began."""


class Corrected(Fact, frozen=True, kw_only=True):
    type = "sim.order.corrected"
    version = 1
    producer = "crm"
    order: str
    customer: str
    plan: str
    amount: int
    at_ms: int


class Placed(Fact, frozen=True, kw_only=True):
    type = "sim.order.placed"
    version = 1
    producer = "crm"
    order: str
    customer: str
    plan: str
    amount: int
    at_ms: int

    def as_correction(self) -> Fact:
        return Corrected(**msgspec.structs.asdict(self))


class Tried(Fact, frozen=True, kw_only=True):
    type = "sim.trial.begun"
    version = 1
    producer = "crm"
    order: str


class TierSet(Fact, frozen=True, kw_only=True):
    type = "sim.tier.set"
    version = 1
    producer = "crm"
    order: str
    level: int


class CaseOpened(Fact, frozen=True, kw_only=True):
    type = "sim.case.opened"
    version = 1
    producer = "crm"
    order: str


class FavourChanged(Fact, frozen=True, kw_only=True):
    type = "sim.favour.changed"
    version = 1
    producer = "crm"
    order: str
    amount: int


class FavourAsked(Fact, frozen=True, kw_only=True):
    type = "sim.favour.asked"
    version = 1
    producer = "crm"
    order: str
    amount: int

    def as_correction(self) -> Fact:
        return FavourChanged(order=self.order, amount=self.amount)


class Paid(Fact, frozen=True, kw_only=True):
    type = "sim.order.paid"
    version = 1
    producer = "billing"
    order: str


_DESCRIBE = Describe(party=lambda fact: fact.order, worth=lambda _: None)


def _blocked(fact: Any, stop: Stop, *, crm: Port, **_: Port) -> Any:
    tx = _Nobody(stop.transaction_id)
    return crm.ask(tx, verb="note", kind="note", business_id=fact.order, effect_class=B, change="note", notice=True)


class _Nobody:
    """A notice belongs to no lane."""

    def __init__(self, transaction_id: str) -> None:
        self.row = self
        self.transaction_id = transaction_id
        self.lane = ""


def mapped(fact: Placed | Corrected, estate: Estate, /) -> str:
    """The branch that a plan takes. Raises Unmapped."""
    if fact.plan == TEST_PLAN and estate.version == 1:
        raise Unmapped(f"plan {fact.plan!r}", detail={"table": "plan", "value": fact.plan})
    return "basic" if fact.plan == "basic" else "pro"


@flow(on=Placed, owner="sales", describe=_DESCRIBE, corrected_by=Corrected, blocked=_blocked)
async def deal(tx: Any, event: Placed, *, billing: Port, erp: Port, support: Port, **_: Port) -> None:
    """Customer, subscription, order, entitlement; a prepaid one waits for its payment."""
    branch = await tx.check("terms", mapped, event)
    order, amount = event.order, {"amount": event.amount}
    async with tx.holding(event.customer):
        ask: dict[str, Any] = {"verb": "open customer", "kind": "customer", "business_id": event.customer}
        await tx.effect("open customer", erp.ask(tx, **ask, effect_class=B, master_data=True))
    start = billing.ask(tx, verb="start", kind="subscription", business_id=order, effect_class=A, values=amount)
    await tx.effect("start", start)
    same: dict[str, Any] = {"values": amount, "expected": dict(amount)}
    create = erp.ask(tx, verb="order", kind="order", business_id=order, effect_class=C, **same)
    await tx.effect("create order", create)
    if branch == "pro":
        await tx.until("start of term", event.at_ms + 4_000)
        entitle = support.ask(tx, verb="entitle", kind="entitlement", business_id=order, effect_class=B, values=amount)
        await tx.effect("entitle", entitle)
    if event.plan == "prepaid":
        await tx.expect("payment", Paid, match=order, within_s=PAYMENT_WITHIN_S)
        await tx.effect("credit", billing.ask(tx, verb="credit", kind="credit", business_id=order, effect_class=A))


@flow(on=Tried, owner="sales", describe=_DESCRIBE, blocked=_blocked)
async def trial(tx: Any, event: Tried, *, billing: Port, erp: Port, support: Port, **_: Port) -> None:
    """Taken back when it cannot go on."""
    about = {"business_id": event.order}

    def cancel(_: Receipt) -> Any:
        return billing.ask(tx, verb="cancel", kind="subscription", effect_class=A, change="cancel", **about)

    def withdraw(_: Receipt) -> Any:
        return support.ask(tx, verb="withdraw", kind="entitlement", effect_class=B, change="withdraw", **about)

    def counter(_: Receipt) -> Any:
        return erp.ask(tx, verb="counter", kind="credit memo", effect_class=C, **about)

    await tx.effect("start", billing.ask(tx, verb="start", kind="subscription", effect_class=A, **about), undo=cancel)
    await tx.effect(
        "entitle", support.ask(tx, verb="entitle", kind="entitlement", effect_class=B, **about), undo=withdraw
    )
    await tx.effect("order", erp.ask(tx, verb="order", kind="order", effect_class=C, **about), undo=counter)
    await tx.effect("bill", billing.ask(tx, verb="bill", kind="bill", effect_class=A, **about))


@flow(on=TierSet, owner="support", describe=_DESCRIBE, hold_lane=True)
async def tier(tx: Any, event: TierSet, *, support: Port, **_: Port) -> None:
    """The newest level wins."""
    values = {"level": event.level}
    ask: dict[str, Any] = {"kind": "tier", "business_id": event.order, "values": values, "expected": values}
    await tx.effect("set level", support.ask(tx, verb="set level", effect_class=B, change="set", **ask))


@flow(on=CaseOpened, owner="support", describe=_DESCRIBE, blocked=_blocked)
async def case(tx: Any, event: CaseOpened, *, support: Port, billing: Port, **_: Port) -> None:
    """A public answer, which can be given once only, and a credit."""
    about = {"business_id": event.order}
    await tx.effect("take", support.ask(tx, verb="take", kind="case", effect_class=B, change="take", **about))
    await tx.effect("answer", support.ask(tx, verb="answer", kind="comment", effect_class=D, **about))
    await tx.effect("credit", billing.ask(tx, verb="credit", kind="credit", effect_class=A, **about))


@flow(on=FavourAsked, owner="support", describe=_DESCRIBE, corrected_by=FavourChanged, blocked=_blocked)
async def favour(tx: Any, event: FavourAsked, *, billing: Port, support: Port, **_: Port) -> None:
    """Given when somebody with the right to it has agreed to exactly so much; below a limit nobody is asked."""
    amount = event.amount * 100
    about: dict[str, Any] = {"business_id": event.order, "values": {"amount": amount}}
    asked = Asked(
        kind="favour",
        what=f"do {event.order} a favour",
        amount=Money(amount, "EUR"),
        recent=Money(0, "EUR"),
        payload={"order": event.order, "amount": amount},
        requested_by=ASKS,
    )
    review = support.ask(tx, verb="review", kind="review", effect_class=B, change="set", **about)
    if (await tx.approval("agreed", asked, tell=review)).is_approved:
        await tx.effect("give", billing.ask(tx, verb="give", kind="favour", effect_class=A, **about))
        await tx.effect("show", support.ask(tx, verb="show", kind="favour", effect_class=B, change="set", **about))


@flow(on=Corrected, owner="sales", describe=_DESCRIBE)
async def correction(tx: Any, event: Corrected, **_: Port) -> None:
    """A blocked deal takes the corrected words up; of any other, a person is told."""
    await tx.check("taken up", taken_up, await _begun(tx, event.order, flow="deal"))


@flow(on=FavourChanged, owner="support", describe=_DESCRIBE)
async def favour_correction(tx: Any, event: FavourChanged, **_: Port) -> None:
    """The same for a favour about which nobody decided in time."""
    await tx.check("taken up", taken_up, await _begun(tx, event.order, flow="favour"))


async def _begun(tx: Any, order: str, *, flow: str) -> list[Standing]:
    return await tx.recall(
        "where it stands",
        lambda ours: ours.read(
            lambda connection: standing.of_subject(connection, tx.row.tenant, subject=order, flow=flow)
        ),
        result_type=list[Standing],
    )


def taken_up(begun: list[Standing], estate: Estate, /) -> str:
    """Raises Terminal when the deal has reached other systems."""
    for one in begun:
        if one.untouched:
            return one.transaction_id
    raise Terminal("changed after it was closed", code="deal.corrected")


FLOWS = Flows(deal, trial, tier, case, favour, correction, favour_correction)
FACTS: dict[str, type[Fact]] = {
    "deal": Placed,
    "trial": Tried,
    "tier": TierSet,
    "case": CaseOpened,
    "favour": FavourAsked,
    "payment": Paid,
}
_POLICY = ExceptionPolicy(cause_class="technical", owner="operations", severity="high", deadline_h=4, runbook="")


def estate(version: int) -> Estate:
    """Version 1 lacks a plan; version 2 has it."""
    flows = {"*": FlowPolicy(), "trial": FlowPolicy(on_failure="compensate")}
    policies = Policies(exceptions={"*": _POLICY}, flows=flows)
    return Estate(version=version, tables={}, policies=policies, ownership={}, approvals=APPROVALS)


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One version of one record of the source."""

    kind: str
    order: str
    lane: str
    seq: int
    at_ms: int
    fields: dict[str, Any]


def translate(message: Message) -> list[Told] | Ignored:
    """The source's words to facts."""
    row = msgspec.json.decode(message.body, type=Record)
    wanted = {name: value for name, value in row.fields.items() if name in FACTS[row.kind].__struct_fields__}
    if row.kind == "deal":
        wanted["at_ms"] = row.fields["first_at_ms"]
    fact = msgspec.convert({"order": row.order, **wanted}, FACTS[row.kind])
    return [
        Told(
            fact=fact,
            source_record=f"{message.connection}/{row.kind}/{row.order}",
            subject=row.order,
            orderingkey=row.lane,
            happened_at_ms=row.at_ms,
            sequence=f"{row.seq:06d}",
            content=str(sorted(row.fields.items())),
        )
    ]
