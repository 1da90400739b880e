"""One effect, once: after a crash at any step, after any ambiguous answer, for every effect class."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from accordant.backbone.rows import effect_table
from accordant.canonical.operation import EffectClass
from accordant.kernel.database import Changes, NotCommitted
from accordant.kernel.errors import Malformed
from tests.backbone.conformance.conftest import Rigs
from tests.backbone.conformance.rig import TRIES, Rig
from tests.backbone.conformance.vendor import A, B, C, D, Vendor

STEPS = ("one", "two", "three")


async def three_steps(tx: Any, event: Any, *, vendor: Vendor) -> None:
    for name in STEPS:
        await tx.effect(name, vendor.operation(f"{event.order}/{name}"))


def single(effect_class: EffectClass, **more: Any) -> Any:
    async def steps(tx: Any, event: Any, *, vendor: Vendor) -> None:
        await tx.effect("write", vendor.operation(event.order, effect_class, **more))

    return steps


async def test_a_due_transaction_is_driven_to_its_end(rigs: Rigs) -> None:
    rig = rigs(three_steps)
    await rig.start()
    for n in range(5):
        await rig.tell(f"o{n}")
    await rig.settled()
    assert [row.state for row in rig.transactions()] == ["completed"] * 5
    assert len(rig.vendor.applied) == 15
    rig.check()


@pytest.mark.parametrize("effect_class", [A, B, C])
async def test_a_crash_around_every_step_sends_nothing_twice(rigs: Rigs, effect_class: EffectClass) -> None:
    async def steps(tx: Any, event: Any, *, vendor: Vendor) -> None:
        for name in STEPS:
            await tx.effect(name, vendor.operation(name, effect_class))

    rig = rigs(steps)
    rig.vendor.plan = {"one": ["crash before"], "two": ["crash after"], "three": ["crash after", "crash before"]}
    await rig.start()
    await rig.tell("o")
    crashes = 4 if effect_class is not C else 3  # the lookup finds `three`: it is not sent again
    for _ in range(crashes):
        await rig.crash_and_start()
    await rig.settled()
    assert rig.state("o") == "completed"
    assert [one for one, _ in rig.vendor.applied] == list(STEPS)
    assert {row.state for row in rig.effects()} == {"confirmed"}
    if effect_class is A:
        assert len({key for _, key in rig.vendor.calls}) == 3
    rig.check()


TABLE = [
    # class, what happens, applied, sent, looked up
    (A, ["timeout after"], 1, 2, False),
    (A, ["5xx before"], 1, 2, False),
    (A, ["down", "down"], 1, 3, False),
    (A, ["save 5xx"], 1, 3, True),
    (B, ["timeout after"], 1, 2, False),
    (B, ["5xx before"], 1, 2, False),
    (C, ["timeout after"], 1, 1, True),
    (C, ["5xx before"], 1, 2, True),
    (C, ["down"], 1, 2, False),
    (A, ["timeout after", "no"], 1, 2, True),
]


@pytest.mark.parametrize(("effect_class", "plan", "applied", "sent", "looked"), TABLE)
async def test_an_ambiguous_answer_is_settled_by_class(
    rigs: Rigs, effect_class: EffectClass, plan: list[str], applied: int, sent: int, *, looked: bool
) -> None:
    rig = rigs(single(effect_class))
    rig.vendor.plan = {"o": list(plan)}
    await rig.start()
    await rig.tell("o")
    await rig.settled()
    assert rig.state("o") == "completed"
    assert rig.vendor.times("o") == applied
    assert len(rig.vendor.calls) == sent
    assert bool(rig.vendor.lookups) == looked
    rig.check()


async def test_a_saved_error_is_left_behind_under_a_new_key(rigs: Rigs) -> None:
    rig = rigs(single(A))
    rig.vendor.plan = {"o": ["save 5xx"]}
    await rig.start()
    await rig.tell("o")
    await rig.settled()
    keys = [key for _, key in rig.vendor.calls]
    assert keys[0] == keys[1] != keys[2]
    assert [(row.version, row.state) for row in rig.effects()] == [(1, "rejected"), (2, "confirmed")]


@pytest.mark.parametrize(("age_s", "looked"), [(799, False), (801, True)])
async def test_a_key_past_four_fifths_of_its_life_is_looked_up(rigs: Rigs, age_s: int, *, looked: bool) -> None:
    rig = rigs(single(A, key_life_s=1000))
    rig.ticking = False
    rig.vendor.plan = {"o": ["crash after"]}
    await rig.start()
    await rig.tell("o")
    await rig.until(rig.vendor.crashed.is_set)
    await rig.writer.commit(_nothing(), at="test")
    await rig.crash()
    rig.clock.advance(age_s)
    await rig.start()
    await rig.settled()
    assert rig.vendor.times("o") == 1
    assert bool(rig.vendor.lookups) == looked


async def test_a_sending_that_was_written_down_nowhere_is_looked_for_when_the_key_is_old(rigs: Rigs) -> None:
    """Killed after the vendor applied it and before the row was durable; back when the vendor has forgotten the key."""
    rig = rigs(single(A, key_life_s=1000))
    rig.ticking = False
    rig.vendor.plan = {"o": ["crash after"]}
    await rig.start()
    _lose_effects(rig)
    await rig.tell("o")
    await rig.until(rig.vendor.crashed.is_set)
    await rig.crash()
    assert rig.lives == 1
    rig.clock.advance(1001)
    rig.vendor._saved.clear()
    await rig.start()
    await rig.settled()
    assert rig.state("o") == "completed"
    assert rig.vendor.times("o") == 1
    assert rig.vendor.lookups == ["o"]


def _holds_an_effect(batch: Sequence[Changes]) -> bool:
    return any(table is effect_table for changes in batch for table, _ in changes.put_rows)


def _refuse(rig: Rig, which: Callable[[Sequence[Changes]], bool], *, times: int) -> list[int]:
    """A database that is full for the first groups of a kind; tells how many it has refused."""
    real, refused = rig.writer._session.write, list[int]()

    def write(batch: Any) -> Any:
        if len(refused) < times and which(batch):
            refused.append(1)
            return [NotCommitted("the disk is full")] * len(batch)
        return real(batch)

    rig.writer._session.write = write
    return refused


async def test_what_a_dead_process_may_have_sent_is_not_refused_before_it_was_looked_for(rigs: Rigs) -> None:
    """Killed after the vendor applied it and before the row was durable; the next process's sending is refused."""
    rig = rigs(single(A))
    rig.vendor.plan = {"o": ["crash after", "no"]}
    await rig.start()
    _lose_effects(rig)
    await rig.tell("o")
    await rig.crash_and_start()
    await rig.settled()
    assert rig.state("o") == "completed"
    assert rig.vendor.times("o") == 1


