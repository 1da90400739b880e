"""Starts a sandbox, as a process of its own or inside a test."""

import argparse
import asyncio
import gc
import random
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import msgspec
import structlog
import uvloop
from aiohttp import web
from structlog.processors import format_exc_info

from accordant.connector.sandbox.admin import AdminDoor
from accordant.connector.sandbox.clock import SandboxClock
from accordant.connector.sandbox.faults import FaultInjector
from accordant.connector.sandbox.ledger import EffectLedger
from accordant.connector.sandbox.limits import Limiter
from accordant.connector.sandbox.server import Pipeline
from accordant.connector.sandbox.vendor import Kit, Sandbox, System
from accordant.kernel.clock import Clock, SystemClock
from accordant.kernel.settings import environment

HOST = "127.0.0.1"
SHUTDOWN_S = 2.0


class SandboxOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How one sandbox runs. `port` 0 picks a free one; an empty `admin_token` closes the admin door."""

    system: System
    state_dir: Path
    port: int = 0
    limits: Literal["off", "real"] = "off"
    seed: int = 0
    admin_token: str = ""
    settings: Mapping[str, str] = {}

    @classmethod
    def from_argv(cls, system: System, argv: Sequence[str] | None = None) -> "SandboxOptions":
        """`--state DIR [--port N] [--limits off|real] [--seed N] [--admin-token T] [--set name=value]…`"""
        parser = argparse.ArgumentParser(description=f"An offline double of a {system} system.")
        parser.add_argument("--state", type=Path, required=True, help="directory for the effect ledger")
        parser.add_argument("--port", type=int, default=0)
        parser.add_argument("--limits", choices=["off", "real"], default="off")
        parser.add_argument("--seed", type=int, default=0)
        token = environment().get("ACCORDANT_SANDBOX_TOKEN", "")
        parser.add_argument("--admin-token", default=token, help="opens /__sandbox__/ to callers that send it")
        parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="an option of this vendor")
        given = parser.parse_args(argv)
        pairs = [pair.partition("=") for pair in given.set]
        return cls(
            system=system,
            state_dir=given.state,
            port=given.port,
            limits=given.limits,
            seed=given.seed,
            admin_token=given.admin_token,
            settings={name: value for name, _, value in pairs},
        )


class Serving(msgspec.Struct, frozen=True):
    """A running sandbox: where it answers, and its insides for tests in the same process."""

    url: str
    sandbox: Sandbox


@asynccontextmanager
async def serve(
    app_factory: Callable[[Kit], Sandbox], options: SandboxOptions, *, source: Clock | None = None
) -> AsyncGenerator[Serving]:
    """Serve until the block ends, on the machine's clock unless given another `source`."""
    clock = SandboxClock(source or SystemClock())
    ledger = EffectLedger(options.state_dir, options.system, now=clock.now)
    sandbox = app_factory(_kit(options, clock=clock, ledger=ledger))
    sandbox.kit.limiter.adopt(sandbox.limits())
    app = web.Application(client_max_size=sandbox.max_body_bytes)
    pipeline = Pipeline(sandbox)
    AdminDoor(sandbox, pipeline, token=options.admin_token).add_to(app)
    pipeline.add_to(app)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
    try:
        for sender in sandbox.kit.senders:
            await sender.start()
        await runner.setup()
        await web.TCPSite(runner, HOST, options.port).start()
        yield Serving(f"http://{HOST}:{runner.addresses[0][1]}", sandbox)
    finally:
        await runner.cleanup()
        for sender in sandbox.kit.senders:
            await sender.close()
        ledger.close()


def run(app_factory: Callable[[Kit], Sandbox], options: SandboxOptions) -> None:
    """Serve until SIGTERM or SIGINT; prints one JSON line with the address once requests are answered."""
    # Standard output carries the ready line alone: whoever waits for it may never read on, and a full pipe blocks.
    structlog.configure(
        processors=[structlog.processors.add_log_level, format_exc_info, structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    uvloop.run(_until_signalled(app_factory, options))


async def _until_signalled(app_factory: Callable[[Kit], Sandbox], options: SandboxOptions) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    async with serve(app_factory, options) as serving:
        gc.freeze()
        sys.stdout.write(msgspec.json.encode({"ready": True, "url": serving.url}).decode() + "\n")
        sys.stdout.flush()
        await stop.wait()


def _kit(options: SandboxOptions, *, clock: SandboxClock, ledger: EffectLedger) -> Kit:
    # Separate sequences: switching a fault on must not change the ids that records get.
    fault_rng = random.Random(f"{options.seed}:faults")  # noqa: S311 - repeatable by design
    return Kit(
        clock=clock,
        rng=random.Random(f"{options.seed}:ids"),  # noqa: S311 - repeatable by design
        ledger=ledger,
        faults=FaultInjector(clock=clock, rng=fault_rng),
        limiter=Limiter(clock=clock, enforced=options.limits == "real"),
        settings=options.settings,
        senders=[],
    )
