"""An operation is one write that a flow asks of a system; the ledger decides when, and how often, it is sent.

A port method such as `billing.open_customer(customer)` does not call anything. It returns an `Operation`: the
canonical command, how the vendor protects against doing it twice (its effect class), and how to send it and to look
it up. The ledger records it, supplies its key, sends it, and remembers the outcome.
"""

from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from accordant.kernel.priority import Priority

KEY_SPENT = frozenset({"vendor.replayed_failure", "vendor.key_conflict"})
"""Codes of an Unknown after which repeating the same key tells nothing more: the vendor gives the answer it saved."""


class EffectClass(StrEnum):
    """How a vendor protects one operation against being applied twice."""

    NATIVE_KEY = "A"
    """The vendor remembers an idempotency key for `key_life_s` and answers a repeat with the first outcome."""
    UPSERT = "B"
    """The write names the record by an id of ours, or sets a state; repeating it ends in the same state."""
    LOOKUP = "C"
    """Neither; but the record can be found by an id of ours, after `settle_s` of index lag."""
    ONCE = "D"
    """Neither; it is tried once, and an ambiguous outcome waits for a person."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger tells the client about this sending of an operation."""

    key: str
    """The idempotency key; equal for every repeat of the same logical effect (at most 40 ASCII characters)."""
    number: int = 1
    priority: Priority = Priority.CUSTOMER


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What a system answered: the record it now holds."""

    kind: str
    """Canonical noun of the record: customer, subscription, order, entitlement, opportunity …"""
    native_id: str
    business_id: str
    """The canonical id that the record carries in that system."""
    facts: dict[str, str] = {}
    """What later steps need from the answer, in canonical words, such as `started_on`."""


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """A confirmed sending, with the hashes that a proof shows."""

    receipt: Receipt
    status: int
    request_sha256: str
    response_sha256: str
    already: bool = False
    """The record was there before this effect; compensation must leave it alone."""


Facts = dict[str, str | int | None]
"""Canonical fields of a record, such as `{"amount_minor": 105400, "currency": "USD"}`; compared field by field."""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One write, described and not yet sent."""

    system: str
    """Role of the target: crm, billing, erp, support."""
    connection: str
    """Name of the estate's connection, such as `stripe`."""
    verb: str
    """Business verb, such as `start_subscription`."""
    kind: str
    """Canonical noun of the record written."""
    business_id: str
    """The canonical id that the operation writes into the record."""
    effect_class: EffectClass
    command: Any
    """The canonical command (a frozen struct or a dict of plain values). Its hash is the memo's input hash."""
    send: Callable[[Attempt], Awaitable[Applied]]
    """Send it once. Raises Retryable (not applied), Terminal (refused) or Unknown (sent, outcome not known)."""
    look_up: Callable[[Attempt], Awaitable[Applied | None]] | None = None
    """Find what an earlier sending may have created; None when the system has no such record."""
    expected: Facts = {}
    """What a read-back must show for the effect to count as verified."""
    key_life_s: float | None = None
    """How long the vendor remembers the key (class A)."""
    settle_s: float = 0.0
    """How long a lookup may lag behind a write (class A past its key's life, and class C)."""
    notice: bool = False
    """Only tells where something stands and changes no business record; never counts as a transaction's effect."""
    master_data: bool = False
    """Creates master data: keyed by the canonical id instead of the transaction."""


class ReadRef(msgspec.Struct, frozen=True, kw_only=True):
    """One record to read back."""

    kind: str
    native_id: str
    business_id: str


class SystemPort(Protocol):
    """What every role can do beside its business verbs."""

    async def read_back(self, kind: str, refs: Sequence[ReadRef]) -> dict[str, Facts]:
        """What the system holds now, by native id; a record it does not hold is absent from the answer.

        Batched (one call for up to 100 records where the vendor allows it) and served at background priority.
        """
        ...
