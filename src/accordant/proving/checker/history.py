"""What the checker is given: the truth, the systems' own ledgers, and the platform's records, as plain values."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from accordant.backbone.rows import EffectRow, ExceptionRow, MessageRow, TransactionRow

Outcome = Literal["ok", "failed", "unknown"]
"""What whoever disturbed or asked learned: it happened, it did not, or it may be either."""


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """One write that the business needs, once: it follows from the facts told and the branch that was taken."""

    system: str
    """Role: crm, billing, erp or support."""
    kind: str
    """As the systems' ledgers name it: customer, subscription, order, entitlement."""
    business_id: str
    transaction: str
    """The business id that the transaction is about, such as the deal."""
    change: str = "create"
    amount_minor: int | None = None
    currency: str = ""
    version: int = 0
    """Rises with each state-setting fact about the same thing; 0 where facts do not set state."""
    says: Mapping[str, Any] = {}
    """What the record says after a write that sets state, in canonical words: `{"service_tier": "plus", …}`."""
    tenant: str = ""
    legal_entity: str = ""


class Final(msgspec.Struct, frozen=True, kw_only=True):
    """What a record says in the end, whichever way round the facts about it were taken up."""

    system: str
    kind: str
    business_id: str
    says: Mapping[str, Any]
    """In canonical words, as the system holds it: `{"service_tier": "plus", …}`."""
    transactions: tuple[str, ...]
    """Business ids of the transactions that lead to it; it is judged once all of them are completed."""


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery that somebody sent, and what the sender learned of it."""

    connection: str
    delivery_id: str
    outcome: Outcome


class Ambiguity(msgspec.Struct, frozen=True, kw_only=True):
    """One write of class D whose answer was taken away on purpose."""

    system: str
    business_id: str
    outcome: Outcome
    """Whether it was applied; unknown where even the drill cannot say."""


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a system's own ledger: a write that it applied."""

    system: str
    n: int
    operation: str
    kind: str
    change: str
    native_id: str
    business_id: str
    amount_minor: int | None
    """Whole minor units as the ledger has them, so that whatever is no whole number is found."""
    currency: str
    key: str
    body: Any
    """The record after the write in the system's own words: decoded, or `msgspec.Raw`."""


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """What must have happened once everything has healed and come to rest."""

    expected: tuple[Expected, ...] = ()
    final: tuple[Final, ...] = ()
    acknowledged: tuple[Acknowledged, ...] = ()
    ambiguities: tuple[Ambiguity, ...] = ()
    canaries: tuple[str, ...] = ()
    """Secrets that no artefact may hold."""
    lies: int = 0
    """How many writes a system confirmed on purpose without applying them; only then may a record differ."""
    all_facts_known: bool = True
    """Whether `expected` is complete, so that anything beyond it is an orphan."""


class Records(msgspec.Struct, frozen=True, kw_only=True):
    """What the platform's database says. Bodies, commands and receipts may be left out: no rule reads them here."""

    messages: tuple[MessageRow, ...]
    transactions: tuple[TransactionRow, ...]
    effects: tuple[EffectRow, ...]
    exceptions: tuple[ExceptionRow, ...]
    audit: tuple[Mapping[str, Any], ...]
    """Rows of the audit in chain order, `detail` as the JSON text that is stored."""
    chain_problem: str
    """Why the audit chain is not valid; empty when it is."""


class History(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is judged together."""

    truth: Truth
    applied: tuple[Applied, ...]
    held: Mapping[str, Mapping[str, Any]]
    """What each system holds in canonical words, by role and kind: `{"erp": {"order": [{"business_id": …}]}}`."""
    records: Records
    artefacts: Mapping[str, bytes]
    """Logs, exports and database files by name, for the search for secrets."""
    healed_ms: int
    """When the last disturbance ended; 0 where there was none."""
    at_rest_ms: int
    """When nothing was left to do after it; 0 where that never came."""
    rest_within_ms: int = 60_000
    """How long after healing everything may take to come to rest."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One violation."""

    rule: str
    what: str
    where: str
    """Business id, transaction, message or file."""


class Ruling(msgspec.Struct, frozen=True):
    """What one rule found, and how many things it looked at."""

    judged: int
    findings: tuple[Finding, ...]


Rule = Callable[[History], Ruling]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The judgement of one history."""

    judged: Mapping[str, int]
    """How many things each rule looked at; a rule that looked at nothing proves nothing."""
    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        return not self.findings

    def of(self, rule: str) -> tuple[Finding, ...]:
        """The findings of one rule."""
        return tuple(one for one in self.findings if one.rule == rule)
