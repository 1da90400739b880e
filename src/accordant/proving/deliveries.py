"""A vendor that writes down what it was told: signed webhooks, one to three copies each, and the answer to each."""

import asyncio
import base64
import hmac
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256

import aiohttp
import msgspec

from accordant.kernel.clock import Clock
from accordant.proving.checker.history import Acknowledged, Outcome

Headers = dict[str, str]
_EVERY_S = 0.05
_TIMEOUT_S = 3.0
_RANK: dict[Outcome, int] = {"failed": 0, "unknown": 1, "ok": 2}


def _sign_stripe(body: bytes, secret: str, *, at: datetime) -> Headers:
    moment = str(int(at.timestamp()))
    mac = hmac.new(secret.encode(), moment.encode() + b"." + body, sha256).hexdigest()
    return {"Stripe-Signature": f"t={moment},v1={mac}"}


def _sign_zendesk(body: bytes, secret: str, *, at: datetime) -> Headers:
    moment = at.isoformat(timespec="seconds").replace("+00:00", "Z")
    mac = base64.b64encode(hmac.new(secret.encode(), moment.encode() + body, sha256).digest()).decode()
    return {"X-Zendesk-Webhook-Signature": mac, "X-Zendesk-Webhook-Signature-Timestamp": moment}


def _body(connection: str, delivery_id: str, *, is_readable: bool) -> bytes:
    """An event of a kind that nobody acts on; one that is no event at all is kept and shown all the same."""
    event: dict[str, object] = {"id": delivery_id}
    if is_readable and connection == "stripe":
        event |= {"object": "event", "type": "drill.delivered", "data": {"object": {}}}
    elif is_readable:
        event |= {"type": "zen:event-type:drill.delivered", "detail": {}}
    return msgspec.json.encode(event)


SIGN: Mapping[str, Callable[..., Headers]] = {"stripe": _sign_stripe, "zendesk": _sign_zendesk}
"""By connection of the demo estate: how a delivery is signed, written down a second time."""


class Deliveries:
    """Sends until cancelled; `told` is what the sender learned of each delivery."""

    def __init__(self, url: str, secrets: Mapping[str, str], *, rng: random.Random, clock: Clock) -> None:
        self._url = url
        self._secrets = secrets
        self._rng = rng
        self._clock = clock
        self._told: dict[tuple[str, str], Outcome] = {}
        self._sent = 0

    @property
    def told(self) -> tuple[Acknowledged, ...]:
        """Every delivery with the best that any of its copies came to."""
        return tuple(
            Acknowledged(connection=connection, delivery_id=delivery_id, outcome=outcome)
            for (connection, delivery_id), outcome in self._told.items()
        )

    async def run(self) -> None:
        """One delivery after the other, and now and then one that was sent long ago."""
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                connection = self._rng.choice(list(self._secrets))
                number = self._sent if self._rng.random() < 0.8 else self._rng.randint(0, self._sent)
                self._sent = max(self._sent, number + 1)
                copies = self._rng.choice((1, 1, 2, 3))
                await asyncio.gather(*(self._deliver(session, connection, number) for _ in range(copies)))
                await asyncio.sleep(_EVERY_S)

    async def _deliver(self, session: aiohttp.ClientSession, connection: str, number: int, /) -> None:
        delivery_id = f"evt_drill{connection}{number:08}"
        body = _body(connection, delivery_id, is_readable=number % 40 != 0)
        now = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
        headers = {"Content-Type": "application/json", **SIGN[connection](body, self._secrets[connection], at=now)}
        outcome = await _posted(session, f"{self._url}/hooks/{connection}", body, headers)
        name = (connection, delivery_id)
        if _RANK[outcome] >= _RANK[self._told.get(name, "failed")]:
            self._told[name] = outcome


async def _posted(session: aiohttp.ClientSession, url: str, body: bytes, headers: Headers, /) -> Outcome:
    """Nobody there is a failure; no answer, or one that promises nothing, leaves it open."""
    try:
        async with session.post(url, data=body, headers=headers) as answer:
            if 200 <= answer.status < 300:
                return "ok"
            return "failed" if answer.status < 500 else "unknown"
    except aiohttp.ClientConnectorError:
        return "failed"
    except (aiohttp.ClientError, TimeoutError):
        return "unknown"
