"""Somebody's word: asked once, bound to what was shown, given by whoever may, and never lost in a crash."""

import asyncio
from typing import Any

import msgspec
import pytest

from accordant.backbone import approvals, waits
from accordant.backbone.approvals import Answered, Asked
from accordant.backbone.rows import ApprovalRow
from accordant.governance.approvals import Approvals, Delegation, Kind, Person, Role
from accordant.governance.estate import Estate
from accordant.kernel.database import Changes
from accordant.kernel.errors import Refused
from accordant.kernel.money import Money
from accordant.operations.approvals import Verdict, of_transaction, waiting
from tests.backbone.conformance.conftest import Rigs
from tests.backbone.conformance.rig import Rig
from tests.backbone.conformance.vendor import Vendor
from tests.backbone.shop import estate

YES, NO = Verdict(approve=True, actor="rita", note="fair"), Verdict(approve=False, actor="rita", note="too much")
APPROVALS = Approvals(
    roles={"reviewer": Role(up_to={"USD": "500"}), "director": Role(up_to={"USD": "5000"})},
    people={
        "rita": Person(roles=("reviewer",)),
        "dora": Person(roles=("director",), known_as=("support/7",)),
        "sam": Person(roles=()),
    },
    kinds={"credit": Kind(roles=("reviewer", "director"), automatic_up_to={"USD": "50"})},
)


def decided(approvals: Approvals = APPROVALS, version: int = 1) -> Estate:
    return msgspec.structs.replace(estate(version), approvals=approvals)


def credit(usd: int, *, by: str = "support/9", recent: int = 0) -> Any:
    """Steps that ask for a credit, and send it where it was agreed."""

    async def steps(tx: Any, event: Any, *, vendor: Vendor) -> None:
        asked = Asked(
            kind="credit",
            what=f"credit {event.order}",
            amount=Money(usd * 100, "USD"),
            recent=Money(recent * 100, "USD"),
            payload={"credit": event.order, "usd": usd},
            requested_by=by,
        )
        decision = await tx.approval("agreed", asked)
        if decision.is_approved:
            await tx.effect("credit", vendor.operation(event.order))
        await tx.effect("tell", vendor.operation(f"{event.order}/{'yes' if decision.is_approved else 'no'}"))

    return steps


async def asking(rigs: Rigs, usd: int, **more: Any) -> tuple[Rig, ApprovalRow]:
    rig = rigs(credit(usd, **more))
    rig.ticking = False
    rig.estates = {1: decided()}
    await rig.start()
    await rig.tell("o")
    await rig.until(lambda: rig.state("o") == "waiting")
    return rig, open_one(rig)


def open_one(rig: Rig) -> ApprovalRow:
    (found,) = rig.database.read_now(lambda connection: waiting(connection, tenant="t"))
    return found


def asked_of(rig: Rig) -> list[Answered]:
    return rig.database.read_now(lambda connection: of_transaction(connection, rig.one("o").transaction_id))


async def test_within_the_limit_nobody_is_asked(rigs: Rigs) -> None:
    rig = rigs(credit(50))
    rig.estates = {1: decided()}
    await rig.start()
    await rig.tell("o")
    await rig.settled()
    assert rig.state("o") == "completed"
    assert rig.vendor.times("o") == 1
    assert asked_of(rig) == []
    rig.check()


@pytest.mark.parametrize(("verdict", "credited"), [(YES, 1), (NO, 0)])
async def test_it_waits_for_a_word_and_goes_on_with_it(rigs: Rigs, verdict: Verdict, credited: int) -> None:
    rig, asked = await asking(rigs, 51)
    assert rig.one("o").waiting_for == "approval"
    assert rig.vendor.applied == []
    rig.check()
    await rig.approvals.decide(asked.approval_id, verdict)
    await rig.settled()
    assert rig.state("o") == "completed"
    assert rig.vendor.times("o") == credited
    assert rig.vendor.times("o/yes") == credited
    rig.check()


