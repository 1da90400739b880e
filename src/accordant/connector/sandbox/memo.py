"""Answers saved under an idempotency key, for as long as the vendor keeps them."""

import hashlib
from typing import Any

from accordant.connector.sandbox.clock import SandboxClock
from accordant.connector.sandbox.exchange import Reply


class KeyConflict(Exception):
    """The key was used before with other parameters."""

    def __init__(self, reply: Reply) -> None:
        super().__init__("the key was used before with other parameters")
        self.reply = reply
        """What the first use was answered with."""


class ReplyMemo:
    """Key → first answer. Save inside `Write.apply`, so that a write that was not applied leaves no answer behind."""

    def __init__(self, *, clock: SandboxClock, ttl_s: float) -> None:
        self._clock = clock
        self._ttl_s = ttl_s
        self._saved: dict[str, tuple[float, bytes, Reply]] = {}

    def recall(self, key: str, *parameters: Any) -> Reply | None:
        """The saved answer, None when the key is new or has expired.

        Raises:
            KeyConflict: the key belongs to other `parameters` (method, path, body: anything with a stable repr).
        """
        saved = self._saved.get(key)
        if saved is None:
            return None
        saved_at_s, digest, reply = saved
        if self._clock.now_s() - saved_at_s > self._ttl_s:
            del self._saved[key]
            return None
        if digest != _digest(parameters):
            raise KeyConflict(reply)
        return reply

    def save(self, key: str, reply: Reply, *parameters: Any) -> None:
        self._saved[key] = (self._clock.now_s(), _digest(parameters), reply)


def _digest(parameters: tuple[Any, ...]) -> bytes:
    return hashlib.blake2b(repr(parameters).encode("utf-8", "surrogatepass"), digest_size=16).digest()
