"""What happens when a transaction cannot go on: hold or take back, keep the lane or leave it, wait and go on."""

from typing import Any

from accordant.kernel.errors import Malformed
from tests.backbone.conformance.conftest import Rigs
from tests.backbone.conformance.vendor import A, B, D, Vendor
from tests.backbone.shop import Ordered, Paid, estate


def undoable(vendor: Vendor, name: str) -> Any:
    return lambda _: vendor.operation(f"undo {name}")


async def two_then_no(tx: Any, event: Any, *, vendor: Vendor) -> None:
    await tx.effect("one", vendor.operation("one"), undo=undoable(vendor, "one"))
    await tx.effect("two", vendor.operation("two"), undo=undoable(vendor, "two"))
    await tx.effect("three", vendor.operation("three"))
    await tx.effect("four", vendor.operation("four"))


async def test_hold_lets_stand_what_was_done(rigs: Rigs) -> None:
    rig = rigs(two_then_no)
    rig.vendor.plan = {"three": ["no"]}
    await rig.start()
    await rig.tell("o")
    await rig.settled()
    assert rig.state("o") == "exception"
    assert [one for one, _ in rig.vendor.applied] == ["one", "two"]


async def test_compensate_takes_back_in_reverse(rigs: Rigs) -> None:
    rig = rigs(two_then_no)
    rig.estates = {1: estate(on_failure="compensate")}
    rig.vendor.plan = {"three": ["no"]}
    await rig.start()
    await rig.tell("o")
    await rig.settled()
    assert rig.state("o") == "compensated"
    assert [one for one, _ in rig.vendor.applied] == ["one", "two", "undo two", "undo one"]
    assert rig.open_items() == []
    rig.check()


async def test_a_crash_while_taking_back_goes_on_taking_back(rigs: Rigs) -> None:
    rig = rigs(two_then_no)
    rig.estates = {1: estate(on_failure="compensate")}
    rig.vendor.plan = {"three": ["no"], "undo two": ["crash after"], "undo one": ["crash before"]}
    await rig.start()
    await rig.tell("o")
    await rig.crash_and_start()
    await rig.crash_and_start()
    await rig.settled()
    assert rig.state("o") == "compensated"
    assert [one for one, _ in rig.vendor.applied] == ["one", "two", "undo two", "undo one"]
    assert "four" not in [one for one, _ in rig.vendor.calls]


async def test_once_it_is_taken_back_it_is_never_gone_on_with(rigs: Rigs) -> None:
    """Retrying a compensation that was refused goes on with the compensation, though the flow could go on by now."""
    rig = rigs(two_then_no)
    rig.estates = {1: estate(on_failure="compensate")}
    rig.vendor.plan = {"three": ["no"], "undo one": ["no"]}
    await rig.start()
    await rig.tell("o")
    await rig.settled()
    assert [item.code for item in rig.open_items()] == ["vendor.rejected"]
    await rig.desk.retry(rig.open_items()[0].exception_id, actor="ops")
    await rig.settled()
    assert rig.state("o") == "compensated"
    assert [one for one, _ in rig.vendor.applied] == ["one", "two", "undo two", "undo one"]
    rig.check()


async def test_nothing_is_taken_back_while_it_is_open_what_was_applied(rigs: Rigs) -> None:
    async def steps(tx: Any, event: Any, *, vendor: Vendor) -> None:
        await tx.effect("one", vendor.operation("one"), undo=undoable(vendor, "one"))
        await tx.effect("once", vendor.operation("once", D))

    rig = rigs(steps)
    rig.estates = {1: estate(on_failure="compensate")}
    rig.vendor.plan = {"once": ["timeout after"]}
    await rig.start()
    await rig.tell("o")
    await rig.settled()
    assert [item.code for item in rig.open_items()] == ["effect.in_doubt"]
    assert [one for one, _ in rig.vendor.applied] == ["one", "once"]
    rig.check()