async def test_a_word_outlives_a_crash(rigs: Rigs) -> None:
    rig, asked = await asking(rigs, 51)
    await rig.crash()
    await rig.start()
    await rig.approvals.decide(asked.approval_id, YES)
    await rig.crash()
    await rig.start()
    await rig.settled()
    assert rig.state("o") == "completed"
    assert rig.vendor.times("o") == 1


async def test_a_word_given_while_it_falls_asleep_wakes_it(rigs: Rigs) -> None:
    """Decided between the commit of the question and the commit with which the transaction goes to sleep."""
    rig = rigs(credit(51))
    rig.ticking = False
    rig.estates = {1: decided()}
    await rig.start()
    commit, between = rig.writer.commit, asyncio.Event()

    async def slow(changes: Any, *, at: str) -> Any:
        if at == "drive.end" and not between.is_set():
            asking = rig.database.read_now(lambda connection: waiting(connection, tenant="t"))
            if asking:
                between.set()
                said = Changes()
                decision = rig.approvals._checked(Answered(approval=asking[0], decision=None), YES)
                approvals.answer(said, asking[0], decision=decision)
                waits.wake_decided(said, asking[0].transaction_id)
                await commit(said, at="approval.decide")
        return await commit(changes, at=at)

    rig.writer.commit = slow
    await rig.tell("o")
    await rig.until(lambda: rig.state("o") == "completed")
    assert between.is_set()
    assert rig.vendor.times("o") == 1


@pytest.mark.parametrize(
    ("actor", "why"),
    [
        ("nobody", "nobody whom approvals.yaml names"),
        ("sam", "is nobody; asked are director, reviewer"),
        ("rita", "more than rita may decide|asked is director"),
    ],
)
async def test_whoever_may_not_is_refused_and_nothing_changes(rigs: Rigs, actor: str, why: str) -> None:
    rig, asked = await asking(rigs, 501 if actor == "rita" else 51)
    with pytest.raises(Refused, match=why) as refused:
        await rig.approvals.decide(asked.approval_id, Verdict(approve=True, actor=actor))
    assert refused.value.code == "approval.not_yours"
    assert open_one(rig) == asked
    assert rig.state("o") == "waiting"


@pytest.mark.parametrize("by", ["dora", "support/7"])
async def test_who_asks_may_not_approve(rigs: Rigs, by: str) -> None:
    rig, asked = await asking(rigs, 501, by=by)
    with pytest.raises(Refused, match="somebody else must decide"):
        await rig.approvals.decide(asked.approval_id, Verdict(approve=True, actor="dora"))


async def test_whoever_stands_in_decides_only_on_those_days(rigs: Rigs) -> None:
    rig, asked = await asking(rigs, 51)
    today = approvals.day_of(rig.clock.now_ms())
    away = Delegation(of="rita", to="sam", since=today, until=today)
    rig.estates[2] = decided(msgspec.structs.replace(APPROVALS, delegations=(away,)), 2)
    await rig.approvals.decide(asked.approval_id, Verdict(approve=True, actor="sam"))
    await rig.settled()
    assert rig.vendor.times("o") == 1


async def test_the_first_word_counts(rigs: Rigs) -> None:
    rig, asked = await asking(rigs, 51)
    said = [rig.approvals.decide(asked.approval_id, verdict) for verdict in (YES, NO)]
    answers = await asyncio.gather(*said, return_exceptions=True)
    assert sum(isinstance(one, Refused) for one in answers) == 1
    await rig.settled()
    (found,) = asked_of(rig)
    assert found.decision
    assert rig.vendor.times("o/yes") == (found.decision.verdict == "approved")
    assert len(rig.effects()) == (2 if found.decision.verdict == "approved" else 1)


