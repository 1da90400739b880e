"""One event loop for each example, in which time passes only where somebody waits, and everything runs in one thread.

What the platform hands to its reading and writing threads runs in this thread too, after a pause drawn from a seed, so
that the order in which things happen is different in every example and the same whenever an example is run again.
"""

import asyncio
import random
import selectors
from collections.abc import Callable
from typing import Any

_PAUSES_S = (0.0, 0.0, 0.0, 0.0, 0.001, 0.003)
START_MS = 1_700_000_000_000


class Died(BaseException):
    """The platform was killed at this place; no handler of errors of its own may see it."""


class _NoWaiting(selectors.DefaultSelector):
    """Instead of waiting, lets that much time pass."""

    def __init__(self, pass_time: Callable[[float | None], None]) -> None:
        super().__init__()
        self._pass_time = pass_time

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout != 0:
            self._pass_time(timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs at once what would take hours."""

    def __init__(self, seed: int) -> None:
        self._virtual_s = 0.0
        self._rng = random.Random(seed)
        self.life = 0
        """Rises when the platform is killed: what its threads had in hand is never finished."""
        super().__init__(_NoWaiting(self._pass))
        self.set_exception_handler(lambda *_: None)

    def time(self) -> float:
        return self._virtual_s

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        answer = self.create_future()
        life = self.life

        def run() -> None:
            if life != self.life:
                return
            try:
                result, failed = func(*args), None
            except BaseException as error:  # noqa: BLE001 - handed to whoever waits, as a thread would
                result, failed = None, error
            if life == self.life:
                self.call_later(self._rng.choice(_PAUSES_S), tell, result, failed)
            # The traceback holds this frame, and the frame the failure: a connection that died in the middle of a
            # transaction would stay open, and its lock with it, until the garbage is collected.
            del result, failed

        def tell(result: Any, failed: BaseException | None) -> None:
            if life != self.life or answer.done():
                return
            if failed is not None:
                answer.set_exception(failed)
            else:
                answer.set_result(result)

        self.call_later(self._rng.choice(_PAUSES_S), run)
        return answer

    def _pass(self, seconds: float | None) -> None:
        if seconds is None:
            raise RuntimeError("nothing is left that could ever happen; somebody waits for it all the same")
        self._virtual_s += seconds


class WorldTime:
    """True time, and the platform's own idea of it, which may be wrong by hours and jump."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.passed_s = 0.0
        self.skew_s = 0.0

    @property
    def true_s(self) -> float:
        """Seconds since the example began; the systems and the source keep this time."""
        return self._loop.time() + self.passed_s

    def now_ms(self) -> int:
        return START_MS + round((self.true_s + self.skew_s) * 1000)

    def monotonic_s(self) -> float:
        return self.true_s

    def advance(self, seconds: float) -> None:
        """Let time pass for everybody."""
        self.passed_s += seconds