async def test_what_was_there_before_is_left_alone(rigs: Rigs) -> None:
    async def steps(tx: Any, event: Any, *, vendor: Vendor) -> None:
        await tx.effect("found", vendor.operation("found"), undo=undoable(vendor, "found"))
        await tx.effect("one", vendor.operation("one"), undo=undoable(vendor, "one"))
        await tx.effect("three", vendor.operation("three"))

    rig = rigs(steps)
    rig.estates = {1: estate(on_failure="compensate")}
    rig.vendor.plan = {"three": ["no"], "found": ["already"]}
    await rig.start()
    await rig.tell("o")
    await rig.settled()
    assert rig.state("o") == "compensated"
    assert [one for one, _ in rig.vendor.applied] == ["one", "undo one"]


async def test_an_upsert_that_a_killed_process_sent_is_taken_back_too(rigs: Rigs) -> None:
    """Its repeat finds the record there; that it was ours is known because it was written down before it was sent."""

    async def steps(tx: Any, event: Any, *, vendor: Vendor) -> None:
        await tx.effect("one", vendor.operation("one", B), undo=undoable(vendor, "one"))
        await tx.effect("three", vendor.operation("three"))

    rig = rigs(steps)
    rig.estates = {1: estate(on_failure="compensate")}
    rig.vendor.plan = {"one": ["crash after", "already"], "three": ["no"]}
    await rig.start()
    real = rig.writer.post
    rig.writer.post = lambda changes, *, at: None if at == "effect.posted" else real(changes, at=at)
    await rig.tell("o")
    await rig.crash_and_start()
    await rig.settled()
    assert rig.state("o") == "compensated"
    assert [one for one, _ in rig.vendor.applied] == ["one", "undo one"]
    rig.check()


async def test_what_cannot_be_taken_back_is_left_to_a_person(rigs: Rigs) -> None:
    async def steps(tx: Any, event: Any, *, vendor: Vendor) -> None:
        await tx.effect("pivot", vendor.operation("pivot"))
        await tx.effect("one", vendor.operation("one"), undo=undoable(vendor, "one"))
        await tx.effect("three", vendor.operation("three"))

    rig = rigs(steps)
    rig.estates = {1: estate(on_failure="compensate")}
    rig.vendor.plan = {"three": ["no"]}
    await rig.start()
    await rig.tell("o")
    await rig.settled()
    assert rig.state("o") == "exception"
    assert [item.code for item in rig.open_items()] == ["compensation.incomplete"]
    assert [one for one, _ in rig.vendor.applied] == ["pivot", "one", "undo one"]


async def test_stopped_before_its_first_effect_it_lets_the_lane_go_on(rigs: Rigs) -> None:
    async def steps(tx: Any, event: Any, *, vendor: Vendor) -> None:
        await tx.check("read", _must_be_mapped, event.order)
        await tx.effect("write", vendor.operation(event.order))

    rig = rigs(steps)
    await rig.start()
    for order in ("unmapped", "second", "third"):
        await rig.tell(order, customer="c")
    await rig.settled()
    assert [one for one, _ in rig.vendor.applied] == ["second", "third"]
    rig.estates[2] = estate(2)
    await rig.desk.release(rig.open_items()[0].cause_group, actor="ops")
    await rig.settled()
    assert [one for one, _ in rig.vendor.applied] == ["second", "third", "unmapped"]
    assert {row.state for row in rig.transactions()} == {"completed"}
    assert rig.one("unmapped").estate_version == 2
    assert rig.open_items() == []
    rig.check()


def _must_be_mapped(order: str, known: Any) -> str:
    if order == "unmapped" and known.version == 1:
        raise Malformed("no row", detail={"table": "product", "value": order})
    return order