async def test_rights_are_looked_at_again_when_it_goes_on(rigs: Rigs) -> None:
    """Who agreed has lost the role before the transaction was driven again: somebody else is asked."""
    rig, asked = await asking(rigs, 51)
    nudge, rig.engine.nudge = rig.engine.nudge, lambda: None
    rig.approvals._wake = lambda: None
    await rig.approvals.decide(asked.approval_id, YES)
    without = {**APPROVALS.people, "rita": Person(roles=())}
    rig.estates[2] = decided(msgspec.structs.replace(APPROVALS, people=without), 2)
    rig.engine.nudge = nudge
    nudge()
    await rig.until(lambda: len(asked_of(rig)) == 2)
    await rig.until(lambda: rig.state("o") == "waiting")
    assert rig.vendor.applied == []
    await rig.approvals.decide(open_one(rig).approval_id, Verdict(approve=True, actor="dora"))
    await rig.settled()
    assert rig.vendor.times("o") == 1


async def test_splitting_is_noticed(rigs: Rigs) -> None:
    rig, asked = await asking(rigs, 30, recent=30)
    assert "together they pass the limit" in asked.rule
    with pytest.raises(Refused):
        await rig.approvals.decide(asked.approval_id, Verdict(approve=True, actor="sam"))


async def test_nobody_answers_in_time(rigs: Rigs) -> None:
    rig, asked = await asking(rigs, 51)
    rig.clock.advance(25 * 3600)
    await rig.until(lambda: rig.one("o").wake_at_ms == asked.expires_at_ms)
    rig.clock.advance(48 * 3600)
    await rig.until(lambda: rig.state("o") == "exception")
    (item,) = rig.open_items()
    assert item.code == "approval.expired"
    with pytest.raises(Refused):
        await rig.approvals.decide(asked.approval_id, YES)
    await rig.desk.retry(item.exception_id, actor="operator")
    await rig.until(lambda: rig.state("o") == "waiting")
    await rig.approvals.decide(open_one(rig).approval_id, YES)
    await rig.settled()
    assert rig.vendor.times("o") == 1


async def test_nobody_may(rigs: Rigs) -> None:
    rig = rigs(credit(5001))
    rig.estates = {1: decided()}
    await rig.start()
    await rig.tell("o")
    await rig.settled()
    assert [item.code for item in rig.open_items()] == ["approval.nobody_may"]
    assert rig.vendor.applied == []


def regular(given: list[int], *then: str) -> Any:
    """Steps that give 50.00 after what was given before, and then do something more."""

    async def steps(tx: Any, event: Any, *, vendor: Vendor) -> None:
        before = await tx.recall("given", lambda _: _sum(given), result_type=int)
        asked = Asked(
            kind="credit",
            what="credit",
            amount=Money(50_00, "USD"),
            recent=Money(before, "USD"),
            payload={"credit": event.order},
            requested_by="support/9",
        )
        await tx.approval("agreed", asked)
        await tx.effect("credit", vendor.operation("credit"))
        given.append(50_00)
        for one in then:
            await tx.effect(one, vendor.operation(one))

    return steps


async def _sum(given: list[int]) -> int:
    return sum(given)


async def retried(rigs: Rigs, steps: Any, *, refuses: str, meanwhile: Any = None) -> Rig:
    """Played until a step is refused, and then retried."""
    rig = rigs(steps)
    rig.estates = {1: decided()}
    rig.vendor.plan = {refuses: ["no"]}
    await rig.start()
    await rig.tell("o")
    await rig.settled()
    (item,) = rig.open_items()
    if meanwhile:
        meanwhile()
    await rig.desk.retry(item.exception_id, actor="finance")
    return rig


async def test_what_was_decided_and_written_is_not_asked_again_by_a_retry(rigs: Rigs) -> None:
    """Nobody was asked; then a later step was refused. What was written counts as given now, and yet stays agreed."""
    rig = await retried(rigs, regular(list[int](), "post"), refuses="post")
    await rig.settled()
    assert rig.state("o") == "completed"
    assert asked_of(rig) == []
    assert (rig.vendor.times("credit"), rig.vendor.times("post")) == (1, 1)


async def test_a_retry_before_anything_was_written_decides_again(rigs: Rigs) -> None:
    given = list[int]()
    rig = await retried(rigs, regular(given), refuses="credit", meanwhile=lambda: given.append(1_00))
    await rig.until(lambda: rig.state("o") == "waiting")
    assert open_one(rig).counted_minor == 51_00
    assert rig.vendor.applied == []
