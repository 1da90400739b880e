"""A service credit in the matrix: support asks, finance agrees, and the platform dies at every boundary on the way."""

import asyncio
import base64
import hmac
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import aiohttp
import msgspec
from sqlalchemy import select

from accordant.kernel.errors import Refused
from accordant.masterdata.crosswalk import crosswalk_table
from accordant.operations.approvals import Verdict, waiting
from tests.kills.company import Company
from tests.kills.shipped import LOOK_EVERY_S, Stage
from tests.systems.zendesk.test_credit_requests import event

AGREED = Verdict(approve=True, actor="reviewer@finance", note="agreed")


def a_case_is_open(company: Company) -> None:
    company.vendors["zendesk"].load({"tickets": [{"subject": "Cannot log in", "comment": {"body": "It burns"}}]})


def at_once(folder: Path) -> None:
    """Whoever does not decide at once is too late."""
    file = folder / "estate" / "approvals.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("expire_after_h: 72", "expire_after_h: 0"))


async def support_asks(stage: Stage) -> None:
    """The delivery comes again in every life, as vendors repeat it."""
    c = crosswalk_table.c
    held = select(c.native_id).where(c.noun == "customer", c.system == "support").order_by(c.canonical_id)
    organization = stage.rows(held)[0]["native_id"]
    asked = event("120.00 outage", time="2026-11-21T10:00:00Z", id="1", organization_id=organization)
    assert await _deliver(stage, msgspec.json.encode(asked)) in {200, 202}


async def finance_agrees(stage: Stage) -> None:
    """Whoever decides again after a death finds out whether the word was taken."""
    await support_asks(stage)
    while not stage.is_so("service_credit", "completed"):
        for one in stage.platform.database.read_now(lambda db: waiting(db, tenant=stage.settings.tenant)):
            with suppress(Refused):
                await stage.platform.approvals.decide(one.approval_id, AGREED)
        await asyncio.sleep(LOOK_EVERY_S)


async def _deliver(stage: Stage, body: bytes) -> int:
    (secret,) = stage.platform.connections["zendesk"].settings.webhook_secrets
    url = f"http://{stage.settings.host}:{await stage.port()}/hooks/zendesk"
    while True:
        signed_at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        mac = hmac.new(secret.encode(), signed_at.encode() + body, sha256)
        headers = {
            "X-Zendesk-Webhook-Signature": base64.b64encode(mac.digest()).decode(),
            "X-Zendesk-Webhook-Signature-Timestamp": signed_at,
        }
        try:
            async with aiohttp.ClientSession(headers=headers) as session, session.post(url, data=body) as answer:
                return answer.status
        except aiohttp.ClientConnectionError:
            await asyncio.sleep(0.02)
