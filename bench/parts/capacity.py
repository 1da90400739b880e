"""The stub alone: how many requests a second it answers, so that it is seen not to be the bottleneck."""

import asyncio
import time
from typing import Any

from bench.ground import Ground
from bench.webhooks import Sender

_REQUEST = (
    b"PATCH /services/data/v67.0/sobjects/Opportunity/006CAPACITY HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b'Content-Length: 33\r\n\r\n{"Accordant_Status__c":"in step"}'
)
_CONNECTIONS = 32
_BATCH = 16
"""Requests sent at once on a connection, so that the sender is not what is measured."""


class Pipelined(Sender):
    """Counts answers instead of reading them."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = 0
        self.all = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.answers += data.count(b"HTTP/1.1 204")
        if self.answers >= _BATCH:
            self.answers -= _BATCH
            self.all.set()

    async def send_batch(self) -> None:
        assert self._transport is not None
        self.all.clear()
        self._transport.write(_REQUEST * _BATCH)
        await self.all.wait()


async def measure(ground: Ground) -> dict[str, Any]:
    """Requests for each second of the stub's CPU: what one core of it can answer."""
    loop = asyncio.get_running_loop()
    senders = [(await loop.create_connection(Pipelined, "127.0.0.1", ground.stub.port))[1] for _ in range(_CONNECTIONS)]
    before, began = ground.stub.ask(), time.perf_counter()
    batches = max(4, ground.sizes.webhooks_n // 200)

    async def work(sender: Pipelined) -> None:
        for _ in range(batches):
            await sender.send_batch()

    await asyncio.gather(*(work(one) for one in senders))
    after, wall_s = ground.stub.ask(), time.perf_counter() - began
    requests = after["requests"] - before["requests"]
    cpu_s = after["cpu_s"] - before["cpu_s"]
    return {"requests_per_s": round(requests / wall_s), "requests_per_cpu_s": round(requests / cpu_s)}