async def test_what_a_dead_process_may_have_sent_is_not_refused_after_a_wait_either(rigs: Rigs) -> None:
    """As above, but the next process's row is written first by a wait; the refusal comes in the drive after it."""
    rig = rigs(single(A))
    rig.vendor.plan = {"o": ["crash after", *["down"] * TRIES, "no"]}
    await rig.start()
    _lose_effects(rig)
    await rig.tell("o")
    await rig.crash_and_start()
    await rig.settled()
    assert rig.vendor.plan == {"o": []}
    assert rig.state("o") == "completed"
    assert rig.vendor.times("o") == 1


async def test_what_could_not_be_written_down_was_not_sent_and_leaves_no_doubt(rigs: Rigs) -> None:
    rig = rigs(single(D))
    await rig.start()
    refused = _refuse(rig, _holds_an_effect, times=1)
    await rig.tell("o")
    await rig.settled()
    assert refused
    assert rig.state("o") == "completed"
    assert rig.vendor.times("o") == 1


async def test_a_doubt_that_the_database_did_not_take_down_is_not_forgotten(rigs: Rigs) -> None:
    """Applied, but neither the sending nor the outcome was stored; the next drive's sending is refused."""
    rig = rigs(single(A))
    rig.vendor.plan = {"o": ["fine", "no"]}
    await rig.start()
    refused = _refuse(rig, _holds_an_effect, times=2)
    rig.clock.advance(1)
    await rig.tell("o")
    await rig.settled()
    assert refused
    assert rig.state("o") == "completed"
    assert rig.vendor.times("o") == 1


