"""A platform process to be killed."""

import asyncio
from multiprocessing.connection import Connection
from typing import Any

from accordant.canonical.operation import EffectClass
from accordant.kernel.clock import SystemClock
from tests.backbone.conformance.remote import RemoteVendor
from tests.backbone.conformance.rig import Rig


async def three_classes(tx: Any, event: Any, *, vendor: RemoteVendor) -> None:
    for effect_class in (EffectClass.NATIVE_KEY, EffectClass.UPSERT, EffectClass.LOOKUP):
        await tx.effect(effect_class.name, vendor.operation(event.order, effect_class.value, effect_class))


async def main(engine: str, url: str, *, socket: str, name: str, ready: Connection) -> None:
    rig = Rig(engine, url, steps=three_classes)
    rig.clock = SystemClock()  # pyright: ignore[reportAttributeAccessIssue]
    rig.vendor = RemoteVendor(socket)  # pyright: ignore[reportAttributeAccessIssue]
    rig.sleep = asyncio.sleep
    rig.segment = name
    await rig.start()
    ready.send("ready")
    await asyncio.Event().wait()


def live(*arguments: Any) -> None:
    """Runs until killed."""
    engine, url, socket, name, ready = arguments
    asyncio.run(main(engine, url, socket=socket, name=name, ready=ready))
