"""The systems: they apply or not, answer or not, remember keys or not; what they really did stands in their own log.

A request is applied within the sender's patience or never; when its sender is killed, it has arrived or it never will.
Longer delays than the settle time declares are outside the promise, for any system without a key of its own.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextvars import Context
from typing import Any

import msgspec

from accordant.canonical.operation import Applied, Attempt, EffectClass, Facts, Operation, ReadRef, Receipt
from accordant.kernel.errors import RateLimited, Rejected, Unavailable, Unknown
from tests.simulation.loop import SimulatedLoop
from tests.simulation.swarm import Swarm

A, B, C, D = EffectClass.NATIVE_KEY, EffectClass.UPSERT, EffectClass.LOOKUP, EffectClass.ONCE
KEY_LIFE_S = 300.0
SETTLE_S = 2.0
PATIENCE_S = 4.0


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """One write that a system applied."""

    n: int
    system: str
    kind: str
    change: str
    business_id: str
    key: str
    at_s: float
    command: dict[str, Any]
    transaction: str
    lane: str


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One operation as a flow words it."""

    verb: str
    kind: str
    business_id: str
    effect_class: EffectClass
    change: str = "create"
    values: dict[str, Any] = {}
    expected: Facts = {}
    notice: bool = False
    master_data: bool = False


class Sending(msgspec.Struct, kw_only=True):
    """A request on its way."""

    ask: Ask
    system: str
    key: str
    transaction: str
    lane: str
    began_s: float