async def test_what_a_look_up_finds_after_our_own_sending_is_ours(rigs: Rigs) -> None:
    rig = rigs(single(C))
    rig.vendor.plan = {"o": ["timeout after"]}
    await rig.start()
    await rig.tell("o")
    await rig.settled()
    assert [(row.state, row.own) for row in rig.effects()] == [("confirmed", 1)]


async def test_a_key_past_its_life_that_cannot_be_looked_up_is_in_doubt(rigs: Rigs) -> None:
    rig = rigs(single(A, key_life_s=1000, look_up=None))
    rig.ticking = False
    rig.vendor.plan = {"o": ["crash after"]}
    await rig.start()
    await rig.tell("o")
    await rig.until(rig.vendor.crashed.is_set)
    await rig.writer.commit(_nothing(), at="test")
    await rig.crash()
    rig.clock.advance(900)
    await rig.start()
    await rig.settled()
    assert [item.code for item in rig.open_items()] == ["effect.in_doubt"]
    assert len(rig.vendor.calls) == 1


@pytest.mark.parametrize("happens", ["timeout after", "5xx before", "crash before", "crash after"])
async def test_what_can_be_tried_once_only_is_in_doubt_and_never_sent_again(rigs: Rigs, happens: str) -> None:
    rig = rigs(single(D))
    rig.vendor.plan = {"o": [happens]}
    await rig.start()
    await rig.tell("o", customer="c")
    if happens.startswith("crash"):
        await rig.crash_and_start()
    await rig.tell("next", customer="c")
    await rig.settled()
    assert [item.code for item in rig.open_items()] == ["effect.in_doubt"]
    assert rig.state("next") == "waiting", "what may have been applied holds the lane"
    await rig.desk.retry(rig.open_items()[0].exception_id, actor="ops")
    await rig.settled()
    assert [item.code for item in rig.open_items()] == ["effect.in_doubt"]
    assert [one for one, _ in rig.vendor.calls] == ["o"]
    rig.check()


async def test_a_database_that_refuses_the_outcome_causes_no_second_sending(rigs: Rigs) -> None:
    """The sending was applied; only we could not write it down: that is no `not applied`."""
    rig = rigs(single(C))
    await rig.start()
    refused = _refuse(rig, lambda _: bool(rig.vendor.applied), times=2)
    await rig.tell("o")
    await rig.settled()
    assert refused
    assert rig.vendor.times("o") == 1
    assert rig.state("o") == "completed"


async def test_a_rejection_is_remembered_until_a_person_says_otherwise(rigs: Rigs) -> None:
    rig = rigs(three_steps)
    rig.vendor.plan = {"o/two": ["no", "no"]}
    await rig.start()
    await rig.tell("o")
    await rig.settled()
    assert [item.code for item in rig.open_items()] == ["vendor.rejected"]
    await rig.desk.retry(rig.open_items()[0].exception_id, actor="ops")
    await rig.settled()
    assert rig.state("o") == "exception"
    await rig.desk.retry(rig.open_items()[0].exception_id, actor="ops")
    await rig.settled()
    assert rig.state("o") == "completed"
    assert rig.vendor.times("o/one") == 1
    assert [(r.version, r.state) for r in rig.effects() if r.name == "two"] == [
        (1, "rejected"),
        (2, "rejected"),
        (3, "confirmed"),
    ]


async def test_a_refused_repeat_is_no_refusal_of_what_may_have_been_applied(rigs: Rigs) -> None:
    """The first sending was applied and its answer lost; the repeat is refused, as by a credential just withdrawn."""
    rig = rigs(single(A, look_up=None))
    rig.vendor.plan = {"o": ["timeout after", "no"]}
    await rig.start()
    await rig.tell("o")
    await rig.settled()
    assert [item.code for item in rig.open_items()] == ["vendor.rejected"]
    assert [row.state for row in rig.effects()] == ["unknown"]
    await rig.desk.retry(rig.open_items()[0].exception_id, actor="ops")
    await rig.settled()
    assert rig.state("o") == "completed"
    assert rig.vendor.times("o") == 1
    assert len({key for _, key in rig.vendor.calls}) == 1
    rig.check()


