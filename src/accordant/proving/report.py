"""What a drill came to: a verdict, a line for each rule, and the figures that somebody else can compare."""

import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import msgspec

from accordant.kernel.database import Database
from accordant.kernel.database.connection import durability
from accordant.proving.checker.history import Acknowledged, Finding, History, Verdict
from accordant.proving.disturbance import ambiguities_in
from accordant.proving.drill import Drilled
from accordant.proving.lives import Lives

RESUME_WITHIN_S = 10.0
"""How soon after a kill the platform must drive transactions again."""
_SHOWN = 50


class RuleResult(msgspec.Struct, frozen=True, kw_only=True):
    """How one rule found the history."""

    rule: str
    judged: int
    violations: int


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The whole outcome, as `--json` prints it."""

    holds: bool
    verdict: str
    rules: tuple[RuleResult, ...]
    findings: tuple[Finding, ...]
    """The first of them."""
    seed: int
    transactions: int
    kills: int
    restarts: int
    cold_starts: int
    kills_during_recovery: int
    kill_places: Mapping[str, int]
    pauses: int
    outages: int
    ambiguities: int
    faults: Mapping[str, int]
    deliveries: Mapping[str, int]
    effects_redriven: int
    resume_s: Mapping[str, float]
    """Median and longest time from a kill until transactions were driven again."""
    rest_s: float
    """From healing until nothing was left to do; -1 where that never came."""
    disturbed_s: float
    durability: str
    versions: Mapping[str, str]


def conclude(verdict: Verdict, drilled: Drilled, *, seed: int, database_url: str) -> Result:
    """The figures and the sentence."""
    lives = drilled.lives
    own = (_resume(lives), _ends(lives), _differences(drilled.history))
    rules = tuple(_rules(verdict)) + tuple(rule for rule, _ in own)
    findings = (*verdict.findings, *(finding for _, found in own for finding in found))
    return Result(
        holds=not findings and all(one.judged for one in rules if one.rule not in MAY_BE_IDLE),
        verdict=sentence(rules, kills=lives.kills, transactions=drilled.transactions),
        rules=rules,
        findings=findings[:_SHOWN],
        seed=seed,
        transactions=drilled.transactions,
        kills=lives.kills,
        restarts=lives.restarts,
        cold_starts=lives.cold,
        kills_during_recovery=lives.in_recovery,
        kill_places=dict(sorted(lives.killed_at.items())),
        pauses=lives.pauses,
        outages=drilled.outages,
        ambiguities=ambiguities_in(drilled.faults),
        faults=dict(sorted(drilled.faults.items())),
        deliveries=_deliveries(drilled.history.truth.acknowledged),
        effects_redriven=sum(one.redriven for one in drilled.history.records.effects),
        resume_s=_spread(lives.resumed_s),
        rest_s=drilled.rest_s,
        disturbed_s=round(drilled.disturbed_s, 1),
        durability=_durability(database_url),
        versions=_versions(database_url),
    )


MAY_BE_IDLE = frozenset({"in_doubt", "resume"})
"""Rules that have nothing to look at: no connector has such an operation, no kill left work behind."""


def sentence(rules: Sequence[RuleResult], *, kills: int, transactions: int) -> str:
    """The verdict in one sentence."""
    broken = [one for one in rules if one.violations]
    if broken:
        told = ", ".join(f"{one.rule} {one.violations}" for one in broken)
        return f"The promises do NOT hold: {told}."
    idle = [one.rule for one in rules if not one.judged and one.rule not in MAY_BE_IDLE]
    if idle:
        return f"Nothing is proven: {', '.join(idle)} had nothing to look at; let it run longer."
    return f"The promises held: {transactions:,} transactions, {kills:,} kills, no violation of {len(rules)} rules."


def _rules(verdict: Verdict) -> list[RuleResult]:
    broken = Counter(finding.rule for finding in verdict.findings)
    return [RuleResult(rule=name, judged=n, violations=broken[name]) for name, n in verdict.judged.items()]


def _resume(lives: Lives) -> tuple[RuleResult, list[Finding]]:
    """After each kill work goes on in time."""
    late = [one for one in lives.resumed_s if one > RESUME_WITHIN_S]
    what = f"it took %.1f s to go on after a kill; expected at most {RESUME_WITHIN_S:.0f}"
    found = [Finding(rule="resume", what=what % one, where="platform") for one in late]
    return RuleResult(rule="resume", judged=len(lives.resumed_s), violations=len(found)), found


def _ends(lives: Lives) -> tuple[RuleResult, list[Finding]]:
    """The platform ends when it is told or killed, and never by itself."""
    found = [Finding(rule="ends", what=what, where="platform.log") for what in lives.surprises]
    return RuleResult(rule="ends", judged=lives.restarts + 1, violations=len(found)), found


def _differences(history: History) -> tuple[RuleResult, list[Finding]]:
    """Records differ from what was confirmed only where a system lied."""
    effects = history.records.effects
    differ = [one for one in effects if one.checked == "different"]
    what = f"{len(differ)} effects were found different, and systems lied {history.truth.lies} times"
    wrong = differ[:1] if len(differ) > history.truth.lies else []
    found = [Finding(rule="differences", what=what, where=one.transaction_id) for one in wrong]
    judged = sum(1 for one in effects if one.checked)
    return RuleResult(rule="differences", judged=judged, violations=len(found)), found


def _deliveries(acknowledged: Sequence[Acknowledged]) -> dict[str, int]:
    counted = Counter[str](one.outcome for one in acknowledged)
    return {outcome: counted[outcome] for outcome in ("ok", "failed", "unknown")}


def _spread(seconds: Sequence[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    if not ordered:
        return {}
    return {"median": round(ordered[len(ordered) // 2], 2), "longest": round(ordered[-1], 2)}


def _durability(database_url: str) -> str:
    database = Database(database_url, readers=1)
    try:
        return durability(database)
    finally:
        database.close()


def _versions(database_url: str) -> dict[str, str]:
    database = Database(database_url, readers=1)
    query = "SELECT sqlite_version()" if database.is_sqlite else "SHOW server_version"
    try:
        found = str(database.read_now(lambda connection: connection.exec_driver_sql(query).scalar_one()))
    finally:
        database.close()
    return {
        "accordant": version("accordant"),
        "python": platform.python_version(),
        "database": f"{'SQLite' if database.is_sqlite else 'PostgreSQL'} {found}",
        "machine": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def figures(result: Result) -> dict[str, Any]:
    """The result as plain JSON values."""
    return msgspec.to_builtins(result)
