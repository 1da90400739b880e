"""Locks keep two transactions from creating the same master record at the same moment."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Protocol


class Locks(Protocol):
    """Exclusive locks on canonical ids."""

    def hold(self, tenant: str, ids: Sequence[str]) -> AbstractAsyncContextManager[None]:
        """Hold all of them; taken in sorted order, so that nobody waits in a circle."""
        ...


class LocalLocks:
    """Locks within one process, enough where one process drives all transactions."""

    def __init__(self) -> None:
        self._locks: dict[tuple[str, str], tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def hold(self, tenant: str, ids: Sequence[str]) -> AsyncGenerator[None]:
        async with AsyncExitStack() as stack:
            for one in sorted(set(ids)):
                await stack.enter_async_context(self._one((tenant, one)))
            yield

    @asynccontextmanager
    async def _one(self, key: tuple[str, str]) -> AsyncGenerator[None]:
        lock, users = self._locks.get(key, (asyncio.Lock(), 0))
        self._locks[key] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks[key]
            if users == 1:
                del self._locks[key]
            else:
                self._locks[key] = (lock, users - 1)
