"""The field: every contestant, in the order in which they take their turns."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from bench.ground import HERE, Ground
from bench.product_turn import Turn
from bench.rounds import Figures, per_transaction, program_turn

Run = Callable[[Ground, int, int], Awaitable[Figures]]
"""Ground, transactions, in flight."""


class Missing(Exception):
    """A contestant that cannot run here, and why."""


class Contestant(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who does the work."""

    name: str
    title: str
    run: Run
    size: str
    """Which of the sizes holds: floor, product, or the name of a rival."""
    is_rival: bool = False
    at_50_ms: bool = True

    def n(self, ground: Ground) -> int:
        sizes = ground.sizes
        return {"floor": sizes.floor_n, "product": sizes.product_n}.get(self.size) or sizes.rivals_n[self.size]


async def _calls(ground: Ground, n: int, in_flight: int) -> Figures:
    return _program(ground, [sys.executable, "-m", "bench.contestants.calls"], _spec(ground, n, in_flight))


async def _group_sqlite(ground: Ground, n: int, in_flight: int) -> Figures:
    file = ground.file("group.db")
    spec = {**_spec(ground, n, in_flight), "database": str(file)}
    figures = _program(ground, [sys.executable, "-m", "bench.contestants.group_commit"], spec)
    figures["database_bytes_per_tx"] = round(_size(file) / n)
    return figures


def _size(file: Path) -> int:
    return sum(one.stat().st_size for one in file.parent.glob(f"{file.name}*"))


async def _group_postgresql(ground: Ground, n: int, in_flight: int) -> Figures:
    command = [sys.executable, "-m", "bench.contestants.group_commit"]
    return _on_postgresql(ground, command, _spec(ground, n, in_flight))


def _product(kind: str, *, read_back: bool) -> Run:
    async def run(ground: Ground, n: int, in_flight: int) -> Figures:
        return await Turn(ground, kind, n=n, read_back=read_back, in_flight=in_flight).run()

    return run


def _dbos(steps: int) -> Run:
    async def run(ground: Ground, n: int, in_flight: int) -> Figures:
        command = [python_of("dbos"), "-m", "bench.contestants.dbos_steps"]
        options = {"steps": steps, "start": "direct"}
        return _on_postgresql(ground, command, {**_spec(ground, n, in_flight), "options": options})

    return run


async def _restate(ground: Ground, n: int, in_flight: int) -> Figures:
    command = [python_of("restate"), "-m", "bench.contestants.restate_steps"]
    found = sorted((HERE / ".env-restate" / "node_modules" / "@restatedev").glob("restate-server-*/bin/restate-server"))
    if not found:
        raise Missing("restate-server is not installed; run make bench once with the npm registry within reach")
    options = {"server": str(found[0]), "folder": str(ground.file("restate")), "web": "hypercorn"}
    return _program(ground, command, {**_spec(ground, n, in_flight), "options": options})


async def _procrastinate(ground: Ground, n: int, in_flight: int) -> Figures:
    command = [python_of("procrastinate"), "-m", "bench.contestants.procrastinate_chain"]
    return _on_postgresql(ground, command, _spec(ground, n, in_flight))


def python_of(rival: str) -> str:
    """The interpreter of a rival's own environment. Raises Missing."""
    python = HERE / f".env-{rival}" / "bin" / "python"
    if not python.exists():
        raise Missing(f"the environment of {rival} is not set up: {python.parent.parent.name} is missing")
    return str(python)


def _spec(ground: Ground, n: int, in_flight: int) -> Figures:
    customers = ground.sizes.customers
    return {"first": customers, "n": n, "customers": customers, "in_flight": in_flight}


def _program(ground: Ground, command: list[str], spec: Figures) -> Figures:
    return program_turn(command, spec, stub=ground.stub, log=ground.log)


def _on_postgresql(ground: Ground, command: list[str], spec: Figures) -> Figures:
    """With a fresh database of the server, whose own work is counted too."""
    name = ground.server.fresh()
    try:
        ground.server.settle()
        before = ground.server.reading(name)
        figures = _program(ground, command, {**spec, "database": ground.server.named(name)})
        return {**figures, **per_transaction(before, ground.server.reading(name), spec["n"])}
    finally:
        ground.server.drop(name)


FIELD = (
    Contestant(name="calls", title="floor: the four calls alone", run=_calls, size="floor"),
    Contestant(
        name="group_commit_sqlite", title="floor: calls + group commit, SQLite", run=_group_sqlite, size="floor"
    ),
    Contestant(
        name="group_commit_postgresql",
        title="floor: calls + group commit, PostgreSQL",
        run=_group_postgresql,
        size="floor",
    ),
    Contestant(
        name="product_sqlite", title="Accordant, SQLite", run=_product("sqlite", read_back=True), size="product"
    ),
    Contestant(
        name="product_postgresql",
        title="Accordant, PostgreSQL",
        run=_product("postgresql", read_back=True),
        size="product",
    ),
    Contestant(
        name="product_sqlite_without_read_back",
        title="Accordant, SQLite, read-back held back",
        run=_product("sqlite", read_back=False),
        size="product",
        at_50_ms=False,
    ),
    Contestant(
        name="product_postgresql_without_read_back",
        title="Accordant, PostgreSQL, read-back held back",
        run=_product("postgresql", read_back=False),
        size="product",
        at_50_ms=False,
    ),
    Contestant(name="dbos_five_steps", title="DBOS, five steps", run=_dbos(5), size="dbos", is_rival=True),
    Contestant(name="dbos_one_step", title="DBOS, one step", run=_dbos(1), size="dbos", is_rival=True),
    Contestant(name="restate", title="Restate, Python SDK", run=_restate, size="restate", is_rival=True),
    Contestant(
        name="procrastinate",
        title="procrastinate, chain of five",
        run=_procrastinate,
        size="procrastinate",
        is_rival=True,
    ),
)
NAMES = tuple(one.name for one in FIELD)
