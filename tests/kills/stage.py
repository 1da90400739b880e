"""The program that plays cases: a process without threads, from which every case is forked with everything loaded.

It reads an order as JSON from standard input and writes one outcome as JSON on each line of standard output.
"""

import gc
import os
import select
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from accordant.kernel.database.checkpoints import Checkpoints
from accordant.kernel.database.statistics import Statistics
from tests import databases
from tests.kills import case, matrix, shipped
from tests.kills.case import Case, Outcome
from tests.kills.order import Order
from tests.kills.plays import SCENES
from tests.kills.scene import Scene, Seat, World

Checkpoints.__init__.__kwdefaults__ = {"every_rows": 40}
Statistics.__init__.__kwdefaults__ = {"first_rows": 40}
"""No scene writes the 20,000 rows after which SQLite's log is carried over, or the 500 after which PostgreSQL is asked
to look at its tables; here it happens again and again."""


class Ready(msgspec.Struct, frozen=True):
    """A scene on a database, built and waiting to be played."""

    scene: Scene
    engine: str
    world: World
    begins: Seat


class Theatre:
    """Builds scenes and plays cases side by side, each in a process of its own."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self._folder = Path(order.folder)
        self._ready: dict[tuple[str, str], Ready] = {}
        self._played = 0

    def wanted(self) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        for one in SCENES.values():
            for engine in one.engines_on(self.order.database):
                if not self.order.scenes or f"{one.name}/{engine}" in self.order.scenes:
                    yield one.name, engine, one.only

    def ready(self, name: str, engine: str) -> Ready:
        if (name, engine) not in self._ready:
            seat = self._first_seat(f"{name}_{engine}")
            world = SCENES[name].build(seat, engine)
            assert threading.active_count() == 1, "a thread is left: what is forked now could hang"
            gc.collect()
            gc.freeze()
            self._ready[name, engine] = Ready(SCENES[name], engine, world, seat)
        return self._ready[name, engine]

    def _first_seat(self, name: str) -> Seat:
        folder = self._folder / name
        folder.mkdir(parents=True)
        if not self.order.server:
            return Seat(folder=folder, url=f"sqlite:///{folder / 'accordant.db'}")
        databases.execute(self.order.server, f"CREATE DATABASE begin_{name} TEMPLATE template0")
        return Seat(folder=folder, url=databases.named(self.order.server, f"begin_{name}"))

    def play(self, cases: Sequence[Case]) -> Iterator[Outcome]:
        """Play them all; outcomes come as they end."""
        waiting, running = list(reversed(cases)), dict[int, int]()
        while waiting or running:
            while waiting and len(running) < self.order.jobs:
                pipe, child = self._fork(waiting.pop())
                running[pipe] = child
            for pipe in select.select(list(running), [], [])[0]:
                with os.fdopen(pipe, "rb") as told:
                    body = told.read()
                os.waitpid(running.pop(pipe), 0)
                yield msgspec.json.decode(body, type=Outcome)

    def _fork(self, one: Case) -> tuple[int, int]:
        ready = self.ready(one.scene, one.engine)
        self._played += 1
        folder = self._folder / f"case-{self._played}"
        ours, theirs = os.pipe()
        child = os.fork()
        if child:
            os.close(theirs)
            return ours, child
        outcome = Outcome(case=one, problems=["harness: the case itself failed; see standard error"])
        try:
            outcome = self._played_case(one, ready, folder)
        except BaseException:  # noqa: BLE001 - the child must not run on as its parent
            import traceback

            traceback.print_exc()
        finally:
            with os.fdopen(theirs, "wb") as tell:
                tell.write(msgspec.json.encode(outcome))
            os._exit(0)

    def _played_case(self, one: Case, ready: Ready, folder: Path) -> Outcome:
        folder.mkdir()
        seat = case.fresh_seat(folder, ready.begins, server=self.order.server)
        try:
            return case.play(one, ready=(ready.scene, ready.world), begins=ready.begins, seat=seat)
        finally:
            case.clear_seat(seat, server=self.order.server)


def main() -> None:
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    with os.fdopen(os.dup(1), "wb") as told:
        os.dup2(2, 1)  # whatever a platform logs goes to standard error
        _work(order, told)


def _work(order: Order, told: BinaryIO) -> None:
    shipped.hurry()
    shutil.rmtree(order.folder, ignore_errors=True)
    Path(order.folder).mkdir(parents=True)
    theatre = Theatre(order)
    for outcome in matrix.outcomes(theatre, order):
        told.write(msgspec.json.encode(outcome) + b"\n")
        told.flush()


if __name__ == "__main__":
    main()
