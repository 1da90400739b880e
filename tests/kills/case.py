"""One case: a scene from its beginning, with a kill in each of the first lives, until it has come to rest."""

import asyncio
import json
import os
import select
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import make_url

from tests import databases
from tests.kills.life import CAME_TO_REST, begin
from tests.kills.scene import Ending, Scene, Seat, World

STUCK_AFTER_S = 60.0


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """Which scene, and where each life ends; what is left of the list is not reached when it rests before."""

    scene: str
    engine: str
    database: str
    kills: tuple[str, ...] = ()
    """`PLACE@N`, one for each life."""

    @property
    def label(self) -> str:
        return f"{self.scene}-{self.engine}-{self.database}[{' > '.join(self.kills)}]"


class Outcome(msgspec.Struct, kw_only=True):
    """What became of it."""

    case: Case
    killed: tuple[str, ...] = ()
    """The kills that happened, in order."""
    resumes_s: list[float] = []
    """After each kill: until the next life drove its first transaction."""
    reached: dict[str, int] = {}
    """How often the last life reached each place."""
    ending: Ending | None = None
    problems: list[str] = []
    wall_s: float = 0.0


def play(case: Case, *, ready: tuple[Scene, World], begins: Seat, seat: Seat) -> Outcome:
    """Copy the beginning to the seat and play there. Runs in a process of its own."""
    began_s = time.monotonic()
    outcome = Outcome(case=case)
    scene, world = ready
    shutil.copytree(begins.folder, seat.folder, dirs_exist_ok=True)
    world.move(seat.folder)
    vendors = Vendors(world)
    try:
        _lives(case, outcome, lambda: scene.live(seat, case.engine), seat.folder)
        held = vendors.held()
        if not outcome.problems:
            outcome.ending = scene.ending(seat, held)
            outcome.problems += outcome.ending.problems
    finally:
        vendors.stop()
        outcome.wall_s = time.monotonic() - began_s
    return outcome


def _lives(case: Case, outcome: Outcome, act: Callable[[], Any], folder: Path) -> None:
    kills = list(case.kills)
    while True:
        place = kills.pop(0) if kills else ""
        report = folder / "life.json"
        report.unlink(missing_ok=True)
        child = begin(act, plan=f"{place}=kill" if place else "", report=report)
        ended = wait(child, within_s=STUCK_AFTER_S)
        seen = json.loads(report.read_text()) if report.exists() else {}
        if outcome.killed and seen.get("first_drive_s") is not None:
            outcome.resumes_s.append(seen["first_drive_s"])
        if ended == -signal.SIGKILL and place:
            outcome.killed = (*outcome.killed, place)
            continue
        if ended == CAME_TO_REST:
            outcome.reached = seen["reached"]
        elif ended is None:
            outcome.problems.append(f"liveness: not at rest after {STUCK_AFTER_S:.0f} s, {place or 'no kill'}; {seen}")
        else:
            outcome.problems.append(f"liveness: the platform ended by itself with {ended}, {place or 'no kill'}")
        return


def wait(child: int, *, within_s: float) -> int | None:
    """The exit code, negative for a signal; None when it did not end in time (and was ended)."""
    pidfd = os.pidfd_open(child)
    try:
        late = not select.select([pidfd], [], [], within_s)[0]
        if late:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        return None if late else os.waitstatus_to_exitcode(status)
    finally:
        os.close(pidfd)


class Vendors:
    """The world in a process of its own: it answers while lives come and go, and says at the end what it holds."""

    def __init__(self, world: World) -> None:
        self._ours, theirs = socket.socketpair()
        self._child = os.fork()
        if not self._child:
            self._ours.close()
            _serve(world, theirs)
        theirs.close()
        self._file = self._ours.makefile("rwb")
        assert self._file.readline() == b"ready\n", "the vendors did not start"

    def held(self) -> dict[str, Any]:
        self._file.write(b"held\n")
        self._file.flush()
        return json.loads(self._file.readline())

    def stop(self) -> None:
        os.kill(self._child, signal.SIGKILL)
        os.waitpid(self._child, 0)
        self._file.close()
        self._ours.close()


def _serve(world: World, theirs: socket.socket) -> None:
    async def serve() -> None:
        async with world.served():
            reader, writer = await asyncio.open_connection(sock=theirs)
            writer.write(b"ready\n")
            while await reader.readline():
                writer.write(json.dumps(world.held(), sort_keys=True, default=str).encode() + b"\n")

    try:
        asyncio.run(serve())
    except BaseException:  # noqa: BLE001 - the child must not run on as its parent
        import traceback

        traceback.print_exc(file=sys.stderr)
    finally:
        os._exit(1)


def fresh_seat(folder: Path, begins: Seat, *, server: str) -> Seat:
    """A place for one case, with a copy of the database as the scene begins."""
    if not server:
        return Seat(folder=folder, url=f"sqlite:///{folder / 'accordant.db'}")
    name = f"case_{os.getpid()}"
    databases.execute(server, f"CREATE DATABASE {name} TEMPLATE {make_url(begins.url).database}")
    return Seat(folder=folder, url=databases.named(server, name))


def clear_seat(seat: Seat, *, server: str) -> None:
    shutil.rmtree(seat.folder, ignore_errors=True)
    if server:
        databases.execute(server, f"DROP DATABASE {make_url(seat.url).database} WITH (FORCE)")
