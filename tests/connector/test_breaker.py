"""A failing vendor is left alone, asked once whether it is back, and believed when it is."""

import pytest

from accordant.connector.breaker import Breaker
from accordant.kernel.clock import ManualClock


def entered(breaker: Breaker) -> int:
    ticket = breaker.enter()
    assert ticket is not None
    return ticket


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def breaker(clock: ManualClock) -> Breaker:
    return Breaker(clock=clock, failures_max=3, open_s=1, open_max_s=4)


def opened(breaker: Breaker) -> Breaker:
    while breaker.state == "closed":
        breaker.failed(entered(breaker))
    return breaker


def test_it_opens_after_failures_in_a_row_only(breaker: Breaker) -> None:
    for _ in range(5):
        breaker.failed(entered(breaker))
        breaker.failed(entered(breaker))
        breaker.succeeded(entered(breaker))
    assert breaker.state == "closed"
    assert breaker.reopen_in_s == 0
    for _ in range(3):
        breaker.failed(entered(breaker))
    assert breaker.state == "open"
    assert breaker.enter() is None
    assert breaker.reopen_in_s == 1


def test_one_probe_at_a_time_decides(breaker: Breaker, clock: ManualClock) -> None:
    opened(breaker)
    clock.advance(0.999)
    assert breaker.enter() is None
    clock.advance(0.001)
    probe = entered(breaker)
    assert breaker.state == "half_open"
    assert breaker.enter() is None
    breaker.succeeded(probe)
    assert breaker.state == "closed"
    assert breaker.enter() is not None


def test_failed_probes_double_the_wait_up_to_a_cap_and_success_forgets_it(breaker: Breaker, clock: ManualClock) -> None:
    opened(breaker)
    waits: list[float] = []
    for _ in range(4):
        waits.append(breaker.reopen_in_s)
        clock.advance(breaker.reopen_in_s)
        breaker.failed(entered(breaker))
    assert waits == [1, 2, 4, 4]
    clock.advance(4)
    breaker.succeeded(entered(breaker))
    assert opened(breaker).reopen_in_s == 1


def test_late_outcomes_of_calls_begun_before_change_nothing(breaker: Breaker, clock: ManualClock) -> None:
    old = entered(breaker)
    opened(breaker)
    breaker.succeeded(old)
    assert breaker.state == "open"
    clock.advance(1)
    probe = entered(breaker)
    breaker.succeeded(old)
    breaker.failed(old)
    assert breaker.state == "half_open"
    breaker.succeeded(probe)
    for _ in range(5):
        breaker.failed(old)
        breaker.failed(probe)
    assert breaker.state == "closed"


def test_a_probe_that_was_given_up_is_sent_anew(breaker: Breaker, clock: ManualClock) -> None:
    opened(breaker)
    clock.advance(1)
    breaker.abandoned(entered(breaker))
    breaker.succeeded(entered(breaker))
    assert breaker.state == "closed"
