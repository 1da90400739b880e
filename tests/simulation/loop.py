"""An event loop whose time is virtual and whose order is a matter of the seed; threads, sockets and sleep are not real.

A life is one run of the platform's process, known by a context variable. When it ends, nothing of it runs on: no
`finally`, no `except`, no timer; exactly as after SIGKILL.
"""

import asyncio
import heapq
import random
from collections.abc import Callable
from contextvars import Context, ContextVar
from typing import Any

EPOCH_MS = 1_700_000_000_000


class Life:
    """One run of the platform; `is_over` once it was killed."""

    __slots__ = ("is_over", "n", "tasks")

    def __init__(self, n: int) -> None:
        self.n = n
        self.is_over = False
        self.tasks: list[asyncio.Task[Any]] = []


LIFE: ContextVar[Life | None] = ContextVar("LIFE", default=None)


class Deadlock(Exception):
    """Nothing is ready and nothing is scheduled, but the run has not ended."""


class Killed(BaseException):
    """The process ends at this instruction."""


class TooLong(Exception):
    """The run goes round in circles."""


class _NoSelector:
    """There is no input and no output to wait for."""

    def close(self) -> None: ...

    def get_map(self) -> dict[Any, Any]:
        return {}


class SimulatedLoop(asyncio.SelectorEventLoop):
    """Runs callbacks in an order drawn from the seed, and moves the clock when nothing else is left to do."""

    def __init__(self, rng: random.Random, *, shuffles: bool, steps_max: int = 3_000_000) -> None:
        self._rng = rng
        self._now = 0.0
        self._shuffles = shuffles
        self._steps_left = steps_max
        self.delay_s: Callable[[], float] = lambda: 0.001
        """How long work handed to a thread takes."""
        self.crashes: list[str] = []
        """What escaped from callbacks."""
        super().__init__(_NoSelector())  # pyright: ignore[reportArgumentType]
        self.set_exception_handler(self._escaped)

    def time(self) -> float:
        return self._now

    def now_ms(self) -> int:
        return EPOCH_MS + round(self._now * 1000)

    def monotonic_s(self) -> float:
        return self._now

    def leap(self, seconds: float) -> None:
        """Let time pass in which nobody lives."""
        self._now += seconds

    def create_task(self, coro: Any, *, name: str | None = None, context: Context | None = None) -> asyncio.Task[Any]:
        task = super().create_task(coro, name=name, context=context)
        life = LIFE.get() if context is None else context.get(LIFE)
        if life is not None:
            life.tasks.append(task)  # kept, so that the garbage collector does not close what a kill left behind
        return task

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        future = self.create_future()

        def work() -> None:
            try:
                result = func(*args)
            except Killed:
                return
            except Exception as failed:  # noqa: BLE001 - handed to whoever waits, as a thread does
                if not future.cancelled():
                    future.set_exception(failed)
            else:
                if not future.cancelled():
                    future.set_result(result)

        self.call_later(self.delay_s(), work)
        return future

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Context | None = None) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)

    def _make_self_pipe(self) -> None: ...

    def _close_self_pipe(self) -> None: ...

    def _escaped(self, loop: Any, context: dict[str, Any]) -> None:
        if not isinstance(context.get("exception"), Killed):
            self.crashes.append(f"{context.get('message')}: {context.get('exception')!r}")

    def _run_once(self) -> None:
        ready: Any = self._ready  # pyright: ignore[reportAttributeAccessIssue]
        scheduled: Any = self._scheduled  # pyright: ignore[reportAttributeAccessIssue]
        while scheduled and (scheduled[0]._cancelled or _is_dead(scheduled[0])):
            heapq.heappop(scheduled)._scheduled = False
        if not ready and not self._stopping:  # pyright: ignore[reportAttributeAccessIssue]
            if not scheduled:
                raise Deadlock(f"at {self._now:.3f} s nothing is ready and nothing is scheduled")
            self._now = max(self._now, scheduled[0]._when)
        while scheduled and scheduled[0]._when <= self._now:
            handle = heapq.heappop(scheduled)
            handle._scheduled = False
            ready.append(handle)
        batch = list(ready)
        ready.clear()
        if self._shuffles and len(batch) > 1:
            self._rng.shuffle(batch)
        self._steps_left -= len(batch)
        if self._steps_left < 0:
            raise TooLong(f"at {self._now:.3f} s the run still goes on")
        for handle in batch:
            if not handle._cancelled and not _is_dead(handle):
                handle._run()


def _is_dead(handle: Any) -> bool:
    life = handle._context.get(LIFE)
    return life is not None and life.is_over
