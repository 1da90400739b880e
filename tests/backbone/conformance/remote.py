"""A vendor in another process than the platform: it keeps an append-only ledger of what it applied, and can be slow."""

import asyncio
import json
import random
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from accordant.canonical.operation import Applied, Attempt, EffectClass, Operation, Receipt
from accordant.kernel.errors import Unknown


class LedgerServer:
    """The vendor's side. A request is served to its end even when whoever asked has died meanwhile."""

    def __init__(self, socket: Path, *, rng: random.Random, lost_answers: float = 0.02) -> None:
        self.socket = socket
        self.ledger: list[tuple[str, str]] = []
        """Lane and business id of every write applied, in order."""
        self.most_in_one_lane = 0
        self.requests = 0
        self._rng = rng
        self._lost_answers = lost_answers
        self._keys: set[str] = set()
        self._applied: Counter[str] = Counter()
        self._inside: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self.socket)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()

    def times(self, business_id: str) -> int:
        return self._applied[business_id]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked = json.loads(await reader.readline())
            answer = await asyncio.shield(asyncio.ensure_future(self._answer(asked)))
            if answer is not None:
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError):
            pass  # the platform was killed while it asked
        finally:
            writer.close()

    async def _answer(self, asked: dict[str, str]) -> dict[str, Any] | None:
        business_id, lane, kind = asked["id"], asked["lane"], asked["class"]
        if asked["op"] == "find":
            return {"found": self._applied[business_id] > 0}
        self.requests += 1
        inside = self._inside[lane]
        inside[asked["order"]] += 1
        self.most_in_one_lane = max(self.most_in_one_lane, sum(count > 0 for count in inside.values()))
        await asyncio.sleep(self._rng.uniform(0.001, 0.01))
        known = asked["key"] in self._keys if kind == "A" else kind == "B" and self._applied[business_id] > 0
        if not known:
            self._keys.add(asked["key"])
            self._applied[business_id] += 1
            self.ledger.append((lane, business_id))
        await asyncio.sleep(self._rng.uniform(0.001, 0.01))
        inside[asked["order"]] -= 1
        return None if self._rng.random() < self._lost_answers else {"fine": True}


class RemoteVendor:
    """The platform's side."""

    def __init__(self, socket: str) -> None:
        self._socket = socket

    def operation(self, order: str, step: str, effect_class: EffectClass) -> Operation:
        business_id = f"{order}/{step}"
        asked = {"id": business_id, "order": order, "lane": order.partition(":")[0], "class": effect_class.value}

        async def send(attempt: Attempt) -> Applied:
            await self._ask({**asked, "op": "send", "key": attempt.key})
            return _applied(business_id)

        async def look_up(_: Attempt) -> Applied | None:
            answer = await self._ask({**asked, "op": "find"})
            return _applied(business_id) if answer["found"] else None

        return Operation(
            system="erp",
            connection="erp",
            verb="write",
            kind="order",
            business_id=business_id,
            effect_class=effect_class,
            command={"id": business_id},
            send=send,
            look_up=look_up,
            settle_s=0.03,
        )

    async def _ask(self, asked: dict[str, str]) -> dict[str, Any]:
        try:
            reader, writer = await asyncio.open_unix_connection(self._socket)
            writer.write(json.dumps(asked).encode() + b"\n")
            line = await reader.readline()
            writer.close()
        except OSError as failed:
            raise Unknown(f"no answer: {failed}") from failed
        if not line:
            raise Unknown("no answer")
        return json.loads(line)


def _applied(business_id: str) -> Applied:
    receipt = Receipt(kind="order", native_id=f"n-{business_id}", business_id=business_id)
    return Applied(receipt=receipt, status=200, request_sha256="", response_sha256="")
