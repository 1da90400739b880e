"""`accordant verify`: what it says, how it ends, and that a planted violation does not pass."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from accordant.experience.cli import verify as command
from accordant.experience.cli.main import app
from accordant.kernel.clock import SystemClock
from accordant.kernel.errors import Unavailable
from accordant.proving.checker import RULES, judge
from accordant.proving.checker.history import Finding, History, Verdict
from accordant.proving.drill import Drill, Drilled, Plan
from accordant.proving.report import Result, conclude, figures
from accordant.proving.suite import Verified, Wish
from accordant.proving.warm import Host, Order

pytestmark = pytest.mark.kills
KEYS = {"ambiguities", "kills", "restarts", "rules", "seed", "versions", "durability", "holds", "verdict", "evidence"}


class Played:
    """One short drill on SQLite, played once for all tests of this file, and judged again for each planted fault."""

    def __init__(self, state: Path) -> None:
        import asyncio

        self.url = f"sqlite:///{state / 'accordant.db'}"
        plan = Plan(state=state, database_url=self.url, seed=20_261_121, seconds=8, backlog=120)
        self.drilled: Drilled = asyncio.run(Drill(plan, clock=SystemClock()).run())

    def result(self, spoil: Callable[[History], History] = lambda history: history) -> Result:
        verdict = judge(spoil(self.drilled.history))
        return conclude(verdict, self.drilled, seed=1, database_url=self.url)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return Played(tmp_path_factory.mktemp("drill"))


@pytest.mark.slow
def test_a_drill_kills_the_platform_and_the_promises_hold(played: Played) -> None:
    result = played.result()
    assert result.holds, (result.verdict, result.findings)
    assert result.kills >= 1
    assert result.restarts >= 1
    assert result.transactions > 50
    assert {rule.rule for rule in result.rules} == {*RULES, "resume", "ends", "differences"}
    assert all(rule.judged for rule in result.rules if rule.rule not in {"in_doubt", "resume"})
    assert result.deliveries["ok"] > 0
    assert "synchronous=FULL" in result.durability
    assert 0 <= result.rest_s <= 60


def twice(history: History) -> History:
    """The first order is created a second time."""
    line = next(one for one in history.applied if (one.kind, one.change) == ("order", "create"))
    return msgspec.structs.replace(history, applied=(*history.applied, msgspec.structs.replace(line, n=10**6)))


def never(history: History) -> History:
    """A subscription that billing confirmed is not in its ledger."""
    gone = next(one for one in history.applied if (one.kind, one.change) == ("subscription", "create"))
    kept = tuple(one for one in history.applied if one.business_id != gone.business_id)
    return msgspec.structs.replace(history, applied=kept)


def forgotten(history: History) -> History:
    """A webhook that was acknowledged is not in the inbox."""
    told = next(one for one in history.truth.acknowledged if one.outcome == "ok")
    records = history.records
    messages = tuple(one for one in records.messages if one.delivery_id != told.delivery_id)
    return msgspec.structs.replace(history, records=msgspec.structs.replace(records, messages=messages))


def shown(history: History) -> History:
    """A signing secret stands in a log."""
    canary = history.truth.canaries[-1]
    return msgspec.structs.replace(history, artefacts={"platform.log": f"retrying with {canary}".encode()})


def a_cent_more(history: History) -> History:
    """The books hold one smallest unit more than was agreed."""
    held = {role: {kind: list(many) for kind, many in kinds.items()} for role, kinds in history.held.items()}
    order = dict(held["erp"]["order"][0])
    held["erp"]["order"][0] = {**order, "amount_minor": order["amount_minor"] + 1}
    return msgspec.structs.replace(history, held=held)


def restless(history: History) -> History:
    """Nothing ever came to rest."""
    return msgspec.structs.replace(history, at_rest_ms=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (twice, "duplicate"),
        (never, "partial"),
        (forgotten, "lost"),
        (shown, "secrets"),
        (a_cent_more, "money"),
        (restless, "liveness"),
    ],
)
def test_a_planted_violation_is_named(played: Played, spoil: Callable[[History], History], rule: str) -> None:
    result = played.result(spoil)
    assert not result.holds
    assert rule in {finding.rule for finding in result.findings}
    assert "NOT hold" in result.verdict


def lied_about(history: History) -> History:
    """The books confirmed the change of an order and left it out; the read-back found that, and somebody owns it."""
    amended = {one.business_id for one in history.records.effects if one.name == "amend order" and one.own}
    updates = (one for one in history.applied if (one.kind, one.change) == ("order", "update"))
    line = next(one for one in updates if one.business_id in amended)
    before = next(one for one in history.applied if one.business_id == line.business_id and one.change == "create")
    held = {role: {kind: list(many) for kind, many in kinds.items()} for role, kinds in history.held.items()}
    held["erp"]["order"] = [
        {**one, "amount_minor": before.amount_minor} if one["business_id"] == line.business_id else one
        for one in held["erp"]["order"]
    ]
    changed = [one for one in history.records.effects if one.business_id == line.business_id and one.own]
    effect = next(one for one in changed if one.name == "amend order")
    effects = [msgspec.structs.replace(one, checked="different") if one is effect else one for one in changed]
    others = [one for one in history.records.effects if one not in changed]
    (row,) = [one for one in history.records.transactions if one.transaction_id == effect.transaction_id]
    item = msgspec.structs.replace(
        history.records.exceptions[0],
        state="open",
        transaction_id=row.transaction_id,
        message_id="",
        subject=row.subject,
    )
    records = msgspec.structs.replace(
        history.records, effects=(*others, *effects), exceptions=(*history.records.exceptions, item)
    )
    applied = tuple(one for one in history.applied if one is not line)
    truth = msgspec.structs.replace(history.truth, lies=history.truth.lies + 1)
    return msgspec.structs.replace(history, applied=applied, held=held, records=records, truth=truth)


@pytest.mark.slow
def test_a_lie_that_is_found_out_and_owned_is_no_violation_and_one_that_nobody_told_is(played: Played) -> None:
    found_out = lied_about(played.drilled.history)
    assert judge(found_out, rules=["lost", "partial", "stale", "money"]).findings == ()
    untold = msgspec.structs.replace(found_out, truth=msgspec.structs.replace(found_out.truth, lies=0))
    broken = judge(untold, rules=["lost", "partial", "stale", "money"]).findings
    assert {"stale", "money"} <= {one.rule for one in broken}
    drilled = msgspec.structs.replace(played.drilled, history=untold)
    result = conclude(judge(untold), drilled, seed=1, database_url=played.url)
    assert "differences" in {one.rule for one in result.findings}


@pytest.mark.slow
def test_what_had_nothing_to_look_at_proves_nothing(played: Played) -> None:
    verdict = judge(played.drilled.history)
    idle = Verdict(judged={**verdict.judged, "duplicate": 0}, findings=())
    result = conclude(idle, played.drilled, seed=1, database_url=played.url)
    assert not result.holds
    assert "duplicate had nothing to look at" in result.verdict


RESULT = Result(
    holds=True,
    verdict="The promises held: 9 transactions.",
    rules=(),
    findings=(),
    seed=7,
    transactions=9,
    kills=3,
    restarts=4,
    cold_starts=0,
    kills_during_recovery=1,
    kill_places={"anywhere": 3},
    pauses=0,
    outages=0,
    ambiguities=2,
    faults={"slow": 2},
    deliveries={"ok": 1, "failed": 0, "unknown": 0},
    effects_redriven=0,
    resume_s={"median": 0.5, "longest": 0.9},
    rest_s=3.0,
    disturbed_s=8.0,
    durability="SQLite",
    versions={"accordant": "0.1.0"},
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Wish]:
    """What the command asks for; it gets RESULT without a drill."""
    wishes: list[Wish] = []

    def answer(wish: Wish, **_: Any) -> Verified:
        wishes.append(wish)
        return Verified(result=RESULT, evidence=None)

    monkeypatch.setattr(command, "verify_promises", answer)
    return wishes


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["verify", *arguments])


def test_it_runs_five_minutes_with_a_new_seed_unless_told_otherwise(asked: list[Wish]) -> None:
    assert run().exit_code == 0
    assert run("--seed", "5", "--seconds", "9").exit_code == 0
    assert (asked[0].seconds, asked[0].database_url, asked[0].state) == (300, None, None)
    assert (asked[1].seconds, asked[1].seed) == (9, 5)


def test_the_report_ends_with_one_plain_sentence(asked: list[Wish]) -> None:
    said = run().stdout
    assert "The promises held: 9 transactions." in said.splitlines()[-1]
    assert "3 kills (1 during recovery), 4 restarts" in said
    assert "2 ambiguous answers" in said


def test_for_programs_it_is_one_document(asked: list[Wish]) -> None:
    told = json.loads(run("--json").stdout)
    assert set(told) >= KEYS
    assert (told["kills"], told["seed"], told["ambiguities"]) == (3, 7, 2)


def test_a_violation_ends_with_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = Finding(rule="duplicate", what="order was created 2 times", where="order-1")
    broken = msgspec.structs.replace(RESULT, holds=False, verdict="The promises do NOT hold.", findings=(found,))
    monkeypatch.setattr(command, "verify_promises", lambda *_, **__: Verified(result=broken, evidence=tmp_path))
    ended = run()
    assert ended.exit_code == 1
    assert "order was created 2 times (order-1)" in ended.stdout
    assert "Evidence:" in ended.stdout


def test_what_could_not_run_ends_with_three(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Verified:
        raise Unavailable("the stripe sandbox did not start")

    monkeypatch.setattr(command, "verify_promises", fail)
    ended = run("--json")
    assert ended.exit_code == 3
    assert json.loads(ended.stdout)["error"]["message"] == "the stripe sandbox did not start"


@pytest.mark.parametrize("seconds", ["0", "-1", "nan"])
def test_no_time_at_all_is_wrong_usage(seconds: str) -> None:
    assert run("--seconds", seconds).exit_code == 2


def test_a_used_folder_or_file_is_refused_with_two(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    ended = run("--state", str(tmp_path))
    assert ended.exit_code == 2
    assert "is not empty" in ended.stderr
    ended = run("--db", f"sqlite:///{tmp_path / 'mine.txt'}", "--json")
    assert ended.exit_code == 2
    assert json.loads(ended.stdout)["error"]["code"] == "verify.database_not_empty"


def test_a_forked_life_is_a_process_that_is_really_killed(tmp_path: Path) -> None:
    host = Host(log=tmp_path / "host.log")
    try:
        order = Order(arguments=("verify", "--seconds", "0"), environment={}, log=str(tmp_path / "one.log"))
        ended = host.fork(order)
        assert ended.wait(30) == 2
        assert "too short" in (tmp_path / "one.log").read_text()
        worker = ("worker", "--state", str(tmp_path / "none"), "--port", "1")
        held = host.fork(Order(arguments=worker, environment={"ACCORDANT_FAILPOINTS": "*@1=stop"}, log=os.devnull))
        with pytest.raises(subprocess.TimeoutExpired):
            held.wait(0.5)
        held.send_signal(signal.SIGKILL)
        assert held.wait(10) == -signal.SIGKILL
        assert held.poll() == -signal.SIGKILL
    finally:
        host.close()


def test_figures_are_plain_values() -> None:
    assert json.loads(json.dumps(figures(RESULT)))["holds"] is True
