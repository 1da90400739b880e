"""Failpoints: nothing without a plan, and with one exactly what it says."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from accordant.kernel import failpoints
from accordant.kernel.errors import Misconfigured
from accordant.kernel.failpoints import InjectedFailure, around


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    failpoints.arm(None)


def test_both_sides_are_told_and_the_far_side_only_of_success() -> None:
    reached: list[str] = []
    failpoints.arm(reached.append)
    with around("a"):
        pass
    with pytest.raises(ZeroDivisionError), around("b"):
        _ = 1 / 0
    assert reached == ["a:before", "a:after", "b:before"]


def test_without_a_plan_nothing_is_told() -> None:
    reached: list[str] = []
    failpoints.arm(reached.append)
    failpoints.arm(None)
    with around("a"):
        pass
    assert reached == []
    assert not failpoints.arm_from({})


def test_a_step_acts_at_its_own_count_only(tmp_path: Path) -> None:
    failpoints.arm(failpoints.parse(f"a:after@2=fail, b:before@1=sleep:0.05, *@0=trace:{tmp_path}/trace"))
    with around("a"):
        pass
    began = time.monotonic()
    with around("b"):
        pass
    assert time.monotonic() - began >= 0.05
    with pytest.raises(InjectedFailure, match="a:after"), around("a"):
        pass
    with around("a"):
        pass
    told = (tmp_path / "trace").read_text().split()
    assert told == ["a:before", "a:after", "b:before", "b:after", "a:before", "a:after", "a:before", "a:after"]


def test_a_kill_is_a_kill() -> None:
    code = (
        "from accordant.kernel.failpoints import arm, around, parse\n"
        "arm(parse('*@3=kill'))\n"
        "for _ in range(2):\n"
        "    with around('a'):\n"
        "        pass\n"
        "    print('passed', flush=True)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=30)
    assert ended.returncode == -signal.SIGKILL
    assert ended.stdout == "passed\n"


@pytest.mark.parametrize("text", ["a", "a@1", "a@x=kill", "@1=kill", "a@1=explode"])
def test_a_plan_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured, match="expected PLACE@N=ACTION"):
        failpoints.parse(text)
