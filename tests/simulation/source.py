"""The source of facts: it edits its records, tells of them by webhooks that get lost, and is polled for the rest."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from accordant.backbone.inbox import WEBHOOK, Arrival
from tests.simulation.flows import TEST_PLAN, Record
from tests.simulation.loop import EPOCH_MS, SimulatedLoop
from tests.simulation.swarm import Swarm

Deliver = Callable[[Arrival], Awaitable[bool | None]]
"""True: acknowledged. False: refused. None: the line broke."""
_PLANS = ("basic", "pro", "prepaid")


class Source:
    """Both connections that tell facts: the CRM, and the payments of billing."""

    def __init__(self, seed: str, *, loop: SimulatedLoop, swarm: Swarm, reached: Callable[[str], None]) -> None:
        self._seed = seed
        self.favours = 0
        self._rng = random.Random(f"{seed}/source")
        self._loop = loop
        self._swarm = swarm
        self._reached = reached
        self._tasks: set[asyncio.Task[None]] = set()
        self.records: dict[tuple[str, str], Record] = {}
        """The newest version of each record."""
        self.versions: dict[tuple[str, str], list[Record]] = {}
        self.acknowledged: set[str] = set()
        """Deliveries that were answered with a 2xx."""
        self.polled_s = 0.0
        """When a poll last came to its end."""
        self.deliver: Deliver = _nobody_listens

    def plan(self) -> None:
        """What will happen at the source, and when."""
        rng = self._rng
        customers = [f"c{n}" for n in range(rng.randint(1, 2))]
        for n in range(rng.randint(2, 4)):
            plan = rng.choice((*_PLANS, *((TEST_PLAN,) if rng.random() < 0.5 else ())))
            fields = {"customer": rng.choice(customers), "plan": plan, "amount": rng.randint(1, 9)}
            at_s = rng.uniform(0, 20)
            self._at(at_s, "deal", order=f"d{n}", fields=fields)
            if plan == "prepaid":
                late = self._swarm.has("payment late") and rng.random() < 0.6
                paid_s = at_s + (rng.uniform(19, 40) if late else rng.uniform(-1, 15))
                self._at(max(0.0, paid_s), "payment", order=f"d{n}", fields={})
            if self._swarm.has("edits") and rng.random() < 0.4:
                for extra_s in sorted(rng.uniform(0.1, 20) for _ in range(rng.randint(1, 2))):
                    self._at(at_s + extra_s, "deal", order=f"d{n}", fields={**fields, "amount": rng.randint(10, 99)})
        for n in range(rng.randint(0, 2)):
            self._at(rng.uniform(0, 20), "trial", order=f"t{n}", fields={})
        for n in range(rng.randint(0, 2)):
            self._at(rng.uniform(0, 20), "case", order=f"k{n}", fields={})
        self._plan_favours(random.Random(f"{self._seed}/favours"))
        at_s = rng.uniform(0, 10)
        for level in range(1, rng.randint(3, 6)):
            self._at(at_s, "tier", order="s0", fields={"level": level})
            at_s += rng.uniform(0.02, 3)

    def _plan_favours(self, rng: random.Random) -> None:
        """Chance of their own: seeds that know no favour go on as they always did."""
        self.favours = rng.choice((0, 0, 0, 1, 1, 2))
        for n in range(self.favours):
            at_s, amount = rng.uniform(0, 15), rng.randint(1, 9)
            self._at(at_s, "favour", order=f"f{n}", fields={"amount": amount})
            if rng.random() < 0.5:
                self._at(
                    at_s + rng.choice((0.05, 8.0, 32.0, 60.0)), "favour", order=f"f{n}", fields={"amount": amount + 3}
                )

    def _at(self, at_s: float, kind: str, *, order: str, fields: dict[str, object]) -> None:
        self._loop.call_later(at_s, self._write, kind, order, fields)

    def _write(self, kind: str, order: str, fields: dict[str, object]) -> None:
        before = self.records.get((kind, order))
        now = self._loop.now_ms()
        if kind == "deal":
            first = before.fields["first_at_ms"] if before else now
            fields = {**fields, "first_at_ms": first}
        # What the payments say of an order stands in its own lane; two versions never share an instant.
        lane = str(fields.get("customer", f"{kind}-{order}"))
        seq = before.seq + 1 if before else 1
        at_ms = max(now, before.at_ms + 1 if before else 0)
        record = Record(kind=kind, order=order, lane=lane, seq=seq, at_ms=at_ms, fields=fields)
        self.records[kind, order] = record
        self.versions.setdefault((kind, order), []).append(record)
        self._tell(record)

    def _tell(self, record: Record) -> None:
        if self._swarm.strikes("drops"):
            self._reached("a webhook was dropped")
            return
        times = self._rng.randint(2, 4) if self._swarm.strikes("duplicates") else 1
        for _ in range(times):
            delay_s = self._rng.uniform(0.0, 0.1)
            if self._swarm.strikes("reorders"):
                delay_s = self._rng.uniform(0, 6)
            if self._swarm.strikes("delays"):
                delay_s = self._rng.choice((20.0, 60.0, 400.0))
            task = self._loop.create_task(self._send(record, delay_s))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _send(self, record: Record, delay_s: float) -> None:
        """Deliver as vendors do: again and again until it is acknowledged, but not for ever."""
        await asyncio.sleep(delay_s)
        arrival = _arrival(record, WEBHOOK)
        for attempt in range(4):
            told = await self.deliver(arrival)
            if told:
                self.acknowledged.add(arrival.delivery_id)
                return
            if told is None:
                self._reached("a delivery broke off")
            await asyncio.sleep(self._rng.uniform(0.5, 1.5) * 2**attempt)
        self._reached("a webhook was given up")

    @property
    def telling(self) -> int:
        """Deliveries that are still to come."""
        return len(self._tasks)

    def rows(self) -> Sequence[Arrival]:
        """What a poll finds: the newest version of every record."""
        return [_arrival(one, one.kind) for one in self.records.values()]


def _arrival(record: Record, stream: str) -> Arrival:
    connection = "billing" if record.kind == "payment" else "crm"
    delivery_id = f"{record.kind}-{record.order}@{record.seq}"
    return Arrival(connection=connection, stream=stream, delivery_id=delivery_id, body=msgspec.json.encode(record))


async def _nobody_listens(_: Arrival) -> bool | None:
    return False


def happened_s(record: Record) -> float:
    """Virtual seconds at which a version was written."""
    return (record.at_ms - EPOCH_MS) / 1000
