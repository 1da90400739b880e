"""A small company is played through the whole platform, and the checker finds nothing and has looked at everything."""

import asyncio
import time
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from accordant.launch import report
from accordant.launch import state as states
from accordant.launch.run import Fix, Plan, Run
from accordant.proving import truth
from accordant.proving.checker import RULES, Moments, judge, read_history
from accordant.proving.checker.history import Final, History, Truth
from accordant.proving.workload import MEANT, MISSPELT, Deal, Workload

DEALS, SEED = 20, 200


class Recorded(Run):
    """Keeps what the systems held when the last pass was counted."""

    held: dict[str, Any]

    async def _count(self) -> report.Json:
        self.held = await self.sandboxes.states()
        return await super()._count()


def _records(workload: Workload) -> dict[str, list[dict[str, Any]]]:
    """Everything that sales sold, deals won later among it, as one load."""
    first, later = workload.batch(DEALS), workload.batch(0)
    latest = {row["Id"]: row for row in [*first["Opportunity"], *later["Opportunity"]]}
    return {"Account": first["Account"], "Opportunity": list(latest.values())}


def _support_ends(workload: Workload) -> tuple[Final, ...]:
    """Support lasts a year from the customer's last deal."""
    deals_of: dict[int, list[Deal]] = {}
    for deal in workload.deals.values():
        if deal.kind not in truth.NEVER_CARRIED_OUT:
            deals_of.setdefault(deal.account, []).append(deal)
    return tuple(
        Final(
            system="support",
            kind="entitlement",
            business_id=truth.customer_of(workload.accounts[account]),
            says={"ends_on": _a_year_after(max(deal.closed_on for deal in deals)).isoformat()},
            transactions=tuple(deal.number for deal in deals),
        )
        for account, deals in deals_of.items()
    )


def _a_year_after(day: date) -> date:
    return day.replace(year=day.year + 1)


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    state, workload = tmp_path_factory.mktemp("run") / "state", Workload(SEED)
    states.prepare(state)
    fix = Fix("product", MISSPELT, MEANT)
    plan = Plan(state=state, records=_records(workload), fixes=(fix,), seed=SEED, deals_won=DEALS)
    run = Recorded(plan, watch=lambda *_: None)
    asyncio.run(run.play())
    told = Truth(
        expected=truth.expected_writes(workload),
        final=_support_ends(workload),
        canaries=tuple(_secrets(state / "secrets.json")),
    )
    moments = Moments(at_rest_ms=time.time_ns() // 1_000_000)
    return read_history(state, told, held=run.held, moments=moments)


def _secrets(file: Path) -> list[str]:
    told = msgspec.json.decode(file.read_bytes())
    values: list[Any] = list(told.values())
    return [one for value in values for one in ([value] if isinstance(value, str) else value) if len(one) >= 8]


def test_everything_holds_and_every_rule_has_looked(history: History) -> None:
    verdict = judge(history)
    assert verdict.holds, verdict.findings
    assert {name for name in RULES if not verdict.judged[name]} == {"in_doubt"}
    assert any(row.state == "exception" for row in history.records.transactions), "somebody holds something"


@pytest.mark.parametrize("kind", ["customer", "subscription", "order", "entitlement", "opportunity"])
def test_a_line_that_is_missing_from_any_ledger_is_missed(history: History, kind: str) -> None:
    done = {row.subject for row in history.records.transactions if row.state == "completed"}
    wanted = {(one.system, one.business_id) for one in history.truth.expected if one.transaction in done}
    lines = [one for one in history.applied if one.kind == kind and (one.system, one.business_id) in wanted]
    gone = {(lines[0].system, lines[0].kind, lines[0].business_id)}
    kept = tuple(one for one in history.applied if (one.system, one.kind, one.business_id) not in gone)
    verdict = judge(msgspec.structs.replace(history, applied=kept))
    assert verdict.of("partial") or verdict.of("lost")


def test_every_creation_applied_twice_is_found(history: History) -> None:
    twins = [
        msgspec.structs.replace(one, n=one.n + 1_000_000, native_id=f"{one.native_id}-twin")
        for one in history.applied
        if one.change == "create" and one.kind != "invoice"
    ]
    verdict = judge(msgspec.structs.replace(history, applied=(*history.applied, *twins)), rules=["duplicate"])
    assert len(verdict.findings) == len(twins) > 40
