"""Killed at every boundary, on the first run, in recovery and in its recovery: nothing is lost, nothing is doubled.

One case again, as its failure names it: `ACCORDANT_KILL_CASE='onboarding/journal/sqlite/effect.send:after@3'` with
further kills after ` > `.
"""

import os
from datetime import date
from pathlib import Path

import pytest

from accordant.proving.boundaries import places
from tests.campaign_figures import drop
from tests.kills.case import Case
from tests.kills.order import Order
from tests.kills.play import Tally, outcomes
from tests.kills.plays import FLOWS, SHIPPED

NOT_THERE = {
    # SQLite has one process, no workers, no server that could drop a lock or plan for empty tables, and refuses no text
    # that JSON can hold.
    "sqlite": (
        *("pump.quarantine", "database.statistics"),
        *("dbos.", "database.turn", "schema.turn", "locks.ask", "locks.run", "locks.watch"),
        *("owner.advise", "owner.again", "owner.look", "owner.retake", "owner.watch"),
    ),
    # PostgreSQL looks after its own log and takes no lock on a file.
    "postgresql": ("database.checkpoint", "owner.lock", "schema.begin"),
}
"""Boundaries that the code for this database never comes to; the other database's matrix is killed at each of them."""
TODAY = date.today().toordinal()  # noqa: DTZ011 - which sample is drawn, nothing more
QUICK = (*(f"{one.name}/journal" for one in (*SHIPPED, *FLOWS) if one.is_sampled), "winding/journal")


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "stage")


def tally_of(order: Order) -> Tally:
    tally = Tally()
    for outcome in outcomes(order):
        tally.add(outcome)
    return tally


@pytest.mark.kills
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_sample_of_places_of_every_flow(folder: str) -> None:
    """Another sample each day; the campaign plays them all."""
    order = Order(folder=folder, database="sqlite", scenes=QUICK, places=9, seed=TODAY)
    tally = tally_of(order)
    assert not tally.violations, "\n".join(tally.violations)
    assert sum(tally.kills.values()) >= 30, f"too few kills happened: {tally.missed}"


@pytest.mark.kills
@pytest.mark.postgres
@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_every_place_of_the_platform(database: str, folder: str, request: pytest.FixtureRequest) -> None:
    server = request.getfixturevalue("postgresql") if database == "postgresql" else ""
    order = Order(folder=folder, database=database, server=server, effort="full", budget_s=10, seed=TODAY, jobs=3)
    tally = Tally()
    registry = {place for place in places() if not place.startswith(NOT_THERE[database])}
    for outcome in outcomes(order):
        tally.add(outcome)
        for covered in tally.covered.values():
            covered -= {"test:before", "test:after"}  # what a scene commits itself
        if tally.cases % 50 == 0:  # whoever ends it early still sees what it found
            write_results(tally, registry, database)
    write_results(tally, registry, database)
    assert not tally.violations, "\n".join(tally.violations)
    assert tally.worst_resume_s <= 10
    assert registry - tally.covered[1] == set(), "no kill ever hit these places"
    assert tally.covered[1] <= registry, "places that are not there, or that the sources do not name"
    assert len(tally.covered[2]) >= 60
    assert len(tally.covered[3]) >= 60


@pytest.mark.campaign
@pytest.mark.skipif("ACCORDANT_KILL_CASE" not in os.environ, reason="names no case to see again")
def test_one_case_again(folder: str, request: pytest.FixtureRequest) -> None:
    scene, engine, database, kills = os.environ["ACCORDANT_KILL_CASE"].split("/", 3)
    one = Case(scene=scene, engine=engine, database=database, kills=tuple(kills.split(" > ")))
    server = request.getfixturevalue("postgresql") if database == "postgresql" else ""
    assert tally_of(Order(folder=folder, database=database, server=server, cases=(one,))).violations == []


def test_every_place_is_killed_at_on_one_database_at_least() -> None:
    assert not [place for place in places() if all(place.startswith(one) for one in NOT_THERE.values())]


def write_results(tally: Tally, registry: set[str], database: str) -> None:
    """For the report of the campaign, where it asks for it."""
    figures: dict[str, object] = {
        f"{database}: places": len(registry),
        f"{database}: never killed at": " ".join(sorted(registry - tally.covered[1])),
        f"{database}: reached": len(tally.reached),
        f"{database}: killed at": len(tally.covered[1]),
        f"{database}: killed at in recovery": len(tally.covered[2]),
        f"{database}: killed at in recovery of recovery": len(tally.covered[3]),
        "cases": tally.cases,
        "kills": sum(tally.kills.values()),
        f"{database}: worst resume_s": round(tally.worst_resume_s, 2),
        "violations": len(tally.violations),
    }
    if tally.violations:
        figures["violating"] = "; ".join(tally.violations[:20])
    drop(f"kills-{database}", figures, part="kills")
