"""The systems that the platform writes to, one for each class of effect, with the manners and faults of real ones."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from accordant.canonical.operation import Applied, Attempt, EffectClass, Facts, Operation, ReadRef, Receipt
from accordant.kernel.errors import Rejected, Unavailable, Unknown
from accordant.kernel.ids import canonical_json
from tests.stateful.loop import WorldTime

A, B, C, D = EffectClass.NATIVE_KEY, EffectClass.UPSERT, EffectClass.LOOKUP, EffectClass.ONCE
KEY_LIFE_S = 24 * 3600.0
SETTLE_S = 2.0
WRITE, TAKE_BACK, GONE = "write", "take back", "gone"
FAULTS = ("down", "reject", "5xx before", "timeout after", "saved 5xx", "lying 200", "already there", "slow")


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One write that a system applied."""

    business_id: str
    verb: str
    state: str
    command: Any
    at_s: float


class System:
    """One system. What it is asked for next goes as `plan` says; after that everything is fine."""

    def __init__(self, name: str, effect_class: EffectClass, *, everyone: "Systems") -> None:
        self.name = name
        self.effect_class = effect_class
        self.ledger: list[Line] = []
        self.held: dict[str, str] = {}
        self.plan: list[str] = []
        self.is_down = False
        self.lag_s = 0.0
        """How long a write cannot be found yet; never more than the operations say."""
        self.lied: set[tuple[str, str]] = set()
        self.may_be_in_doubt: set[str] = set()
        """Business ids of class D whose answer the platform did not get."""
        self.foreign: set[str] = set()
        """Business ids that somebody else had written before: these must never be taken back."""
        self._everyone = everyone
        self._keys: dict[str, tuple[float, Unknown | None]] = {}

    def times(self, business_id: str, verb: str) -> int:
        return sum(one.business_id == business_id and one.verb == verb for one in self.ledger)

    def heal(self) -> None:
        self.plan.clear()
        self.is_down, self.lag_s = False, 0.0

    def write(self, business_id: str, command: dict[str, Any]) -> Operation:
        return self._operation(business_id, WRITE, state=canonical_json(command).decode(), command=command)

    def take_back(self, business_id: str) -> Operation:
        return self._operation(business_id, TAKE_BACK, state=GONE, command={"gone": business_id})

    async def read_back(self, kind: str, refs: Sequence[ReadRef]) -> dict[str, Facts]:
        if self.is_down:
            raise Unavailable("down")
        return {one.native_id: {"state": self.held[one.business_id]} for one in refs if one.business_id in self.held}

    def _operation(self, business_id: str, verb: str, *, state: str, command: dict[str, Any]) -> Operation:
        line = Line(business_id=business_id, verb=verb, state=state, command=command, at_s=0)

        async def send(attempt: Attempt) -> Applied:
            with self._everyone.inside(self.name, business_id):
                return await self._send(line, attempt)

        async def look_up(_: Attempt) -> Applied | None:
            await asyncio.sleep(0)
            if self.is_down:
                raise Unavailable("down")
            old_enough_s = self._everyone.time.true_s - self.lag_s
            found = any(
                one.business_id == business_id and one.verb == verb and one.at_s <= old_enough_s for one in self.ledger
            )
            return _applied(self.name, business_id, already=True) if found else None

        return Operation(
            system=self.name,
            connection=self.name,
            verb=verb.replace(" ", "_"),
            kind="record",
            business_id=business_id,
            effect_class=self.effect_class,
            command=command,
            send=send,
            look_up=look_up if self.effect_class in (A, C) else None,
            expected={"state": state} if self.name != "crm" else {},
            key_life_s=KEY_LIFE_S if self.effect_class is A else None,
            settle_s=SETTLE_S,
        )

    async def _send(self, line: Line, attempt: Attempt) -> Applied:
        fault = "down" if self.is_down else self.plan.pop(0) if self.plan else ""
        if self.effect_class is D:
            self.may_be_in_doubt.add(line.business_id)
        await asyncio.sleep(0)
        refused: dict[str, Callable[[], Exception]] = {
            "down": lambda: Unavailable("down"),
            "reject": lambda: Rejected("no", detail={"system": self.name, "vendor_code": "no"}),
            "5xx before": lambda: Unknown("502"),
        }
        if fault in refused:
            if fault != "5xx before":
                self.may_be_in_doubt.discard(line.business_id)
            problem = refused[fault]()
            raise problem
        if fault == "saved 5xx" and self.effect_class is A:
            failure = Unknown("500, for ever", code="vendor.replayed_failure")
            self._keys.setdefault(attempt.key, (self._everyone.time.true_s, failure))
            raise Unknown("500")
        if (
            fault == "already there"
            and line.verb == WRITE
            and attempt.number == 1
            and line.business_id not in self.held
        ):
            self.foreign.add(line.business_id)
            self.held[line.business_id] = line.state
            self.may_be_in_doubt.discard(line.business_id)
            return _applied(self.name, line.business_id, already=True)
        if line.verb == WRITE:
            self.foreign.discard(line.business_id)  # the first answer was lost: from here on nobody can tell
        if fault == "lying 200":
            self.lied.add((line.business_id, line.verb))
            self._keys.setdefault(attempt.key, (self._everyone.time.true_s, None))
        else:
            self._apply(line, attempt.key)
        if fault == "slow":
            await asyncio.sleep(0.7)
        if fault == "timeout after":
            raise Unknown("timeout")
        self.may_be_in_doubt.discard(line.business_id)
        return _applied(self.name, line.business_id)

    def _apply(self, line: Line, key: str) -> None:
        now_s = self._everyone.time.true_s
        if self.effect_class is A:
            first_s, failure = self._keys.get(key, (-KEY_LIFE_S, None))
            if now_s - first_s < KEY_LIFE_S:
                if failure is not None:
                    raise failure
                return
            self._keys[key] = (now_s, None)
        if self.effect_class is B and self.held.get(line.business_id) == line.state:
            return
        self.ledger.append(msgspec.structs.replace(line, at_s=now_s))
        self.held[line.business_id] = line.state


