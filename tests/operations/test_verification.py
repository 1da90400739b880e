"""What a system really holds decides what shows green; a write under way raises no alarm, and a lie raises one."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from accordant.backbone.rows import EffectRow, ExceptionRow, effect_table, exception_table
from accordant.canonical.operation import Facts, ReadRef
from accordant.kernel.clock import ManualClock
from accordant.kernel.database import Database, Writer
from accordant.kernel.errors import Rejected, Unavailable
from accordant.operations.verification import Verifier
from accordant.telemetry.audit import audit_table
from tests.backbone.shop import estate
from tests.operations import stored
from tests.operations.stored import Storage

PAID = '{"amount_minor":100}'
FREE = '{"amount_minor":0}'


class Held:
    """A system that shows what the test says it holds."""

    def __init__(self) -> None:
        self.records: dict[str, Facts] = {}
        self.reads: list[list[str]] = []
        self.problem: Exception | None = None
        self.meanwhile: Callable[[], Any] | None = None
        """What happens while it is being read."""

    async def read_back(self, kind: str, refs: Sequence[ReadRef]) -> dict[str, Facts]:
        self.reads.append([ref.native_id for ref in refs])
        if self.meanwhile:
            await self.meanwhile()
        if self.problem:
            raise self.problem
        return {ref.native_id: self.records[ref.native_id] for ref in refs if ref.native_id in self.records}


class Bench:
    """A verifier over a database, two systems, and eyes for what it leaves."""

    def __init__(self, storage: Storage, clock: ManualClock) -> None:
        self.storage = storage
        self.clock = clock
        self.billing = Held()
        self.erp = Held()
        self.verifier = Verifier(
            database=storage.database,
            writer=storage.writer,
            clock=clock,
            ports={"billing": self.billing, "erp": self.erp},
            policies=lambda: estate().policies,
        )

    async def confirmed(self, name: str = "start", *, tx: int = 1, n: int = 1, **changed: Any) -> EffectRow:
        fields: dict[str, Any] = {"business_id": "record", "native_id": "sub_1", "expected": PAID, "checked": ""}
        row = stored.effect(name, tx, n=n, **{**fields, "checked_at_ms": None, **changed})
        await self.storage.put(row)
        return row

    async def looks(self, *, times: int = 2, system: str = "billing") -> int:
        settled = 0
        for _ in range(times):
            settled += await self.verifier.step(system)
            self.clock.advance(2.0)
        return settled

    def checked(self) -> dict[tuple[str, str], str]:
        e = effect_table.c
        rows = self._all(select(e.transaction_id, e.name, e.checked))
        return {(row["transaction_id"][-1], row["name"]): row["checked"] for row in rows}

    def items(self) -> list[ExceptionRow]:
        return [ExceptionRow(**row) for row in self._all(select(exception_table))]

    def audit(self) -> list[str]:
        rows = self._all(select(audit_table.c.action).order_by(audit_table.c.n))
        return [row["action"] for row in rows if row["action"].startswith("effect.")]

    def _all(self, query: Any) -> list[Any]:
        return self.storage.database.read_now(lambda c: list(c.execute(query).mappings()))


@pytest.fixture
async def bench(database: Database, writer: Writer, clock: ManualClock) -> Bench:
    storage = Storage(database, writer)
    await storage.put(*(stored.transaction(n, lane="lane") for n in (1, 2)))
    return Bench(storage, clock)


async def test_what_the_system_holds_as_confirmed_is_verified_in_one_read(bench: Bench) -> None:
    for tx in (1, 2):
        await bench.confirmed(tx=tx, business_id=f"record-{tx}", native_id=f"sub_{tx}")
        bench.billing.records[f"sub_{tx}"] = {"amount_minor": 100, "currency": "USD"}
    assert await bench.verifier.step("billing") == 2
    assert set(bench.checked().values()) == {"verified"}
    assert bench.billing.reads == [["sub_1", "sub_2"]]
    assert bench.audit() == ["effect.verified"] * 2
    assert await bench.verifier.step("billing") == 0
    assert bench.items() == []


async def test_what_differs_is_different_at_the_second_look_two_seconds_later_and_opens_one_item(bench: Bench) -> None:
    await bench.confirmed()
    bench.billing.records["sub_1"] = {"amount_minor": 90}
    assert await bench.verifier.step("billing") == 0
    bench.clock.advance(1.999)
    assert await bench.verifier.step("billing") == 0
    assert len(bench.billing.reads) == 1
    assert bench.checked() == {("1", "start"): ""}
    bench.clock.advance(0.001)
    assert await bench.verifier.step("billing") == 1
    await bench.looks(times=3)
    (item,) = bench.items()
    assert (item.code, item.state, item.step) == ("readback.different", "open", "start")
    assert (item.amount_minor, item.currency) == (105_400, "USD")
    assert "amount_minor: should be 100, is 90" in item.message
    assert item.title == "billing confirmed to start and holds something else"
    assert bench.audit() == ["effect.different"]
    assert len(bench.billing.reads) == 2


async def test_what_is_not_there_is_different_too_and_says_so(bench: Bench) -> None:
    await bench.confirmed()
    assert await bench.looks() == 1
    (item,) = bench.items()
    assert item.title == "billing confirmed to start and does not hold it"
    assert "does not hold it" in item.message
    assert "should be" not in item.message


async def test_what_was_late_is_verified_at_the_second_look(bench: Bench) -> None:
    await bench.confirmed()
    await bench.looks(times=1)
    bench.billing.records["sub_1"] = {"amount_minor": 100}
    assert await bench.looks(times=1) == 1
    assert bench.checked() == {("1", "start"): "verified"}
    assert bench.items() == []


async def test_a_clock_that_is_set_back_puts_nothing_off_for_long(bench: Bench, clock: ManualClock) -> None:
    await bench.confirmed()
    await bench.verifier.step("billing")
    clock.now_ms = lambda: 1_000
    clock.advance(2.0)
    assert await bench.verifier.step("billing") == 1


async def test_two_effects_of_one_verb_in_one_transaction_have_an_item_each(bench: Bench) -> None:
    for name in ("open parent", "open buyer"):
        await bench.confirmed(name, verb="open_customer", business_id=name, native_id=name)
    assert await bench.looks() == 2
    assert sorted(item.step for item in bench.items()) == ["open buyer", "open parent"]
    assert len({item.cause_group for item in bench.items()}) == 1


async def test_a_later_effect_supersedes_an_earlier_one_of_the_record(bench: Bench) -> None:
    first = await bench.confirmed()
    await bench.confirmed("end", tx=2, expected=FREE)
    await bench.confirmed("other kind", tx=2, kind="customer", confirmed_at_ms=stored.NOW_MS * 2)
    bench.billing.records["sub_1"] = {"amount_minor": 0}
    await bench.verifier.step("billing")
    assert bench.checked()["1", "start"] == "superseded"
    assert bench.checked()["2", "end"] == "verified"
    assert first.confirmed_at_ms is not None
    assert bench.items() == []


@pytest.mark.parametrize("last", ["1", "2"])
async def test_effects_of_the_same_instant_raise_no_false_alarm(bench: Bench, last: str) -> None:
    """Two transactions wrote one record within one millisecond; either may have been the later one."""
    at_ms = stored.NOW_MS
    await bench.confirmed(confirmed_at_ms=at_ms)
    await bench.confirmed(tx=2, expected=FREE, confirmed_at_ms=at_ms)
    bench.billing.records["sub_1"] = {"amount_minor": 100 if last == "1" else 0}
    await bench.looks()
    other = "2" if last == "1" else "1"
    assert bench.checked() == {(last, "start"): "verified", (other, "start"): "superseded"}
    assert bench.items() == []


async def test_steps_of_one_transaction_in_one_instant_keep_their_order(bench: Bench) -> None:
    await bench.confirmed("start", n=1, confirmed_at_ms=stored.NOW_MS)
    await bench.confirmed("end", n=2, expected=FREE, confirmed_at_ms=stored.NOW_MS)
    bench.billing.records["sub_1"] = {"amount_minor": 100}
    await bench.looks()
    assert bench.checked() == {("1", "start"): "superseded", ("1", "end"): "different"}
    assert len(bench.items()) == 1


async def test_neither_of_the_same_instant_being_there_is_one_alarm(bench: Bench) -> None:
    for tx in (1, 2):
        await bench.confirmed(tx=tx, confirmed_at_ms=stored.NOW_MS)
    await bench.looks(times=3)
    assert sorted(bench.checked().values()) == ["different", "superseded"]
    assert len(bench.items()) == 1


@pytest.mark.parametrize("state", ["sent", "unknown"])
async def test_nothing_is_said_while_a_write_of_the_record_may_be_under_way(bench: Bench, state: str) -> None:
    await bench.confirmed()
    await bench.confirmed("amend", tx=2, state=state, confirmed_at_ms=None)
    bench.billing.records["sub_1"] = {"amount_minor": 0}
    assert await bench.looks(times=4) == 0
    assert bench.items() == []
    await bench.confirmed("amend", tx=2, state="rejected", confirmed_at_ms=None)
    assert await bench.looks(times=1) == 1
    assert len(bench.items()) == 1


async def test_nothing_is_said_while_a_transaction_of_the_lane_is_being_driven(bench: Bench) -> None:
    """What is sent is written down with the next group: a drive may have sent more than the ledger tells."""
    await bench.confirmed()
    await bench.storage.put(stored.transaction(2, lane="lane", state="running", turn=1, due_rank=1))
    assert await bench.looks(times=3) == 0
    await bench.storage.put(stored.transaction(2, lane="lane"))
    assert await bench.looks(times=1) == 1


async def test_a_write_that_is_confirmed_during_the_read_is_seen(bench: Bench) -> None:
    await bench.confirmed()
    bench.billing.records["sub_1"] = {"amount_minor": 0}
    await bench.looks(times=1)
    bench.billing.meanwhile = lambda: bench.confirmed("end", tx=2, expected=FREE)
    await bench.looks()
    assert bench.checked() == {("1", "start"): "superseded", ("2", "end"): "verified"}
    assert bench.items() == []


async def test_suspects_hold_up_nobody(bench: Bench) -> None:
    for n in range(120):
        await bench.confirmed(f"lost {n}", n=n, business_id=f"lost-{n}", native_id=f"lost-{n}")
    await bench.confirmed("there", tx=2, business_id="there")
    bench.billing.records["sub_1"] = {"amount_minor": 100}
    for _ in range(2):
        await bench.verifier.step("billing")
    assert bench.checked()["2", "there"] == "verified"
    assert max(len(read) for read in bench.billing.reads) == 100


@asynccontextmanager
async def verifying(bench: Bench) -> AsyncIterator[None]:
    task = asyncio.create_task(bench.verifier.run())
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("problem", [Unavailable("down"), Rejected("no rights"), KeyError("a bug of the mapping")])
async def test_a_system_that_cannot_be_read_is_put_off_and_the_others_go_on(bench: Bench, problem: Exception) -> None:
    await bench.confirmed()
    await bench.confirmed("post", tx=2, system="erp", business_id="order", native_id="so_1")
    bench.billing.problem = problem
    bench.erp.records["so_1"] = {"amount_minor": 100}
    async with verifying(bench):
        await _until(lambda: bench.checked()["2", "post"] == "verified")
    assert bench.billing.reads
    assert bench.checked()["1", "start"] == ""
    assert bench.items() == []


async def test_a_system_that_is_back_is_verified(bench: Bench) -> None:
    await bench.confirmed()
    bench.billing.records["sub_1"] = {"amount_minor": 100}
    bench.billing.problem = Unavailable("down")
    async with verifying(bench):
        await _until(lambda: bool(bench.billing.reads))
        bench.billing.problem = None
        await _until(lambda: bench.checked()["1", "start"] == "verified")


async def test_one_kind_that_cannot_be_read_does_not_hold_up_the_next(bench: Bench) -> None:
    await bench.confirmed(kind="a", business_id="a", native_id="a")
    await bench.confirmed("later", kind="b", business_id="b", native_id="b")
    bench.billing.records["b"] = {"amount_minor": 100}
    original = bench.billing.read_back

    async def only_b(kind: str, refs: Sequence[ReadRef]) -> dict[str, Facts]:
        if kind == "a":
            raise Unavailable("not now")
        return await original(kind, refs)

    bench.billing.read_back = only_b
    with pytest.raises(Unavailable):
        await bench.verifier.step("billing")
    assert bench.checked()["1", "later"] == "verified"


async def test_another_tenants_record_of_the_same_name_supersedes_nothing(bench: Bench) -> None:
    await bench.confirmed()
    theirs = stored.effect("start", 2, business_id="record", tenant="other", confirmed_at_ms=stored.NOW_MS * 2)
    await bench.storage.put(msgspec.structs.replace(theirs, expected=FREE))
    bench.billing.records["sub_1"] = {"amount_minor": 100}
    await bench.verifier.step("billing")
    assert bench.checked()["1", "start"] == "verified"
