"""What the machine found once, played again by hand: one promise each, as short as the example could be made."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from accordant.operations.replay import Selection
from tests import databases
from tests.stateful.business import FIRST_WORDS
from tests.stateful.world import Delivery, World

HOUR, DAY = 3600, 86_400


@pytest.fixture(params=range(3))
def world(request: pytest.FixtureRequest, sqlite_template: Path, tmp_path: Path) -> Iterator[World]:
    one = World(databases.fresh_sqlite(sqlite_template, tmp_path), seed=request.param)
    yield one
    one.close()


def rests_well(world: World) -> None:
    world.books.always()
    world.come_to_rest()
    world.books.always()
    world.books.at_rest()


def test_versions_of_one_second_take_effect_in_their_order(world: World) -> None:
    """The source counts seconds; what it changed twice within one must not be told apart by chance."""
    world.systems.tiers.is_down = True
    for customer in ("ann", "bob", "cyd", "dan"):
        for content in ("silver", "gold", "silver", "gold"):
            world.edit("tier", customer, customer=customer, content=content, dropped=False)
            world.deliver(world.on_the_way[0])
            world.work(0.02)
    rests_well(world)


def test_a_payment_counts_though_the_clock_was_set_back_before_it_came(world: World) -> None:
    world.edit("order", "o1", customer="ann", content="prepaid 100", dropped=False)
    world.deliver(world.on_the_way[0])
    world.work(1)
    world.time.skew_s = -24 * HOUR
    world.edit("payment", "o1", customer="ann", content="paid", dropped=False)
    world.deliver(world.on_the_way[0])
    rests_well(world)


def test_a_clock_set_back_makes_no_newer_write_look_older(world: World) -> None:
    world.edit("tier", "ann", customer="ann", content="silver", dropped=False)
    world.deliver(world.on_the_way[0])
    world.work(0.05)
    world.kill()
    world.time.skew_s = -HOUR
    world.start(dies_again_in=None)
    world.edit("tier", "ann", customer="ann", content="gold", dropped=False)
    world.deliver(world.on_the_way[0])
    rests_well(world)


def test_a_key_is_old_also_when_the_clock_says_otherwise(world: World) -> None:
    """The vendor has forgotten the key; only a look-up can tell whether the first sending was applied."""
    world.systems.billing.plan = ["timeout after", "down", "down", "down"]
    world.edit("order", "o1", customer="ann", content="plain 100", dropped=False)
    world.deliver(world.on_the_way[0])
    world.work(0.3)
    world.time.advance(25 * HOUR)
    world.time.skew_s = -24 * HOUR
    rests_well(world)


def test_a_payment_that_overtakes_its_order_counts(world: World) -> None:
    world.edit("order", "o1", customer="ann", content="prepaid 100", dropped=False)
    world.edit("payment", "o1", customer="ann", content="paid", dropped=False)
    for one in reversed(list(world.on_the_way)):
        world.deliver(one)
        world.work(0.5)
    rests_well(world)


def test_of_two_people_at_one_message_one_acts_and_the_other_is_told(world: World) -> None:
    for n in range(8):
        world.deliver(Delivery(f"bad-{n}", b"{" * (n + 1), "malformed"))
    world.work(1)
    platform = world.platform
    for item in world.books.tables()["exception"]:
        again = Selection(ids=(item.message_id,))
        world.operate(
            lambda name=item.exception_id: platform.desk.retry(name, actor="ann"),
            lambda again=again: platform.replays.run(again, tenant="t", actor="bob"),
            lambda again=again: platform.replays.run(again, tenant="t", actor="cyd"),
        )
        world.books.always()
    rests_well(world)


def test_nothing_is_taken_back_while_nobody_knows_what_was_applied(world: World) -> None:
    """A write of class D is in doubt: the order is not `compensated` over it, a person is asked."""
    world.decide(known=FIRST_WORDS, on_failure="compensate", meanings={})
    world.systems.notes.plan = ["timeout after"]
    world.edit("order", "o1", customer="ann", content="noted 100", dropped=False)
    world.deliver(world.on_the_way[0])
    world.work(3)
    rests_well(world)


def test_what_somebody_else_had_written_is_never_taken_back(world: World) -> None:
    world.decide(known=FIRST_WORDS, on_failure="compensate", meanings={})
    world.systems.billing.plan = ["already there"]
    world.systems.support.plan = ["reject"]
    world.edit("order", "o1", customer="ann", content="plain 100", dropped=False)
    world.deliver(world.on_the_way[0])
    world.work(3)
    assert [one.state for one in world.books.tables()["transaction"]] == ["compensated"]
    assert [one.verb for one in world.systems.erp.ledger] == ["write", "take back"]
    rests_well(world)


def test_a_note_in_doubt_is_sent_once_however_often_it_is_retried(world: World) -> None:
    world.systems.notes.plan = ["timeout after"]
    world.edit("order", "o1", customer="ann", content="noted 100", dropped=False)
    world.deliver(world.on_the_way[0])
    for _ in range(3):
        world.work(2)
        item = next(one for one in world.books.tables()["exception"] if one.state == "open")
        assert item.code == "effect.in_doubt"
        world.operate(lambda name=item.exception_id: world.platform.desk.retry(name, actor="ops"))
    rests_well(world)
