"""A vendor that keeps a ledger and answers doubtfully at its first sendings, in every way an answer can be doubtful."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from accordant.canonical.operation import Applied, Attempt, EffectClass, Facts, Operation, ReadRef, Receipt
from accordant.kernel.clock import ManualClock
from accordant.kernel.errors import Unknown

KEY_LIFE_S = 600.0
SETTLE_S = 5.0


class Doubt(StrEnum):
    """What happens at the first sending."""

    TIMEOUT = "timeout after apply"
    RESET = "reset after apply"
    ERROR = "5xx after apply"
    TRUNCATED = "truncated answer"
    LIE = "200 without applying"
    NOT_FOUND = "404 although applied"
    LAG = "lagging search index"
    KEY_EXPIRED = "vendor key expired in between"
    SAVED_ERROR = "vendor repeats a saved 5xx"
    TWICE = "same transaction driven twice at once"


_NO_ANSWER = {
    Doubt.TIMEOUT: "did not answer within 2 s",
    Doubt.RESET: "broke the connection",
    Doubt.ERROR: "answered 502 to a write",
    Doubt.TRUNCATED: "answered half of a body",
}
_SEEN_AFTER_S = {Doubt.NOT_FOUND: SETTLE_S, Doubt.LAG: SETTLE_S / 2}
"""How long after a write a lookup answers that there is no such record."""


class DoubtfulVendor:
    """Applies by its class: a key it remembers, an upsert, or whatever comes."""

    def __init__(self, doubts: Sequence[Doubt], clock: ManualClock) -> None:
        self.ledger: list[str] = []
        """Business id of every write that was applied."""
        self.sent: list[tuple[str, str]] = []
        self._doubts = doubts
        self._clock = clock
        self._seen_at_s: dict[str, float] = {}
        self._saved: dict[str, tuple[float, Exception | None]] = {}

    def operation(self, business_id: str, effect_class: EffectClass) -> Operation:
        async def send(attempt: Attempt) -> Applied:
            return self._send(business_id, attempt.key, effect_class)

        async def look_up(_: Attempt) -> Applied | None:
            return _answer(business_id) if self._is_seen(business_id) else None

        return Operation(
            system="erp",
            connection="erp",
            verb="write",
            kind="order",
            business_id=business_id,
            effect_class=effect_class,
            command={"id": business_id},
            send=send,
            look_up=None if effect_class is EffectClass.ONCE else look_up,
            expected={"id": business_id},
            key_life_s=KEY_LIFE_S if effect_class is EffectClass.NATIVE_KEY else None,
            settle_s=SETTLE_S,
        )

    async def read_back(self, kind: str, refs: Sequence[ReadRef]) -> dict[str, Facts]:
        return {ref.native_id: {"id": ref.business_id} for ref in refs if ref.business_id in self.ledger}

    def _send(self, business_id: str, key: str, effect_class: EffectClass) -> Applied:
        sendings = sum(one == business_id for one, _ in self.sent)
        doubt = self._doubts[sendings] if sendings < len(self._doubts) else None
        self.sent.append((business_id, key))
        if doubt is Doubt.LIE:
            return _answer(business_id)
        self._apply(business_id, key, effect_class, hidden_s=_SEEN_AFTER_S.get(doubt, 0.0) if doubt else 0.0)
        if doubt is None or doubt is Doubt.TWICE:
            return _answer(business_id)
        raise self._no_answer(key, doubt)

    def _apply(self, business_id: str, key: str, effect_class: EffectClass, *, hidden_s: float) -> None:
        at_s, saved = self._saved.get(key, (0.0, None))
        is_known = key in self._saved and self._now_s() - at_s < KEY_LIFE_S
        if effect_class is EffectClass.NATIVE_KEY and is_known:
            if saved is not None:
                raise saved
            return
        self._saved[key] = self._now_s(), None
        if effect_class is not EffectClass.UPSERT or business_id not in self.ledger:
            self.ledger.append(business_id)
            self._seen_at_s.setdefault(business_id, self._now_s() + hidden_s)

    def _no_answer(self, key: str, doubt: Doubt) -> Exception:
        if doubt is Doubt.SAVED_ERROR:
            again = Unknown("500, for ever", code="vendor.replayed_failure")
            self._saved[key] = self._now_s(), again
        if doubt is Doubt.KEY_EXPIRED:  # an outage of the vendor, longer than its memory
            self._clock.advance(KEY_LIFE_S + 1)
        return Unknown(_NO_ANSWER.get(doubt, "did not answer"))

    def _is_seen(self, business_id: str) -> bool:
        return business_id in self._seen_at_s and self._now_s() >= self._seen_at_s[business_id]

    def _now_s(self) -> float:
        return self._clock.now_ms() / 1000


def _answer(business_id: str) -> Applied:
    receipt: Any = Receipt(kind="order", native_id=f"n-{business_id}", business_id=business_id)
    return Applied(receipt=receipt, status=200, request_sha256="", response_sha256="")
