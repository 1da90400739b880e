"""Proves that a delivery comes from Zendesk, was signed just now, and has not been altered.

Sources: https://developer.zendesk.com/documentation/webhooks/verifying/ (base64 of HMAC-SHA256 over timestamp and raw
body) and https://developer.zendesk.com/documentation/webhooks/anatomy-of-a-webhook-request/ (headers; read 2026-11).
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from accordant.connector.capabilities import Delivery
from accordant.connector.deliveries import name_of
from accordant.kernel.errors import Unverified

SIGNATURE = "x-zendesk-webhook-signature"
TIMESTAMP = "x-zendesk-webhook-signature-timestamp"
INVOCATION = "x-zendesk-webhook-invocation-id"
TOLERANCE_S = 300
HEADER_CHARS_MAX = 1024
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
"""Whole and in one way only: the time is signed right before the body, so neither may lend characters to the other."""


def verify(headers: Mapping[str, str], body: bytes, secrets: tuple[str, ...], received_at_s: int, /) -> Delivery:
    """Check one delivery; `headers` have lower-case names, `secrets` are those valid now (two while rotating).

    Raises:
        Unverified: no secret is configured, a header is missing, the signature or its time is wrong.
    """
    timestamp, sent = headers.get(TIMESTAMP, ""), headers.get(SIGNATURE, "")
    if not any(secrets):
        raise _unverified("no signing secret is configured for this connection, and one is needed")
    if not timestamp.isascii() or not timestamp or not sent:
        raise _unverified(f"the headers {SIGNATURE} and {TIMESTAMP} are needed")
    if len(timestamp) > HEADER_CHARS_MAX or len(sent) > HEADER_CHARS_MAX:
        raise _unverified(f"the headers {SIGNATURE} and {TIMESTAMP} are too long; expected a time and a base64 digest")
    if not _signed(timestamp.encode() + body, sent.encode("utf-8", "surrogatepass"), secrets=secrets):
        raise _unverified("the signature does not match; expected one over this body with a secret of this connection")
    if abs(received_at_s - _instant_s(timestamp)) > TOLERANCE_S:
        raise _unverified(f"expected a signature at most {TOLERANCE_S} seconds away from now")
    # The event's id is the same in every attempt and every invocation for one event. A trigger's webhook sends whatever
    # its author wrote, or nothing; the invocation, whose attempts share one id, then stands for the event.
    return Delivery(delivery_id=name_of(body, given=headers.get(INVOCATION, "")))


def _signed(message: bytes, sent: bytes, *, secrets: tuple[str, ...]) -> bool:
    """Whether one of the secrets signed it; all of them are tried, so that time tells nothing."""
    matches = False
    for secret in secrets:
        if secret:
            mac = hmac.new(secret.encode("utf-8", "surrogatepass"), message, hashlib.sha256)
            matches |= hmac.compare_digest(base64.b64encode(mac.digest()), sent)
    return matches


def _instant_s(timestamp: str) -> float:
    if not _TIME.fullmatch(timestamp):
        raise _unverified(f"{TIMESTAMP} is not an ISO 8601 time with its zone, such as 2026-11-21T12:00:00Z")
    try:
        instant = datetime.fromisoformat(timestamp)
        return (instant - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    except (ValueError, OverflowError) as error:
        raise _unverified(f"{TIMESTAMP} is not an ISO 8601 time") from error


def _unverified(why: str) -> Unverified:
    return Unverified(f"the delivery is not proved to come from Zendesk: {why}", code="zendesk.unverified")
