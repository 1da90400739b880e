"""Every operation of every shipped client, when its sandbox answers doubtfully over HTTP: applied once, and proved.

The operations are read from the ports. Behind them stand the real ledger, the kit's HTTP and the vendor's own manners.
"""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from accordant.backbone.rows import exception_table
from accordant.canonical.operation import EffectClass, Operation
from accordant.connector.sandbox import Fault, FaultPlan
from accordant.launch import state as states
from accordant.operations.verification import Verifier
from tests import databases
from tests.ambiguity.world import EXAMPLES, World, every_operation, opened
from tests.backbone.conformance.rig import Rig
from tests.backbone.shop import estate

LAG_S, KEY_FORGOTTEN_S = 3600.0, 90_000.0
ONCE: dict[str, Any] = {"count": 1}
DOUBTS: dict[str, tuple[Fault, ...]] = {
    "error_after_apply": (Fault(kind="error_after_apply", **ONCE),),
    "timeout_after_apply": (Fault(kind="timeout_after_apply", delay_s=1.5, **ONCE),),
    "reset_after_apply": (Fault(kind="reset_after_apply", **ONCE),),
    "truncated_answer": (Fault(kind="truncated_answer", **ONCE),),
    "ok_without_apply": (Fault(kind="ok_without_apply", **ONCE),),
    "index_lag": (Fault(kind="index_lag", delay_s=LAG_S), Fault(kind="error_after_apply", **ONCE)),
    "key_forgotten": (Fault(kind="reset_after_apply", **ONCE),),
}


class Bench:
    """One effect behind the whole of the backbone; waiting lets time pass, for us and for the vendors."""

    def __init__(self, url: str, world: World, operation: Operation, *, doubt: str) -> None:
        async def steps(tx: Any, event: Any, **_: Any) -> None:
            await tx.effect("write", operation)

        self.rig = Rig("journal", url, steps=steps)
        self.rig.sleep = self._sleep
        self._world = world
        self._outage_s = KEY_FORGOTTEN_S if doubt == "key_forgotten" else 0.0

    async def _sleep(self, seconds: float) -> None:
        passed, self._outage_s = seconds + self._outage_s, 0.0
        self.rig.clock.advance(passed)
        self._world.advance(passed)
        await asyncio.sleep(0)

    async def play(self) -> None:
        await self.rig.tell("o")
        await self.rig.settled()

    async def read_back(self) -> None:
        verifier = Verifier(
            database=self.rig.database,
            writer=self.rig.writer,
            clock=self.rig.clock,
            ports=self._world.clients,
            policies=lambda: estate().policies,
        )
        for _ in range(3):
            for role in self._world.clients:
                await verifier.step(role)
            self.rig.clock.advance(3)

    def checked(self) -> list[str]:
        return [one.checked for one in self.rig.effects() if one.state == "confirmed"]

    def open_codes(self) -> list[str]:
        item = exception_table.c
        query = select(item.code).where(item.state == "open")
        return self.rig.database.read_now(lambda c: [row.code for row in c.execute(query)])


@pytest.fixture(scope="session")
def company_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("company")
    states.prepare(folder)
    states.command_token(folder)
    return folder


def test_no_operation_of_any_port_is_missing() -> None:
    assert sorted(EXAMPLES) == every_operation()
    assert len(EXAMPLES) >= 12


@pytest.mark.parametrize("doubt", DOUBTS)
@pytest.mark.parametrize("name", every_operation())
async def test_a_doubtful_answer_over_http(
    name: str, doubt: str, company_folder: Path, sqlite_template: Path, tmp_path: Path
) -> None:
    async with opened(_own(company_folder, tmp_path)) as world:
        operation = await world.asked(name)
        vendor = world.vendor_of(operation.system)
        vendor.kit.faults.set_plan(FaultPlan(faults=DOUBTS[doubt]))
        bench = Bench(databases.fresh_sqlite(sqlite_template, tmp_path), world, operation, doubt=doubt)
        await bench.rig.start()
        try:
            await bench.play()
            world.advance(LAG_S)  # a lookup in doubt meets the lagging index; what is read back later does not
            await bench.read_back()
            assert sum(vendor.kit.faults.injected.values()) == 1, "nothing was disturbed: nothing is proved"
            _judge(bench, world, operation, doubt=doubt)
            bench.rig.check()
        finally:
            await bench.rig.stop()


def _judge(bench: Bench, world: World, operation: Operation, *, doubt: str) -> None:
    assert operation.effect_class is not EffectClass.ONCE, "no shipped operation is tried once only; judge it here"
    written = [line for line in world.writes() if line["kind"] == operation.kind]
    if doubt == "ok_without_apply":
        assert written == []
        assert "verified" not in bench.checked(), "a lie shows green"
        assert bench.open_codes() == ["readback.different"]
        return
    assert len(written) == 1, f"{'lost' if not written else 'duplicate'}: {written}"
    assert bench.rig.state("o") == "completed", bench.rig.open_items()
    assert bench.checked() == ["verified"]
    assert bench.open_codes() == []


def _own(company_folder: Path, tmp_path: Path) -> Path:
    """The estate is shared; the ledgers and addresses are this test's own."""
    (tmp_path / "estate").symlink_to(company_folder / "estate")
    for name in ("secrets.json", "token"):
        shutil.copy2(company_folder / name, tmp_path / name)
    return tmp_path
