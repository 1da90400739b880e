"""A worker that stands still at a named place, as a machine that swaps or a container that is frozen."""

import asyncio
from multiprocessing.connection import Connection
from typing import Any

from accordant.kernel import failpoints
from accordant.kernel.clock import SystemClock
from tests.backbone.conformance.remote import RemoteVendor
from tests.backbone.conformance.rig import Rig
from tests.backbone.conformance.worker import three_classes


async def main(url: str, *, socket: str, place: str, ready: Connection) -> None:
    rig = Rig("dbos", url, steps=three_classes)
    rig.clock = SystemClock()  # pyright: ignore[reportAttributeAccessIssue]
    rig.vendor = RemoteVendor(socket)  # pyright: ignore[reportAttributeAccessIssue]
    rig.sleep, rig.segment, rig.in_flight_max = asyncio.sleep, "stopped", 1
    failpoints.arm(failpoints.parse(f"{place}=stop"))
    await rig.start()
    ready.send("ready")
    await asyncio.Event().wait()


def live(*arguments: Any) -> None:
    """Runs until killed, and stands still once."""
    url, socket, place, ready = arguments
    asyncio.run(main(url, socket=socket, place=place, ready=ready))