class Systems:
    """All of them, and who is inside which lane at this moment."""

    def __init__(self, time: WorldTime) -> None:
        self.time = time
        self.billing = System("billing", A, everyone=self)
        self.support = System("support", B, everyone=self)
        self.erp = System("erp", C, everyone=self)
        self.notes = System("notes", D, everyone=self)
        self.tiers = System("tiers", B, everyone=self)
        self.crm = System("crm", B, everyone=self)
        self.lane_of: dict[str, str] = {}
        """Business id → customer."""
        self.together: list[str] = []
        """Where two transactions of one lane were seen writing at the same moment."""
        self._busy: dict[str, Counter[str]] = {}

    def all(self) -> tuple[System, ...]:
        return (self.billing, self.support, self.erp, self.notes, self.tiers, self.crm)

    def named(self, name: str) -> System:
        return getattr(self, name)

    def forget_callers(self) -> None:
        """Whoever asked has died."""
        self._busy.clear()

    def inside(self, system: str, business_id: str) -> "_Inside":
        """Notices are no part of the lane: they are told while a person has the transaction."""
        lane = self.lane_of.get(business_id, business_id) if system != "crm" else ""
        return _Inside(self, lane, business_id)

    def enter(self, lane: str, business_id: str) -> None:
        busy = self._busy.setdefault(lane, Counter())
        busy[business_id] += 1
        now = sorted(one for one, n in busy.items() if n > 0)
        if lane and len(now) > 1:
            self.together.append(f"lane {lane}: {' and '.join(now)}")

    def leave(self, lane: str, business_id: str) -> None:
        if lane in self._busy:
            self._busy[lane][business_id] -= 1


class _Inside:
    def __init__(self, systems: Systems, lane: str, business_id: str) -> None:
        self._systems, self._lane, self._business_id = systems, lane, business_id

    def __enter__(self) -> None:
        self._systems.enter(self._lane, self._business_id)

    def __exit__(self, *_: object) -> None:
        self._systems.leave(self._lane, self._business_id)


def _applied(system: str, business_id: str, *, already: bool = False) -> Applied:
    receipt = Receipt(kind="record", native_id=f"{system}-{business_id}", business_id=business_id)
    return Applied(receipt=receipt, status=200, request_sha256="", response_sha256="", already=already)
