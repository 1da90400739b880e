"""What a vendor folder offers to the platform: one `Connector`, a catalog of what it can do and what is assumed."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import msgspec

from accordant.backbone.message import Ignored, Message, Told
from accordant.canonical.operation import EffectClass, SystemPort


class ConnectionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One connection of the estate (`connections.yaml`), its secrets already resolved."""

    name: str
    vendor: str
    base_url: str
    """Scheme, host and port, no path: `https://acme.my.salesforce.com`, or a sandbox's `http://127.0.0.1:8101`."""
    credentials: Mapping[str, str] = {}
    """By vendor, documented in its README; never logged."""
    webhook_secrets: tuple[str, ...] = ()
    """Accepted signing secrets, newest first; empty means every delivery is refused."""
    options: Mapping[str, Any] = {}
    """Vendor settings that are no secrets, such as the account id or an API version."""
    rate_per_s: float | None = None
    concurrency: int = 32
    daily_quota: int | None = None
    timeout_s: float = 10.0

    def __repr__(self) -> str:
        return f"ConnectionSettings(name={self.name!r}, vendor={self.vendor!r}, base_url={self.base_url!r})"


class Capability(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of the catalog; `accordant doctor` and the guarantees page are made from these."""

    verb: str
    kind: str
    effect_class: EffectClass
    request: str
    """Method and path, such as `POST /v1/subscriptions`."""
    source: str
    """URL of the documentation that says so."""
    key_life_s: float | None = None
    settle_s: float = 0.0


class Assumption(msgspec.Struct, frozen=True, kw_only=True):
    """A behaviour of the sandbox or client that no contract or document at hand confirms."""

    about: str
    assumed: str


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook proved authentic."""

    delivery_id: str


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One polled record."""

    delivery_id: str
    """Native id and version, `006…@2026-11-21T12:00:00.000Z`: the same version polled twice is one delivery."""
    sequence: str
    """The cursor value of this row, comparable as text."""
    body: bytes


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """Records that are polled because the vendor sends no signed events for them."""

    name: str
    poll: Callable[[Any, str], AsyncIterator[list[Row]]]
    """`poll(client, since)` yields pages of rows whose cursor value is >= since (empty text: from the beginning)."""
    look_back_s: float
    """Each poll begins this much before the last cursor, because rows can appear late."""
    every_s: float = 2.0


class CatalogueItem(msgspec.Struct, frozen=True, kw_only=True):
    """A product as vendors' catalogues name it."""

    product_id: str
    name: str


class LegalEntity(msgspec.Struct, frozen=True, kw_only=True):
    """One of our legal entities, and its id in the books."""

    code: str
    erp_id: str


class World(msgspec.Struct, frozen=True, kw_only=True):
    """What a company set up in its systems before the platform came: a sandbox is furnished with it."""

    products: tuple[CatalogueItem, ...]
    credit_items: tuple[CatalogueItem, ...] = ()
    """What the books post credits under."""
    legal_entities: tuple[LegalEntity, ...]
    hook_url: str
    """Where this connection's webhooks go."""
    webhook_secret: str


Record = dict[str, Any]


class SandboxSeed(msgspec.Struct, frozen=True, kw_only=True):
    """What a sandbox needs so that a client can be pointed at it."""

    credentials: Mapping[str, str]
    webhook_secrets: tuple[str, ...] = ()
    options: Mapping[str, Any] = {}


VerifyDelivery = Callable[[Mapping[str, str], bytes, "tuple[str, ...]", int], Delivery]
"""`verify(headers in lower case, raw body, secrets, received_at_s)`. Raises Unverified; no secret means refuse."""

Translate = Callable[[Message], "list[Told] | Ignored"]
"""Vendor words to canonical facts; pure. Raises Malformed (with a pointer in `detail`) for what cannot be read."""


class Connector(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the platform knows of one vendor."""

    vendor: str
    role: str
    """crm, billing, erp or support."""
    api_version: str
    manners: Callable[[ConnectionSettings], Any]
    """`manners(settings)` gives the kit's `Manners`: authentication, and how the vendor's refusals are read."""
    connect: Callable[[ConnectionSettings, Any], SystemPort]
    """`connect(settings, http)` gives the client; `http` is the kit's `VendorHttp`, made with those manners."""
    capabilities: tuple[Capability, ...]
    assumptions: tuple[Assumption, ...]
    translate: Translate
    verify: VerifyDelivery | None = None
    """None: the vendor sends no signed webhooks."""
    streams: tuple[Stream, ...] = ()
    sandbox_seed: SandboxSeed
    """The fixed, public test credentials that the sandbox accepts."""