class Vendors:
    """All systems of one company."""

    def __init__(self, seed: str, *, loop: SimulatedLoop, swarm: Swarm, reached: Callable[[str], None]) -> None:
        self._rng = random.Random(f"{seed}/vendors")
        self._loop = loop
        self._swarm = swarm
        self._reached = reached
        self.note: Callable[[str], None] = lambda _: None
        self.log: list[Write] = []
        self.held: dict[tuple[str, str, str], tuple[dict[str, Any], float, float]] = {}
        """By system, kind and business id: values, and from when it can be read and found."""
        self.lied: dict[tuple[str, str, str], str] = {}
        """What was confirmed and never applied, and the key that was answered."""
        self.refuses: set[str] = set()
        """Business ids whose bill or order is refused for good reason, until healed."""
        self.ambiguous: dict[str, float] = {}
        """Keys whose last sending got no clear answer, and since when."""
        self.sent: list[tuple[str, str]] = []
        """Business id and key of every request that was let out."""
        self.side_by_side: list[str] = []
        """Two transactions of one lane that wrote at the same time."""
        self._saved: dict[str, tuple[Applied | Exception, float]] = {}
        self._flying: dict[int, tuple[Sending, asyncio.Future[Any]]] = {}
        self._away: dict[str, float] = {}
        self._n = 0

    def operation(self, tx: Any, system: str, *, ask: Ask) -> Operation:
        """The operation that a flow asks for."""
        sending = Sending(
            ask=ask,
            system=system,
            key="",
            transaction=tx.row.transaction_id,
            lane=tx.row.lane,
            began_s=0.0,
        )
        found_by_id = ask.effect_class in {A, C}
        return Operation(
            system=system,
            connection=system,
            verb=ask.verb,
            kind=ask.kind,
            business_id=ask.business_id,
            effect_class=ask.effect_class,
            command={"id": ask.business_id, "change": ask.change, **ask.values},
            send=lambda attempt: self._send(sending, attempt),
            look_up=(lambda attempt: self._look_up(sending, attempt)) if found_by_id else None,
            expected=ask.expected,
            key_life_s=KEY_LIFE_S if ask.effect_class is A else None,
            settle_s=SETTLE_S if found_by_id else 0.0,
            notice=ask.notice,
            master_data=ask.master_data,
        )

    async def _send(self, about: Sending, attempt: Attempt) -> Applied:
        one = msgspec.structs.replace(about, key=attempt.key, began_s=self._loop.time())
        ask = one.ask
        self.note(f"send {one.system} {ask.verb} {ask.business_id} {attempt.key[-6:]} #{attempt.number}")
        self._refuse_early(one)
        self.sent.append((ask.business_id, attempt.key))
        answer: asyncio.Future[Any] = self._loop.create_future()
        for other, _ in self._flying.values():
            if one.lane and other.lane == one.lane and other.transaction != one.transaction:
                self.side_by_side.append(f"{other.ask.business_id} and {ask.business_id} wrote at the same time")
        self._n += 1
        n = self._n
        self._flying[n] = (one, answer)
        lost = self._swarm.strikes("request lost")
        slow = self._swarm.strikes("slow vendor")
        arrives_s = self._rng.uniform(0.5, PATIENCE_S) if slow else self._rng.uniform(0.005, 0.2)
        if not lost:
            self._loop.call_later(arrives_s, self._arrive, n, context=Context())
        try:
            async with asyncio.timeout(PATIENCE_S + 1):
                result = await answer
        except TimeoutError:
            self._flying.pop(n, None)
            self._doubt(one)
            raise Unknown(f"{one.system} did not answer") from None
        if isinstance(result, Exception):
            raise result
        self.ambiguous.pop(attempt.key, None)
        return result

    def _refuse_early(self, one: Sending) -> None:
        """Nothing leaves the house."""
        if self._swarm.healed:
            return
        if one.system in self._away and self._loop.time() < self._away[one.system]:
            raise Unavailable(f"{one.system} cannot be reached")
        if self._swarm.has("away") and self._rng.random() < 0.05:
            self._away[one.system] = self._loop.time() + self._rng.choice((3.0, 30.0, 400.0))
            self._reached("a system was away")
            raise Unavailable(f"{one.system} cannot be reached")

    def _arrive(self, n: int) -> None:
        flying = self._flying.pop(n, None)
        if flying is None:
            return
        one, answer = flying
        result = self._handle(one)
        self.note(f"{one.system} {one.ask.business_id} {one.key[-6:]}: {type(result).__name__}")
        if self._swarm.strikes("answer lost") and not isinstance(result, RateLimited):
            return
        if not answer.done():
            answer.set_result(result)

    def _handle(self, one: Sending) -> Applied | Exception:
        strikes = self._swarm.strikes
        saved = self._saved_answer(one)
        if strikes("rate limited"):
            self._reached("a system asked us to slow down")
            return RateLimited("slow down", retry_after_s=self._rng.choice((0.2, 1.5, 7.0)))
        if strikes("refused by mistake"):
            self._reached("a repeat was refused" if one.key in self.ambiguous else "a first sending was refused")
            return Rejected("not now, says a person in front of the vendor", detail={"system": one.system})
        if saved is not None:
            return saved
        if one.ask.verb in {"bill", "order", "give"} and one.ask.business_id in self.refuses and not self._swarm.healed:
            return Rejected("credit limit", detail={"system": one.system, "vendor_code": "limit", "verb": one.ask.verb})
        if strikes("fails before"):
            return self._doubt(one)
        if one.ask.effect_class is A and strikes("fails for ever"):
            if self._rng.random() < 0.5:
                self._apply(one)
            self._saved[one.key] = Unknown("500", code="vendor.replayed_failure"), self._loop.time()
            self._reached("a failure was saved under the key")
            return self._doubt(one)
        if one.ask.expected and not self._holds(one) and strikes("lies"):
            self.lied[one.system, one.ask.kind, one.ask.business_id] = one.key
            return self._answer(one, already=False)
        result = self._apply(one)
        return self._doubt(one) if strikes("fails after") else result

    def _holds(self, one: Sending) -> bool:
        held = self.held.get((one.system, one.ask.kind, one.ask.business_id))
        return held is not None and held[0] == {**one.ask.values, "change": one.ask.change}

    def _saved_answer(self, one: Sending) -> Applied | Exception | None:
        if one.ask.effect_class is not A or one.key not in self._saved:
            return None
        saved, at_s = self._saved[one.key]
        if self._loop.time() - at_s < KEY_LIFE_S:
            return saved
        return None

    def _doubt(self, one: Sending) -> Unknown:
        self.ambiguous.setdefault(one.key, self._loop.time())
        held = self.held.get((one.system, one.ask.kind, one.ask.business_id))
        if one.ask.effect_class in {A, C} and held is not None and held[2] > self._loop.time():
            self._reached("the index hid what had been applied")
        return Unknown(f"{one.system} failed")

    def _apply(self, one: Sending) -> Applied:
        ask, now = one.ask, self._loop.time()
        place = (one.system, ask.kind, ask.business_id)
        before = self.held.get(place)
        self._n += 1
        self.log.append(
            Write(
                n=self._n,
                system=one.system,
                kind=ask.kind,
                change=ask.change,
                business_id=ask.business_id,
                key=one.key,
                at_s=now,
                command=ask.values,
                transaction=one.transaction,
                lane=one.lane,
            )
        )
        lag_s = self._rng.uniform(0, SETTLE_S * 0.9) if self._swarm.has("index lags") else 0.0
        self.held[place] = ({**ask.values, "change": ask.change}, now, now + lag_s)
        self.lied.pop(place, None)
        answer = self._answer(one, already=ask.effect_class is B and before is not None)
        self._saved[one.key] = answer, now
        return answer

    def _answer(self, one: Sending, *, already: bool) -> Applied:
        ask = one.ask
        receipt = Receipt(kind=ask.kind, native_id=f"{one.system}-{ask.business_id}", business_id=ask.business_id)
        return Applied(receipt=receipt, status=200, request_sha256="", response_sha256="", already=already)

    async def _look_up(self, one: Sending, attempt: Attempt) -> Applied | None:
        await asyncio.sleep(self._rng.uniform(0.005, 0.1))
        if self._swarm.strikes("look-up fails"):
            self._reached("a look-up failed")
            raise Unavailable(f"{one.system} cannot be asked")
        held = self.held.get((one.system, one.ask.kind, one.ask.business_id))
        found = held is not None and held[2] <= self._loop.time() and held[0]["change"] == one.ask.change
        self.note(f"look up {one.system} {one.ask.business_id}: {found}")
        if found and one.ask.effect_class is A:
            self._reached("a spent key's effect was found")
        if not found and held is not None and held[2] > self._loop.time():
            self._reached("a look-up came before the index had settled")
        if not found:
            return None
        self.ambiguous.pop(attempt.key, None)
        return self._answer(one, already=True)

    async def read_back(self, kind: str, refs: Sequence[ReadRef], *, system: str) -> dict[str, Facts]:
        """What is really held."""
        await asyncio.sleep(0.02)
        if self._swarm.strikes("look-up fails"):
            raise Unavailable(f"{system} cannot be asked")
        found = {ref.native_id: self.held.get((system, kind, ref.business_id)) for ref in refs}
        return {name: dict(held[0]) for name, held in found.items() if held is not None}

    def cut(self) -> None:
        """The sender was killed: what is on its way has arrived, or never will."""
        for n, (one, _) in list(self._flying.items()):
            if self._rng.random() < 0.5:
                self._arrive(n)
                self.ambiguous.setdefault(one.key, self._loop.time())
        self._flying.clear()


class Port:
    """One system, as flows and the verifier see it."""

    def __init__(self, vendors: Vendors, system: str) -> None:
        self._vendors = vendors
        self._system = system

    def ask(self, tx: Any, **fields: Any) -> Operation:
        return self._vendors.operation(tx, self._system, ask=Ask(**fields))

    async def read_back(self, kind: str, refs: Sequence[ReadRef]) -> dict[str, Facts]:
        return await self._vendors.read_back(kind, refs, system=self._system)
