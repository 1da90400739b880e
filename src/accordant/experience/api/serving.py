"""Running the platform in this process: engine, pollers, and the HTTP doors on one port."""

import asyncio
import os
import signal
from typing import Any

import msgspec
import structlog
import uvicorn
import uvloop

from accordant.experience.api.hooks import Door, Hooks, Receive, Send, answer
from accordant.kernel import failpoints
from accordant.kernel.database.connection import weakness
from accordant.kernel.failpoints import around
from accordant.kernel.settings import Settings, environment, settings_for
from accordant.launch.interpreter import settle_allocator, settle_collector, settle_threads
from accordant.launch.state import Address, command_token, write_private
from accordant.telemetry.log import keep_on_logging
from accordant.wiring import Platform

log = structlog.get_logger("platform")
EXIT_FAILED = 70
"""The disk or the ownership of the database was lost, or a worker crashed; start the process again."""


def run(settings: Settings) -> int:
    """Run until told to stop; returns the exit code. Raises AccordantError when it cannot start."""
    keep_on_logging()
    if failpoints.arm_from(environment()):
        log.warning("failpoints.armed", variable=failpoints.VARIABLE)
    settle_allocator()
    settle_threads()
    return uvloop.run(_run(settings))


async def _run(settings: Settings) -> int:
    platform = Platform(settings)
    await platform.start()
    if weak := await platform.database.read(lambda _: weakness(platform.database)):
        log.error("storage.not_durable", error=weak, hint="turn it on in postgresql.conf, then restart PostgreSQL")
    token = command_token(settings.state)
    server = _Server(uvicorn.Config(_doors(platform, token), host=settings.host, port=settings.port, **_QUIET))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with around("doors.open"):
        serving = loop.create_task(server.serve())
    url = f"http://{settings.host}:{settings.port}"
    own = settings_for(settings.state, environ={}).database_url
    elsewhere = None if settings.database_url == own else settings.database_url
    address = Address(url=url, token=token, pid=os.getpid(), database_url=elsewhere)
    write_private(settings.state / "api.json", address)
    settle_collector()
    waits = [asyncio.ensure_future(stop.wait()), asyncio.ensure_future(platform.failed.wait()), serving]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    await asyncio.gather(serving, return_exceptions=True)
    if platform.failed.is_set():
        return EXIT_FAILED
    await platform.stop()
    return 0


_QUIET: dict[str, Any] = {"log_level": "warning", "access_log": False, "lifespan": "off", "server_header": False}


class _Server(uvicorn.Server):
    """Leaves signals to the platform, which stops in its own order."""

    def capture_signals(self) -> Any:
        from contextlib import nullcontext

        return nullcontext()


def _doors(platform: Platform, token: str) -> Any:
    """One ASGI application: the vendors' bare door, the engine's pulse, and the command API behind it."""
    doors = {
        name: Door(verify=one.connector.verify, secrets=one.settings.webhook_secrets)
        for name, one in platform.connections.items()
        if one.connector.verify is not None
    }
    hooks = Hooks(platform.inbox, doors, clock=platform.wall)
    commands: list[Any] = []

    async def app(scope: dict[str, Any], receive: Receive, send: Send, /) -> None:
        path = scope.get("path", "")
        if path.startswith("/hooks/"):
            await hooks(scope, receive, send)
        elif path == "/pulse":
            await _pulse(platform, send)
        else:
            if not commands:
                commands.append(_command_api(platform, token))
            await commands[0](scope, receive, send)

    return app


async def _pulse(platform: Platform, send: Send) -> None:
    """How much is in flight; numbers only, for probes and fault drills."""
    body = {"driving": platform.engine.driving, "between_send_and_commit": platform.ledger.in_flight}
    await answer(send, 200, body=msgspec.json.encode(body))


def _command_api(platform: Platform, token: str) -> Any:
    """Made on first use, so that the vendors' door opens without waiting for it."""
    from accordant.experience.api.operations import create_app

    return create_app(platform, token)
