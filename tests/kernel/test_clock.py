"""The platform's own time is never set back, and is not held up by a clock that was wrong by years."""

import pytest

from accordant.kernel.clock import SteadyClock

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
NOW_MS = 1_700_000_000_000


class Wall:
    """True time passes; what the machine shows may be wrong."""

    def __init__(self) -> None:
        self.passed_s = 0.0
        self.wrong_ms = 0

    def now_ms(self) -> int:
        return NOW_MS + round(self.passed_s * 1000) + self.wrong_ms

    def monotonic_s(self) -> float:
        return 50.0 + self.passed_s


def test_it_is_the_wall_clock_where_that_only_goes_forward() -> None:
    wall = Wall()
    steady = SteadyClock(wall)
    for passed_s, wrong_ms in ((0.0, 0), (1.5, 0), (2.0, DAY_MS)):
        wall.passed_s, wall.wrong_ms = passed_s, wrong_ms
        assert steady.now_ms() == wall.now_ms()


def test_set_back_it_goes_on_at_the_pace_of_true_time() -> None:
    wall = Wall()
    steady = SteadyClock(wall)
    before = steady.now_ms()
    wall.wrong_ms = -24 * HOUR_MS
    for seconds in (0.0, 0.0004, 0.0008, 10.0, 3600.0):
        wall.passed_s = seconds
        assert steady.now_ms() == before + int(seconds * 1000)
    wall.wrong_ms = 0
    assert steady.now_ms() == wall.now_ms()


def test_set_back_while_nobody_ran_it_goes_on_where_the_last_process_ended() -> None:
    wall = Wall()
    steady = SteadyClock(wall, not_before_ms=NOW_MS + HOUR_MS)
    assert steady.now_ms() == NOW_MS + HOUR_MS
    wall.passed_s = 5
    assert steady.now_ms() == NOW_MS + HOUR_MS + 5000


@pytest.mark.parametrize(
    ("ahead_ms", "believed"), [(2 * DAY_MS, True), (2 * DAY_MS + 1, False), (14 * 365 * DAY_MS, False)]
)
def test_instants_of_a_clock_that_was_wrong_by_more_than_two_days_are_not_followed(
    ahead_ms: int, believed: bool
) -> None:
    wall = Wall()
    steady = SteadyClock(wall, not_before_ms=NOW_MS + ahead_ms)
    assert (steady.now_ms() == NOW_MS + ahead_ms) is believed
    assert (steady.now_ms() == wall.now_ms()) is not believed
