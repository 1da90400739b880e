"""The proxy in a thread of its own: what is under test may block its event loop without stopping the network."""

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from accordant.proving.proxy import ChaosProxy, Draw, Fault


class Aside:
    """A chaos proxy that any thread may use."""

    def __init__(self, target: int | str, *, seed: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._proxy = ChaosProxy(target, rng=random.Random(seed))
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def port(self) -> int:
        return self._proxy.port

    @property
    def did(self) -> Counter[str]:
        return self._proxy.did

    def start(self) -> None:
        self._thread.start()
        self.open()

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._proxy.close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def open(self) -> None:
        asyncio.run_coroutine_threadsafe(self._proxy.open(), self._loop).result(10)

    def refuse(self) -> None:
        asyncio.run_coroutine_threadsafe(self._proxy.refuse(), self._loop).result(10)

    def arm(self, fault: Fault) -> None:
        self._proxy.arm(fault)

    def swarm(self, draw: Draw) -> None:
        self._proxy.swarm(draw)

    def heal(self) -> None:
        self._loop.call_soon_threadsafe(self._proxy.heal)

    def cut_all(self) -> None:
        self._loop.call_soon_threadsafe(self._proxy.cut_all)


@contextmanager
def aside(target: int | str, *, seed: int) -> Iterator[Aside]:
    one = Aside(target, seed=seed)
    one.start()
    try:
        yield one
    finally:
        one.stop()
