"""What a vendor brings to its sandbox, and what the kit hands it."""

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Literal

import msgspec

from accordant.connector.sandbox.clock import SandboxClock
from accordant.connector.sandbox.exchange import NO_HEADERS, Call, Problem, Record, Reply, Route, Write
from accordant.connector.sandbox.faults import FaultInjector, FaultKind
from accordant.connector.sandbox.ledger import EffectLedger
from accordant.connector.sandbox.limits import Limit, Limiter
from accordant.connector.sandbox.pages import Page, take_page
from accordant.connector.sandbox.store import LaggedStore
from accordant.connector.sandbox.webhooks import RetryPolicy, Sign, WebhookSender

System = Literal["crm", "billing", "erp", "support"]


class Kit(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a sandbox may use besides its own memory."""

    clock: SandboxClock
    rng: random.Random
    """For ids and tokens; faults draw from their own sequence."""
    ledger: EffectLedger
    faults: FaultInjector
    limiter: Limiter
    settings: Mapping[str, str]
    """What the vendor's own options say (`--set name=value`): keys, secrets, webhook address."""
    senders: list[WebhookSender]
    """Filled by `webhooks`; started, counted and closed by the server."""

    def store(self, kind: str, *, indexes: Mapping[str, Callable[[Record], object]] | None = None) -> LaggedStore:
        """Records of one kind; their search lags by the `index_lag` fault of operation `<kind>.search`."""
        operation = f"{kind}.search"
        return LaggedStore(clock=self.clock, lag_s=lambda: self.faults.lag_s(operation), indexes=indexes or {})

    def page(self, operation: str, rows: list[Record], *, start: int, limit: int) -> Page:
        """One page of a listing, with the page faults that are on for `operation`."""
        return take_page(rows, start=start, limit=limit, mischief=self.faults.page_mischief(operation, start))

    def webhooks(self, policy: RetryPolicy, sign: Sign) -> WebhookSender:
        """A sender that runs as long as the sandbox; called while the sandbox is built."""
        sender = WebhookSender(policy, sign, clock=self.clock, faults=self.faults)
        self.senders.append(sender)
        return sender


class Sandbox(ABC):
    """One vendor's HTTP API, offline. Subclasses bring the manners; see the package docstring for an example."""

    system: ClassVar[System]
    max_body_bytes: ClassVar[int] = 1_048_576

    def __init__(self, kit: Kit) -> None:
        self.kit = kit

    @abstractmethod
    def routes(self) -> Iterable[Route]:
        """The routing table, read once at start."""

    @abstractmethod
    def authenticate(self, call: Call) -> Problem | None:
        """None when the caller is known; otherwise usually `Problem("unauthenticated" | "token_expired", 401)`."""

    @abstractmethod
    def render(self, problem: Problem) -> Reply:
        """The vendor's words for a refusal: body, status and headers (it may change the status, e.g. 403 for 429)."""

    def limits(self) -> Iterable[Limit]:
        """The vendor's published limits, in force when the sandbox runs with `--limits real`."""
        return ()

    def limit_subject(self, call: Call) -> str:
        """Whom a `per_subject` limit counts for (a ticket, a subscription)."""
        return call.path

    def idempotency_key(self, call: Call) -> str | None:
        """The key that the ledger keeps beside a write."""
        return call.headers.get("Idempotency-Key")

    def response_headers(self, call: Call) -> Mapping[str, str]:
        """Headers of every answer (request id, share of the limit used)."""
        return NO_HEADERS

    def after_fault(self, call: Call, kind: FaultKind, *, reply: Reply) -> None:  # noqa: B027 - optional
        """Called when a fault replaced the answer of an applied write, `reply` being what the caller gets.

        For vendors that save even a 5xx under its idempotency key.
        """

    def dump(self) -> Mapping[str, list[Record]]:
        """All records by kind, in a stable order, for comparing systems."""
        return {}

    @abstractmethod
    def load(self, data: Mapping[str, Any]) -> int:
        """Seed records in bulk, outside the ledger; returns how many."""

    def expire_tokens(self) -> None:  # noqa: B027 - optional
        """Make every access token given out so far invalid."""

    def commit(self, write: Write, *, operation: str, key: str | None) -> Reply:
        """Apply a write and put it into the ledger; for work that a vendor finishes after its answer (async jobs)."""
        write.apply()
        self.kit.ledger.append(write.changes, operation=operation, key=key)
        return write.reply
