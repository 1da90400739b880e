"""What every measurement stands on: the stub, the server, the seeded platforms, the sizes."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bench.control import StubProcess
from bench.platform import Seeds
from bench.postgres import Server

HERE = Path(__file__).resolve().parent


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured."""

    rounds: int = 3
    customers: int = 2000
    floor_n: int = 8000
    product_n: int = 6000
    slow_n: int = 1500
    """Transactions of the run with slow vendors."""
    rivals_n: dict[str, int]
    latency_n: int = 300
    webhooks_n: int = 20_000
    webhooks_paced_s: int = 15
    fill: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    fill_postgresql: tuple[int, ...] = (10_000, 100_000)
    growth_n: int = 4000
    backlog: tuple[int, int] = (1_000, 1_000_000)
    startups: int = 5
    burst_n: int = 3000


FULL = Sizes(rivals_n={"dbos": 1500, "restate": 3000, "procrastinate": 1000})
QUICK = Sizes(
    rounds=2,
    customers=300,
    floor_n=2000,
    product_n=900,
    slow_n=200,
    rivals_n={"dbos": 200, "restate": 1000, "procrastinate": 150},
    latency_n=50,
    webhooks_n=3000,
    webhooks_paced_s=2,
    fill=(5_000, 25_000),
    fill_postgresql=(),
    growth_n=600,
    backlog=(1_000, 50_000),
    startups=2,
    burst_n=400,
)
TINY = Sizes(
    rounds=1,
    customers=60,
    floor_n=200,
    product_n=120,
    slow_n=40,
    rivals_n={"dbos": 40, "restate": 40, "procrastinate": 20},
    latency_n=10,
    webhooks_n=300,
    webhooks_paced_s=1,
    fill=(600, 2_000),
    fill_postgresql=(),
    growth_n=120,
    backlog=(100, 2_000),
    startups=1,
    burst_n=60,
)
"""Only to see that everything runs."""


class Ground:
    """Where a benchmark happens."""

    def __init__(self, folder: Path, sizes: Sizes, *, stub: StubProcess, server: Server) -> None:
        self.folder = folder
        self.sizes = sizes
        self.stub = stub
        self.server = server
        self.seeds = Seeds(folder, stub, server, customers=sizes.customers)
        self.log = folder / "contestants.log"

    def file(self, name: str) -> Path:
        """A path that nobody has used yet."""
        path = self.folder / name
        number = 0
        while path.exists():
            number += 1
            path = self.folder / f"{number}-{name}"
        return path


@contextmanager
def ground(sizes: Sizes, *, keep: bool = False) -> Iterator[Ground]:
    """Everything started, and taken away at the end."""
    (HERE / ".work").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=HERE / ".work"))
    stub = StubProcess()
    try:
        server = Server(folder / "postgresql")
        try:
            yield Ground(folder, sizes, stub=stub, server=server)
        finally:
            server.stop()
    finally:
        stub.stop()
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
