"""Why each decision of a transaction fell as it did: the rule, the version of the estate, what it was applied to.

The audit keeps a hash of what a rule was given. What the hash stands for is kept elsewhere as a rule: in the event, in
what was read or decided before, in what was written, in what an approval asked. It is found there by its hash, so that
what is shown is what was decided about and nothing else.
"""

from collections.abc import Iterator, Sequence
from itertools import permutations

import msgspec
from sqlalchemy import Connection, select

from accordant.backbone.rows import ApprovalRow, approval_table
from accordant.kernel.database import rows_of
from accordant.kernel.ids import canonical_json, digest
from accordant.operations.transactions import AuditLine, Story

_TOGETHER_MAX = 3
_KEPT_MAX = 24
"""Looking for what fits three inputs among more would take seconds."""


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """Something a rule was given, and where it is kept."""

    kept_in: str
    text: str
    """As canonical JSON."""


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """One decision."""

    at_ms: int
    name: str
    rule: str
    """Name of the rule in the flow's module, or the sentence of `approvals.yaml` by which somebody was asked."""
    estate: int | None
    input_hash: str
    inputs: tuple[Given, ...]
    """What the hash stands for; empty where it is not kept."""
    result_hash: str
    result: str
    """As JSON; empty where it was decided anew since."""
    by: str = ""
    approval: str = ""


def why(connection: Connection, story: Story) -> list[Why]:
    """Every decision, oldest first."""
    c = approval_table.c
    query = select(approval_table).where(c.transaction_id == story.transaction.transaction_id).order_by(c.opened_at_ms)
    asked = rows_of(connection, query, ApprovalRow)
    kept = list(_kept(story))[:_KEPT_MAX]
    return [_why(line, story, kept=kept, asked=asked) for line in story.audit if line.action == "decision.made"]


def _why(line: AuditLine, story: Story, *, kept: Sequence[Given], asked: Sequence[ApprovalRow]) -> Why:
    detail, hashed = line.detail, str(line.detail.get("input", ""))
    shown = tuple(
        Given(kept_in=f"approval {one.approval_id}", text=one.payload)
        for one in asked
        if one.payload_hash == hashed and one.name == line.subject
    )[:1]
    results = {digest("result", one.result): one.result for one in story.decisions if one.name == line.subject}
    return Why(
        at_ms=line.at_ms,
        name=line.subject,
        rule=str(detail.get("rule", "")),
        estate=detail.get("estate"),
        input_hash=hashed,
        inputs=shown or _found(hashed, kept),
        result_hash=str(detail.get("result", "")),
        result=results.get(str(detail.get("result", "")), ""),
        by=str(detail.get("by", "")),
        approval=str(detail.get("approval", "")),
    )


def _kept(story: Story) -> Iterator[Given]:
    """What is kept of a transaction that a rule may have been given."""
    if story.event is not None:
        fact = msgspec.json.decode(story.event.data, type=dict[str, msgspec.Raw])
        for name, value in fact.items():  # as it is stored, letter by letter: that is what was hashed
            yield Given(kept_in=f"event: {name}", text=bytes(value).decode())
        yield Given(kept_in="event", text=story.event.data)
        yield _given("event id", story.event.event_id)
    yield _given("transaction id", story.transaction.transaction_id)
    yield _given("tenant", story.transaction.tenant)
    for memo in story.decisions:
        if memo.result != "null":
            yield Given(kept_in=memo.name, text=memo.result)
        if memo.kind == "recall" and memo.result.startswith("{"):  # several things that were read in one go
            for name, value in msgspec.json.decode(memo.result, type=dict[str, msgspec.Raw]).items():
                yield Given(kept_in=f"{memo.name}: {name}", text=bytes(value).decode())
    for effect in story.effects:
        if effect.command:
            yield Given(kept_in=f"effect: {effect.name}", text=effect.command)


def _given(kept_in: str, value: str) -> Given:
    return Given(kept_in=kept_in, text=canonical_json(value).decode())


def _found(hashed: str, kept: Sequence[Given]) -> tuple[Given, ...]:
    """Those of what is kept whose hash it is, in the order in which the rule was given them."""
    for count in range(1, _TOGETHER_MAX + 1):
        for chosen in permutations(kept, count):
            if digest("inputs", *(one.text for one in chosen)) == hashed:
                return chosen
    return ()
