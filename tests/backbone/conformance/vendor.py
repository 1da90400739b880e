"""A vendor that applies or not, answers or not, remembers keys or not, as it is told; it counts what it applied."""

import asyncio
from collections.abc import Callable
from typing import Any

from accordant.canonical.operation import Applied, Attempt, EffectClass, Operation, Receipt
from accordant.kernel.errors import Rejected, Unavailable, Unknown

A, B, C, D = EffectClass.NATIVE_KEY, EffectClass.UPSERT, EffectClass.LOOKUP, EffectClass.ONCE


class Vendor:
    """Behaviours are planned per effect, one for each sending; after them everything is fine."""

    def __init__(self) -> None:
        self.applied: list[tuple[str, str]] = []
        """Business id and key of every write that changed something."""
        self.calls: list[tuple[str, str]] = []
        self.lookups: list[str] = []
        self.plan: dict[str, list[str]] = {}
        self.at_once = 0
        self.at_once_max = 0
        self.crashed = asyncio.Event()
        self._saved: dict[str, Applied | Exception] = {}

    def times(self, business_id: str) -> int:
        return sum(one == business_id for one, _ in self.applied)

    def operation(self, business_id: str, effect_class: EffectClass = A, **more: Any) -> Operation:
        async def send(attempt: Attempt) -> Applied:
            self.at_once += 1
            self.at_once_max = max(self.at_once_max, self.at_once)
            try:
                return await self._send(business_id, effect_class, attempt)
            finally:
                self.at_once -= 1

        async def look_up(_: Attempt) -> Applied | None:
            self.lookups.append(business_id)
            return _applied(business_id, already=True) if self.times(business_id) else None

        fields: dict[str, Any] = {"verb": "write", "command": {"id": business_id}, "kind": "order", **more}
        return Operation(
            system="erp",
            connection="erp",
            business_id=business_id,
            effect_class=effect_class,
            send=send,
            **{"look_up": None if effect_class is D else look_up, **fields},
        )

    async def _send(self, business_id: str, effect_class: EffectClass, attempt: Attempt) -> Applied:
        self.calls.append((business_id, attempt.key))
        planned = self.plan.get(business_id)
        behaviour = planned.pop(0) if planned else "fine"
        await asyncio.sleep(0)
        before: dict[str, Callable[[], Exception]] = {
            "down": lambda: Unavailable("down"),
            "5xx before": lambda: Unknown("502"),
            "no": lambda: Rejected("no", detail={"system": "erp", "vendor_code": "no"}),
            "bug": lambda: ZeroDivisionError("a bug"),
        }
        if behaviour in before:
            problem = before[behaviour]()
            raise problem
        if behaviour == "already":
            return _applied(business_id, already=True)
        if behaviour == "crash before":
            await self._crash()
        if behaviour == "save 5xx":
            self._saved[attempt.key] = Unknown("500, for ever", code="vendor.replayed_failure")
            raise Unknown("500")
        answer = self._apply(business_id, effect_class, attempt.key)
        if behaviour == "timeout after":
            raise Unknown("timeout")
        if behaviour == "crash after":
            await self._crash()
        return answer

    def _apply(self, business_id: str, effect_class: EffectClass, key: str) -> Applied:
        if effect_class is A and key in self._saved:
            saved = self._saved[key]
            if isinstance(saved, Exception):
                raise saved
            return saved
        if effect_class is not B or not self.times(business_id):
            self.applied.append((business_id, key))
        answer = self._saved[key] = _applied(business_id)
        return answer

    async def _crash(self) -> None:
        self.crashed.set()
        await asyncio.Event().wait()


def _applied(business_id: str, *, already: bool = False) -> Applied:
    receipt = Receipt(kind="order", native_id=f"n-{business_id}", business_id=business_id)
    return Applied(receipt=receipt, status=200, request_sha256="", response_sha256="", already=already)
