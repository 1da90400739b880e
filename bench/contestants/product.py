"""The platform exactly as it is shipped, with a switch for the read-back and a window on its commit counter.

    python -m bench.contestants.product worker --state DIR --port N

`BENCH_COUNTERS=FILE` writes the writer's counters there on SIGUSR1. `BENCH_READ_BACK=off` lets the background
read-back wait for ever; nothing else changes.
"""

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from accordant.kernel.database.writer import Writer


def watch_writer(file: Path) -> None:
    """On SIGUSR1 say how much was committed so far."""
    start = Writer.start

    def started(self: Writer) -> None:
        start(self)

        def tell() -> None:
            said = {"commits": self.commits, "rows": self.rows, "at": time.time()}
            temporary = file.with_suffix(".new")
            temporary.write_text(json.dumps(said), encoding="ascii")
            temporary.replace(file)

        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, tell)

    Writer.start = started


def without(worker: str) -> None:
    """Let a background worker wait for ever: `read back` or `pump`."""
    from accordant.backbone.pump import Pump
    from accordant.operations.verification import Verifier

    async def wait(*_: Any, **__: Any) -> None:
        await asyncio.Event().wait()

    if worker == "read back":
        Verifier.run = wait
    else:
        Pump.run = wait


def main() -> None:
    from accordant.experience.cli.main import app

    if "BENCH_COUNTERS" in os.environ:
        watch_writer(Path(os.environ["BENCH_COUNTERS"]))
    if os.environ.get("BENCH_READ_BACK") == "off":
        without("read back")
    if os.environ.get("BENCH_PUMP") == "off":
        without("pump")
    app(sys.argv[1:])


if __name__ == "__main__":
    main()