async def test_stopped_after_an_effect_it_holds_the_lane_until_released(rigs: Rigs) -> None:
    async def steps(tx: Any, event: Any, *, vendor: Vendor) -> None:
        await tx.effect("one", vendor.operation(f"{event.order}/1"))
        await tx.effect("two", vendor.operation(f"{event.order}/2"))

    rig = rigs(steps)
    rig.vendor.plan = {"first/2": ["no"]}
    await rig.start()
    await rig.tell("first", customer="c")
    await rig.tell("second", customer="c")
    await rig.settled()
    assert [one for one, _ in rig.vendor.applied] == ["first/1"]
    assert rig.state("second") == "waiting"
    await rig.desk.retry(rig.open_items()[0].exception_id, actor="ops")
    await rig.settled()
    assert [one for one, _ in rig.vendor.applied] == ["first/1", "first/2", "second/1", "second/2"]


async def test_release_decides_again_and_keeps_what_is_confirmed(rigs: Rigs) -> None:
    async def steps(tx: Any, event: Any, *, vendor: Vendor) -> None:
        version = await tx.check("version", _version)
        await tx.effect("one", vendor.operation("one"))
        await tx.effect("two", vendor.operation("two", command={"version": version}))

    rig = rigs(steps)
    rig.vendor.plan = {"two": ["no"]}
    await rig.start()
    await rig.tell("o")
    await rig.settled()
    rig.estates[2] = estate(2)
    await rig.desk.retry(rig.open_items()[0].exception_id, actor="ops")
    await rig.settled()
    assert rig.state("o") == "completed"
    assert rig.vendor.times("one") == 1
    assert rig.effects()[-1].command == '{"version":2}'


def _version(known: Any) -> int:
    return known.version


async def test_release_that_would_change_what_is_confirmed_is_refused(rigs: Rigs) -> None:
    async def steps(tx: Any, event: Any, *, vendor: Vendor) -> None:
        version = await tx.check("version", _version)
        await tx.effect("one", vendor.operation("one", command={"version": version}))
        await tx.effect("two", vendor.operation("two"))

    rig = rigs(steps)
    rig.vendor.plan = {"two": ["no"]}
    await rig.start()
    await rig.tell("o")
    await rig.settled()
    rig.estates[2] = estate(2)
    await rig.desk.retry(rig.open_items()[0].exception_id, actor="ops")
    await rig.settled()
    assert [item.code for item in rig.open_items()] == ["flow.non_deterministic"]
    assert [one for one, _ in rig.vendor.applied] == ["one"]


async def test_waiting_for_a_vendor_holds_the_lane_and_wakes_by_itself(rigs: Rigs) -> None:
    async def steps(tx: Any, event: Any, *, vendor: Vendor) -> None:
        await tx.effect("write", vendor.operation(event.order))

    rig = rigs(steps)
    rig.ticking = False
    rig.vendor.plan = {"first": ["down"] * 3}
    await rig.start()
    await rig.tell("first", customer="c")
    await rig.tell("second", customer="c")
    await rig.until(lambda: rig.one("first").waiting_for == "vendor")
    assert rig.one("second").state == "waiting"
    assert rig.vendor.applied == []
    rig.clock.advance(10)
    await rig.settled()
    assert [one for one, _ in rig.vendor.applied] == ["first", "second"]
    assert rig.open_items() == []


async def test_a_timer_survives_a_crash_and_lets_the_lane_go_on(rigs: Rigs) -> None:
    async def steps(tx: Any, event: Any, *, vendor: Vendor) -> None:
        await tx.effect("before", vendor.operation(f"{event.order}/before"))
        if event.order == "slow":
            await tx.until("pause", rig.clock.now_ms() + 60_000)
        await tx.effect("after", vendor.operation(f"{event.order}/after"))

    rig = rigs(steps)
    rig.ticking = False
    await rig.start()
    await rig.tell("slow", customer="c")
    await rig.tell("quick", customer="c")
    await rig.until(lambda: rig.state("quick") == "completed")
    assert rig.one("slow").waiting_for == "timer"
    await rig.crash()
    rig.clock.advance(59)
    await rig.start()
    await rig.settled()
    assert rig.state("slow") == "waiting"
    rig.clock.advance(2)
    await rig.until(lambda: rig.state("slow") == "completed")
    assert [one for one, _ in rig.vendor.applied][-1] == "slow/after"
    rig.check()


