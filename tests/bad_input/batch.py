"""Feeds surfaces their whole tables within a bounded process, and says for each input what it cost.

`python -m tests.bad_input.batch FOLDER SURFACE…` writes one JSON line for each input. Processor time is what is
measured, so that a busy machine changes nothing; a hang is ended by the limit on it.
"""

import asyncio
import gc
import resource
import sys
import time
import traceback
from pathlib import Path

import msgspec

from tests.bad_input.doors import surfaces
from tests.bad_input.makers import MADE
from tests.bad_input.surfaces import Seen, Surface
from tests.bad_input.table import Input, cases

NO_BYTES = frozenset({"a folder", "nothing"})
"""What stands in the place of a file."""
GROWTH_MAX = 64 << 20
CPU_LIMIT_S = 100


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One input and what it did."""

    surface: str
    name: str
    seen: Seen | None
    crashed: str
    cpu_ms: float
    grown_kb: int


def main(folder: str, names: list[str]) -> None:
    """Feed everything."""
    asyncio.run(_feed_all(Path(folder), names))


async def _feed_all(folder: Path, names: list[str]) -> None:
    doors: dict[str, Surface] = {}
    for name in names:
        (folder / name).mkdir(parents=True)
        doors[name] = surfaces()[name](folder / name)
        await doors[name].warm()
    largest = max(len(_made_beforehand(one)) for name in names for one in cases(name))
    gc.collect()
    gc.freeze()
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_LIMIT_S, CPU_LIMIT_S))
    # The input itself and its copy on the way in belong to the sender.
    room = _status("VmSize") * 1024 + GROWTH_MAX + 2 * largest + (32 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    for name, door in doors.items():
        for one in cases(name):
            sys.stdout.write(msgspec.json.encode(await _outcome(name, door, one)).decode() + "\n")
        await door.close()


async def _outcome(surface: str, door: Surface, one: Input) -> Outcome:
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # forget the highest mark so far
    before_kb, began = _status("VmRSS"), time.process_time()
    seen, crashed = None, ""
    try:
        seen = await door.feed(one)
    except BaseException:  # noqa: BLE001 - whatever it is, it is the finding
        crashed = traceback.format_exc()[-1500:]
    spent_ms = (time.process_time() - began) * 1000 - door.usual_ms
    return Outcome(
        surface=surface,
        name=one.name,
        seen=seen,
        crashed=crashed,
        cpu_ms=spent_ms,
        grown_kb=_status("VmHWM") - before_kb,
    )


def _made_beforehand(one: Input) -> bytes:
    """The input's bytes, kept, so that neither making them nor their room is measured."""
    if one.make in MADE:
        made = MADE[one.make]()
        MADE[one.make] = lambda: made
    return one.body if one.make not in NO_BYTES else b""


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise LookupError(name)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
