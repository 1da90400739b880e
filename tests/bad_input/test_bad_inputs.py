"""Bad input gives a named error, quickly and in little room, at every door; nothing is refused in silence."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.bad_input.batch import Outcome
from tests.bad_input.doors import surfaces
from tests.bad_input.judge import wrongs
from tests.bad_input.registry import codes
from tests.bad_input.table import cases, inputs, tables

ROOT = Path(__file__).parents[2]
CATALOGUE = set(range(1, 171))


STORING = ("stripe", "zendesk", "api", "cli")
PLAIN = tuple(sorted(set(surfaces()) - set(STORING)))


@pytest.mark.parametrize("doors", [PLAIN, STORING], ids=["reading", "storing"])
def test_every_input_is_answered_as_the_table_says(doors: tuple[str, ...], tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.bad_input.batch", str(tmp_path / "s"), *doors],
        cwd=ROOT,
        env={**os.environ, "MALLOC_ARENA_MAX": "1", "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    outcomes = [msgspec.json.decode(line, type=Outcome) for line in ended.stdout.splitlines()]
    table = [(surface, one) for surface in doors for one in cases(surface)]
    assert len(outcomes) == len(table), ended.stderr[-2000:]
    wrong = [
        f"{surface}: {one.name}: {what}"
        for (surface, one), outcome in zip(table, outcomes, strict=True)
        for what in wrongs(surface, one, outcome)
    ]
    assert not wrong, "\n".join(wrong)


def test_nothing_of_the_catalogue_is_left_out() -> None:
    fed = {number for one in inputs() for number in one.numbers} - {0}
    told = {number for table in tables().values() for later in (*table.not_yet, *table.elsewhere) for number in later.n}
    assert fed | told == CATALOGUE
    assert all(later.why for table in tables().values() for later in (*table.not_yet, *table.elsewhere))


def test_every_input_goes_to_a_surface_that_exists() -> None:
    assert {surface for one in inputs() for surface in one.to} == set(surfaces())
    names = [(surface, one.name) for one in inputs() for surface in one.to]
    assert len(names) == len(set(names))


def test_every_code_has_an_input_or_a_test() -> None:
    known = codes()
    fed = {one.code for one in inputs()} - {"ok", "usage"}
    caused = {code: why for table in tables().values() for code, why in table.codes.items()}
    assert not sorted(set(known) - fed - set(caused)), "codes without an input or a named test"
    assert not sorted(set(caused) & fed), "they have an input: strike them from the list"
    assert not sorted(set(caused) - set(known)), "nobody says them any more"
    for code, why in caused.items():
        path = ROOT / why.split("::")[0]
        assert path.exists(), (code, why)
        assert code in path.read_text() or "::" in why, (code, why)


def test_the_tables_expect_no_code_that_nobody_says() -> None:
    known = set(codes())
    assert {one.code for one in inputs()} - {"ok", "usage"} - known <= {"http.not_found", "http.method_not_allowed"}