async def pay_then_ship(tx: Any, event: Any, *, vendor: Vendor) -> None:
    if event.order.startswith("held"):
        await tx.effect("hold", vendor.operation(f"{event.order}/hold"))
    data = await tx.expect("payment", Paid, match=event.order, within_s=3600)
    await tx.effect("ship", vendor.operation(event.order, A, command={"data": data}))


async def test_an_event_wakes_who_expects_it(rigs: Rigs) -> None:
    rig = rigs(pay_then_ship)
    rig.ticking = False
    await rig.start()
    await rig.tell("o")
    await rig.until(lambda: rig.one("o").waiting_for == "event")
    await rig.tell("other", kind="paid")
    await rig.settled()
    assert rig.one("o").state == "waiting"
    await rig.tell("o", kind="paid")
    await rig.until(lambda: rig.state("o") == "completed")
    rig.check()


async def test_an_event_that_came_before_it_was_expected_counts(rigs: Rigs) -> None:
    async def steps(tx: Any, event: Any, *, vendor: Vendor) -> None:
        await tx.effect("first", vendor.operation("first"))
        await tx.expect("payment", Paid, match=event.order, within_s=3600)

    rig = rigs(steps)
    rig.vendor.plan = {"first": ["down"] * 3}
    rig.ticking = False
    await rig.start()
    await rig.tell("o")
    await rig.until(lambda: rig.one("o").waiting_for == "vendor")
    await rig.tell("o", kind="paid")
    rig.clock.advance(10)
    await rig.until(lambda: rig.state("o") == "completed")


async def test_an_event_between_looking_and_falling_asleep_is_not_missed(rigs: Rigs) -> None:
    rig = rigs(pay_then_ship)
    rig.ticking = False
    await rig.start()
    real = rig.driver._put_to_sleep
    told: list[int] = []

    async def late(*parts: Any) -> None:
        if not told:
            told.append(1)
            await rig.tell("o", kind="paid")
        await real(*parts)

    rig.driver._put_to_sleep = late  # pyright: ignore[reportAttributeAccessIssue]
    await rig.tell("o")
    await rig.until(lambda: rig.state("o") == "completed")


async def test_its_own_event_is_not_the_one_it_expects(rigs: Rigs) -> None:
    async def steps(tx: Any, event: Any, *, vendor: Vendor) -> None:
        await tx.expect("another", Ordered, match=event.order, within_s=60)

    rig = rigs(steps)
    rig.ticking = False
    await rig.start()
    await rig.tell("o")
    await rig.settled()
    assert rig.one("o").waiting_for == "event"


async def test_a_promise_not_kept_in_time_becomes_an_exception_once(rigs: Rigs) -> None:
    rig = rigs(pay_then_ship)
    rig.ticking = False
    await rig.start()
    await rig.tell("held")
    await rig.until(lambda: rig.one("held").waiting_for == "event")
    rig.clock.advance(3599)
    await rig.settled()
    assert rig.open_items() == []
    rig.clock.advance(2)
    await rig.until(lambda: rig.state("held") == "exception")
    await rig.settled()
    assert [item.code for item in rig.open_items()] == ["promise.broken"]


async def test_woken_it_queues_behind_whoever_has_the_turn(rigs: Rigs) -> None:
    """Two transactions of one lane never run side by side, also after a wait."""
    rig = rigs(pay_then_ship)
    rig.ticking = False
    await rig.start()
    await rig.tell("a", customer="c")
    await rig.until(lambda: rig.one("a").waiting_for == "event")
    rig.vendor.plan = {"held/hold": ["down"] * 3}
    await rig.tell("held", customer="c")
    await rig.until(lambda: rig.one("held").waiting_for == "vendor")
    await rig.tell("a", kind="paid")
    await rig.settled_but_vendor()
    assert rig.one("a").turn == 0
    assert rig.vendor.times("a") == 0
    rig.clock.advance(10)
    await rig.until(lambda: rig.state("a") == "completed")
    rig.check()
