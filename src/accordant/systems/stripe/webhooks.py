"""Proves that a delivery was signed by Stripe with a secret of ours, recently.

Source: https://docs.stripe.com/webhooks#verify-manually (scheme v1, tolerance 300 s), API version 2026-10-28.endive.
"""

import hmac
import re
from collections.abc import Mapping
from hashlib import sha256

from accordant.connector.capabilities import Delivery
from accordant.connector.deliveries import name_of
from accordant.kernel.errors import Unverified

HEADER = "stripe-signature"
TOLERANCE_S = 300
HEADER_CHARS_MAX = 4096
SIGNATURES_MAX = 32
_SIGNATURE = re.compile(r"[0-9a-f]{64}", re.ASCII)
_TIME = re.compile(r"[0-9]{1,12}", re.ASCII)


def verify(headers: Mapping[str, str], body: bytes, secrets: tuple[str, ...], received_at_s: int, /) -> Delivery:
    """Check the signature over the raw bytes, then the age; the event's id is the delivery's, where it has one.

    Raises:
        Unverified: no secret, no or a wrong signature, or signed more than 300 s from now.
    """
    keys = [secret.encode("utf-8", "surrogatepass") for secret in secrets if secret.strip()]
    if not keys:
        raise Unverified("no signing secret is configured for this connection, and one is needed")
    signed_at, signatures = _read(headers.get(HEADER, ""))
    payload = signed_at.encode() + b"." + body
    matched = False
    for key in keys:
        expected = hmac.new(key, payload, sha256).hexdigest().encode()
        for signature in signatures:
            # No early exit: the time taken says nothing about which secret or signature matched.
            matched |= hmac.compare_digest(expected, signature)
    if not matched:
        raise Unverified("the signature does not match; expected one over this body with a secret of this connection")
    if abs(received_at_s - int(signed_at)) > TOLERANCE_S:
        raise Unverified(f"expected a signature at most {TOLERANCE_S} seconds old; a replay, or a clock that is wrong")
    return Delivery(delivery_id=name_of(body))


def _read(header: str) -> tuple[str, list[bytes]]:
    """The signing time as written, and the v1 signatures."""
    if not header or len(header) > HEADER_CHARS_MAX or not header.isascii():
        raise Unverified("the Stripe-Signature header is missing or unreadable; expected t=…,v1=…")
    times: list[str] = []
    signatures: list[bytes] = []
    for part in header.split(","):
        name, _, value = part.partition("=")
        if name == "t":
            times.append(value)
        elif name == "v1" and _SIGNATURE.fullmatch(value):
            signatures.append(value.encode())
    if len(times) != 1 or not _TIME.fullmatch(times[0]) or times[0] != str(int(times[0])):
        raise Unverified("the Stripe-Signature header names no signing time; expected t=…,v1=…")
    if not signatures or len(signatures) > SIGNATURES_MAX:
        raise Unverified("the Stripe-Signature header carries no usable v1 signature; expected t=…,v1=…")
    return times[0], signatures