async def test_a_refused_repeat_that_is_looked_up_and_absent_is_a_refusal(rigs: Rigs) -> None:
    rig = rigs(single(A))
    rig.vendor.plan = {"o": ["5xx before", "no"]}
    await rig.start()
    await rig.tell("o")
    await rig.settled()
    assert [item.code for item in rig.open_items()] == ["vendor.rejected"]
    assert [row.state for row in rig.effects()] == ["rejected"]
    assert rig.vendor.lookups == ["o"]


async def test_two_steps_of_one_name_are_refused(rigs: Rigs) -> None:
    async def steps(tx: Any, event: Any, *, vendor: Vendor) -> None:
        await tx.effect("same", vendor.operation("a"))
        await tx.effect("same", vendor.operation("b"))

    rig = rigs(steps)
    await rig.start()
    await rig.tell("o")
    await rig.settled()
    assert [item.code for item in rig.open_items()] == ["flow.non_deterministic"]
    assert [one for one, _ in rig.vendor.applied] == ["a"]


async def test_what_was_written_under_a_lock_is_durable_before_it_is_let_go(rigs: Rigs) -> None:
    """Whoever takes the lock next reads it; otherwise it would open the same record under a key of its own."""

    async def steps(tx: Any, event: Any, *, vendor: Vendor) -> None:
        async with tx.holding("shared"):
            if not await tx.recall("known", lambda database: database.read(_times_opened), result_type=int):
                await tx.effect("open", vendor.operation("shared"))
        await tx.effect("own", vendor.operation(event.order))

    rig = rigs(steps)
    await rig.start()
    for n in range(6):
        await rig.tell(f"o{n}", customer=f"c{n}")
    await rig.settled()
    assert [row.state for row in rig.transactions()] == ["completed"] * 6
    assert rig.vendor.times("shared") == 1
    rig.check()


def _times_opened(connection: Connection) -> int:
    c = effect_table.c
    query = select(func.count()).where(c.business_id == "shared", c.state == "confirmed")
    return connection.execute(query).scalar_one()


async def test_another_payload_under_a_used_name_is_refused(rigs: Rigs) -> None:
    async def steps(tx: Any, event: Any, *, vendor: Vendor) -> None:
        await tx.effect("write", vendor.operation("a", command={"life": rig.lives}))
        await tx.effect("later", vendor.operation("b"))

    rig = rigs(steps)
    rig.vendor.plan = {"b": ["crash before"]}
    await rig.start()
    await rig.tell("o")
    await rig.crash_and_start()
    await rig.settled()
    assert [item.code for item in rig.open_items()] == ["flow.non_deterministic"]
    assert [one for one, _ in rig.vendor.applied] == ["a"]


async def test_a_bug_of_a_flow_parks_its_own_transaction_only(rigs: Rigs) -> None:
    async def steps(tx: Any, event: Any, *, vendor: Vendor) -> None:
        if event.order == "odd":
            raise ZeroDivisionError("a bug")
        await tx.effect("write", vendor.operation(event.order))

    rig = rigs(steps)
    await rig.start()
    for name in ("odd", "even"):
        await rig.tell(name)
    await rig.settled()
    assert {row.subject: row.state for row in rig.transactions()} == {"odd": "exception", "even": "completed"}
    assert [item.code for item in rig.open_items()] == ["flow.crashed"]


async def test_a_notice_that_cannot_be_worded_opens_no_second_exception(rigs: Rigs) -> None:
    async def steps(tx: Any, event: Any, *, vendor: Vendor) -> None:
        raise Malformed("odd")

    def blocked(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("a bug in the notice")

    rig = rigs(steps, blocked=blocked)
    await rig.start()
    await rig.tell("o")
    await rig.settled()
    assert [item.code for item in rig.open_items()] == ["value.malformed"]


def _nothing() -> Any:
    from accordant.kernel.database import Changes

    return Changes()


def _lose_effects(rig: Rig) -> None:
    """No row of an effect becomes durable in this life."""
    _refuse(rig, _holds_an_effect, times=10**9)
