"""A small company for tests of the backbone: one kind of fact, its correction, and an estate that decides little."""

import msgspec

from accordant.backbone.flow import Describe
from accordant.backbone.message import Ignored, Message, Told
from accordant.canonical.envelope import Fact
from accordant.governance.estate import Estate
from accordant.governance.policies import ExceptionPolicy, FlowPolicy, Policies
from accordant.kernel.errors import Malformed


class Corrected(Fact, frozen=True, kw_only=True):
    type = "test.order.corrected"
    version = 1
    producer = "crm"
    order: str


class Ordered(Fact, frozen=True, kw_only=True):
    type = "test.order.placed"
    version = 1
    producer = "crm"
    order: str
    amount: int = 100

    def as_correction(self) -> Fact:
        return Corrected(order=self.order)


class Paid(Fact, frozen=True, kw_only=True):
    type = "test.order.paid"
    version = 1
    producer = "crm"
    order: str


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A source's row, as the test writes it into a message body."""

    order: str
    customer: str = "customer"
    seq: str = "1"
    at_ms: int = 1
    amount: int = 100
    kind: str = "ordered"


DESCRIBE = Describe(party=lambda fact: fact.order, worth=lambda fact: None)
_POLICY = ExceptionPolicy(
    cause_class="technical", owner="operations", severity="high", deadline_h=4, runbook="docs/runbooks/exceptions.md"
)


def estate(version: int = 1, *, on_failure: str = "hold") -> Estate:
    flows = {"*": FlowPolicy(on_failure="compensate" if on_failure == "compensate" else "hold")}
    return Estate(version=version, tables={}, policies=Policies(exceptions={"*": _POLICY}, flows=flows), ownership={})


def body(**fields: object) -> bytes:
    return msgspec.json.encode(fields)


def translate(message: Message) -> list[Told] | Ignored:
    """Understands `Row`; anything else is malformed, and the word `crash` is a bug."""
    if message.body == b"crash":
        raise ZeroDivisionError("a bug of the mapping")
    try:
        row = msgspec.json.decode(message.body, type=Row)
    except msgspec.DecodeError as error:
        raise Malformed(f"not a row: {error}", detail={"field": "body"}) from error
    if row.kind == "noise":
        return Ignored(reason="noise")
    fact = Paid(order=row.order) if row.kind == "paid" else Ordered(order=row.order, amount=row.amount)
    return [
        Told(
            fact=fact,
            source_record=f"crm/{row.kind}/{row.order}",
            subject=row.order,
            orderingkey=row.customer,
            happened_at_ms=row.at_ms,
            sequence=row.seq,
            content=f"{row.kind}:{row.amount}",
        )
    ]
