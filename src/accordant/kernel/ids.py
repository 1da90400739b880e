"""Identifiers that come out the same on every machine, after every crash and on every replay."""

from hashlib import blake2b, sha256
from typing import Any

import msgspec

_encoder = msgspec.json.Encoder(order="deterministic")


def canonical_json(value: Any) -> bytes:
    """One byte sequence per value: keys sorted, no spaces. Two equal values hash alike."""
    return _encoder.encode(value)


def digest(*parts: str) -> str:
    """32 hexadecimal characters over the parts; `("ab", "c")` and `("a", "bc")` differ."""
    hasher = blake2b(digest_size=16)
    for part in parts:
        raw = part.encode()
        hasher.update(len(raw).to_bytes(4, "big"))
        hasher.update(raw)
    return hasher.hexdigest()


def content_hash(body: bytes) -> str:
    """SHA-256 of raw bytes in hexadecimal, as shown beside requests and responses in a proof."""
    return sha256(body).hexdigest()


def canonical_id(noun: str, *parts: str) -> str:
    """The platform's own id of a thing, such as `customer-9f2c…`: same source record, same id, for ever."""
    return f"{noun}-{digest(noun, *parts)[:20]}"


def transaction_id(*, tenant: str, source_record: str, fact: str, occurrence: str, flow: str) -> str:
    """One business fact handled by one flow is one transaction, however often it is told."""
    return f"tx-{digest('transaction', tenant, source_record, fact, occurrence, flow)[:24]}"


def effect_key(*, tenant: str, scope: str, name: str, version: int) -> str:
    """The idempotency key of an effect. `scope` is the transaction, or the canonical id for master data."""
    return f"acc-{digest('effect', tenant, scope, name, str(version))}"
