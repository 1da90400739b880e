"""Whoever acts on the platform from outside: vendors that deliver, and people who decide."""

import asyncio
import base64
import hmac
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256

import aiohttp
from sqlalchemy import select

from accordant.backbone.rows import asked_table
from accordant.kernel.errors import Refused
from accordant.operations.approvals import Verdict, waiting
from tests.kills.shipped import LOOK_EVERY_S, Stage

AGREED = Verdict(approve=True, actor="reviewer@finance", note="agreed")


async def deliver(stage: Stage, vendor: str, body: bytes) -> int:
    """A delivery signed as the vendor signs, over HTTP; sent again until somebody answers, as vendors do."""
    (secret,) = stage.platform.connections[vendor].settings.webhook_secrets
    url = f"http://{stage.settings.host}:{await stage.port()}/hooks/{vendor}"
    while True:
        headers = _SIGNED[vendor](secret.encode(), body)
        try:
            async with aiohttp.ClientSession(headers=headers) as session, session.post(url, data=body) as answer:
                return answer.status
        except aiohttp.ClientConnectionError:
            await asyncio.sleep(0.02)


async def decide_until(stage: Stage, flow: str, state: str, *, verdict: Verdict = AGREED) -> None:
    """Decide whatever waits, once its role was told, until a flow ended so.

    Who decides again after a death learns whether the word was taken. A verdict that comes too late is refused, and
    that is as it should be.
    """
    while not stage.is_so(flow, state):
        told = {row["approval_id"] for row in stage.rows(select(asked_table.c.approval_id))}
        for one in stage.platform.database.read_now(lambda db: waiting(db, tenant=stage.settings.tenant)):
            if one.approval_id not in told:
                continue
            with suppress(Refused):
                await stage.platform.approvals.decide(one.approval_id, verdict)
        await asyncio.sleep(LOOK_EVERY_S)


def _as_billing(secret: bytes, body: bytes) -> Mapping[str, str]:
    signed_at = str(int(time.time()))
    signature = hmac.new(secret, signed_at.encode() + b"." + body, sha256).hexdigest()
    return {"Stripe-Signature": f"t={signed_at},v1={signature}"}


def _as_support(secret: bytes, body: bytes) -> Mapping[str, str]:
    signed_at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    mac = hmac.new(secret, signed_at.encode() + body, sha256)
    return {
        "X-Zendesk-Webhook-Signature": base64.b64encode(mac.digest()).decode(),
        "X-Zendesk-Webhook-Signature-Timestamp": signed_at,
    }


_SIGNED: Mapping[str, Callable[[bytes, bytes], Mapping[str, str]]] = {"stripe": _as_billing, "zendesk": _as_support}
