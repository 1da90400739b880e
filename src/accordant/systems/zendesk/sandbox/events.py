"""Tells registered webhooks what happened, signed and retried as Zendesk does.

Event webhooks, schema version 2022-06-20 and 2022-11-06. Sources:
https://developer.zendesk.com/api-reference/webhooks/event-types/organization-events
https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events
https://developer.zendesk.com/documentation/webhooks/anatomy-of-a-webhook-request/ (headers)
https://developer.zendesk.com/documentation/webhooks/verifying/ (signature)
https://developer.zendesk.com/documentation/webhooks/creating-and-monitoring-webhooks/ (retries)
"""

import base64
import hashlib
import hmac
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from accordant.connector.sandbox import Delivery, Kit, Record, RetryPolicy, WebhookSender

ACCOUNT_ID = 10973248
PREFIX = "zen:event-type:"
RETRIES = RetryPolicy(
    delays_s=(1.0, 5.0, 30.0),
    timeout_s=10.0,
    retry_statuses=frozenset({409, 429, 503}),
    retry_timeouts=True,
    retry_after_max_s=59.0,
)
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """One registered endpoint; `subscriptions` are event types, `*` at the end stands for the rest."""

    endpoint: str
    secret: str
    subscriptions: tuple[str, ...] = (PREFIX + "*",)
    webhook_id: str = ""

    def wants(self, event_type: str) -> bool:
        return any(
            event_type.startswith(wanted[:-1]) if wanted.endswith("*") else event_type == wanted
            for wanted in self.subscriptions
        )


class Herald:
    """Keeps the registered webhooks and queues one delivery per webhook and event."""

    def __init__(self, kit: Kit) -> None:
        self.sender: WebhookSender = kit.webhooks(RETRIES, sign)
        self._kit = kit
        self._webhooks: list[Webhook] = []
        if kit.settings.get("webhook_endpoint"):
            secret = kit.settings.get("webhook_secret", "")
            self.register(Webhook(endpoint=kit.settings["webhook_endpoint"], secret=secret))

    def register(self, webhook: Webhook) -> None:
        webhook_id = "01" + "".join(self._kit.rng.choices(_CROCKFORD, k=24))
        self._webhooks.append(msgspec.structs.replace(webhook, webhook_id=webhook_id))

    def tell(self, topic: str, *, subject: str, detail: Record, event: Record) -> None:
        """Queue `zen:event-type:<topic>` for whoever subscribed to it."""
        event_type = PREFIX + topic
        wanting = [webhook for webhook in self._webhooks if webhook.wants(event_type)]
        if not wanting:
            return
        rng, now = self._kit.rng, self._kit.clock.now()
        about_ticket = topic.startswith("ticket.")
        body = msgspec.json.encode(
            {
                "type": event_type,
                "account_id": ACCOUNT_ID,
                "id": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
                "time": f"{now:%Y-%m-%dT%H:%M:%S.%f}000Z" if about_ticket else stamp(now),
                "zendesk_event_version": "2022-11-06" if about_ticket else "2022-06-20",
                "subject": subject,
                "detail": detail,
                "event": event,
            }
        )
        for webhook in wanting:
            # One invocation may be attempted several times; copies and attempts share its id.
            headers = {
                "X-Zendesk-Account-Id": str(ACCOUNT_ID),
                "X-Zendesk-Webhook-Id": webhook.webhook_id,
                "X-Zendesk-Webhook-Invocation-Id": str(rng.randrange(10**9, 10**10)),
                "User-Agent": "Zendesk Webhook",
            }
            self.sender.send(
                Delivery(url=webhook.endpoint, topic=topic, body=body, headers=headers, secret=webhook.secret)
            )


def sign(delivery: Delivery, at: datetime, attempt: int, /) -> Mapping[str, str]:
    """base64(HMAC-SHA256(secret, timestamp + raw body)); every attempt has its own timestamp."""
    timestamp = stamp(at)
    mac = hmac.new(delivery.secret.encode(), timestamp.encode() + delivery.body, hashlib.sha256)
    return {
        "X-Zendesk-Webhook-Signature": base64.b64encode(mac.digest()).decode(),
        "X-Zendesk-Webhook-Signature-Timestamp": timestamp,
    }


def stamp(at: datetime) -> str:
    """ISO 8601 in UTC with whole seconds, as Zendesk writes times."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def change(current: Any, previous: Any) -> Record:
    return {"current": current, "previous": previous}
