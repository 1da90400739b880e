"""Our client, connected to the offline account over real HTTP."""

import json
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from accordant.canonical.operation import Applied, Attempt, Operation, ReadRef
from accordant.connector.capabilities import ConnectionSettings
from accordant.connector.http import HttpDeps, VendorHttp, open_session
from accordant.kernel.clock import SystemClock
from accordant.systems.netsuite import connector
from accordant.systems.netsuite.client import NetSuite
from tests.systems.netsuite.account import Account

ATTEMPT = Attempt(key="acc-1")


def settings(account: Account, **changes: Any) -> ConnectionSettings:
    seed = connector.sandbox_seed
    values: dict[str, Any] = {"credentials": seed.credentials, "options": seed.options, "timeout_s": 0.5}
    return ConnectionSettings(name="netsuite", vendor="netsuite", base_url=account.url, **{**values, **changes})


@asynccontextmanager
async def connected(account: Account, **changes: Any) -> AsyncGenerator[NetSuite]:
    given = settings(account, **changes)
    async with open_session() as session:
        deps = HttpDeps(session=session, clock=SystemClock(), rng=random.Random())
        client = connector.connect(given, VendorHttp(given, connector.manners(given), deps=deps))
        assert isinstance(client, NetSuite)
        yield client


def problem(code: str, detail: str) -> bytes:
    return json.dumps({"title": "Bad Request", "o:errorDetails": [{"o:errorCode": code, "detail": detail}]}).encode()


async def fault(account: Account, kind: str, **more: Any) -> None:
    await account.admin("PUT", "faults", {"faults": [{"kind": kind, **more}]})


async def verified(erp: NetSuite, operation: Operation, applied: Applied) -> bool:
    receipt = applied.receipt
    ref = ReadRef(kind=receipt.kind, native_id=receipt.native_id, business_id=receipt.business_id)
    return await erp.read_back(receipt.kind, [ref]) == {receipt.native_id: operation.expected}
