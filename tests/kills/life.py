"""One life of the platform in a process of its own: it counts the boundaries it reaches and dies at the planned one."""

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from accordant.kernel import failpoints

DRIVES = frozenset({"journal.drive:before", "dbos.drive:before"})
CAME_TO_REST, FAILED = 0, 70


class Watch:
    """Told of every place; notes when the first transaction is driven, and hands on to the plan."""

    def __init__(self, plan: str, report: Path) -> None:
        self._plan = failpoints.parse(plan)
        self._report = report
        self._began_s = time.monotonic()
        self._first_drive_s: float | None = None
        self._lock = threading.Lock()
        self.reached: Counter[str] = Counter()

    def __call__(self, place: str) -> None:
        with self._lock:  # places are reached from several threads
            self.reached[place] += 1
            if self._first_drive_s is None and place in DRIVES:
                self._first_drive_s = time.monotonic() - self._began_s
                self.write()
            self._plan(place)

    def write(self) -> None:
        seen = {
            "first_drive_s": self._first_drive_s,
            "rest_s": time.monotonic() - self._began_s,
            "reached": self.reached,
        }
        self._report.write_text(json.dumps(seen), encoding="utf-8")


def begin(act: Callable[[], Any], *, plan: str, report: Path) -> int:
    """Fork a life; the child never returns. Gives the child's process id."""
    child = os.fork()
    if child:
        return child
    status = FAILED
    try:
        watch = Watch(plan, report)
        failpoints.arm(watch)
        act()
        failpoints.arm(None)
        watch.write()
        status = CAME_TO_REST
    except BaseException:  # noqa: BLE001 - the child must not run on as its parent
        import traceback

        traceback.print_exc()
    finally:
        os._exit(status)
