"""The proof of a transaction: what each system was told, answered and holds, and that the audit agrees."""

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec
from sqlalchemy import Connection

from accordant.backbone.rows import EffectRow
from accordant.operations.transactions import AuditLine, Story
from accordant.telemetry.audit import ChainVerdict, verify_chain

SYSTEMS = ("crm", "billing", "erp", "support")
NOT_READ = "not yet read back"
_ENDED = frozenset({"completed", "compensated", "cancelled"})
_AGREEING = {
    "key": "key",
    "native_id": "native_id",
    "business_id": "business_id",
    "request_sha256": "request_hash",
    "response_sha256": "response_hash",
}
"""What an audit entry calls it → what the ledger calls it."""


class ProofLine(msgspec.Struct, frozen=True, kw_only=True):
    """One effect in one system."""

    system: str
    connection: str
    effect: str
    state: str
    native_id: str
    request_sha256: str
    response_sha256: str
    read_back: str
    """verified, superseded, different, or `not yet read back`; empty where there is nothing to read back."""
    note: str
    proven: bool


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """Every line, and what is missing."""

    transaction_id: str
    state: str
    lines: tuple[ProofLine, ...]
    untouched: tuple[str, ...]
    """Systems in which nothing was written."""
    audit: ChainVerdict
    audit_agrees: bool
    """Each confirmed effect has exactly one entry in the audit, and keys, ids and hashes are the same."""
    problems: tuple[str, ...]
    """Why it is not proven, one sentence each."""

    @property
    def proven(self) -> bool:
        """Nothing is missing."""
        return not self.problems


def prove(connection: Connection, story: Story) -> Proof:
    """Check a transaction against the whole audit chain; reads every entry of the audit."""
    lines = tuple(_line(effect) for effect in _in_system_order(story.effects))
    chain = verify_chain(connection)
    disagreements = list(audit_disagreements(story.effects, story.audit))
    problems = [f"{line.system}: {line.effect} is {line.read_back or line.state}" for line in lines if not line.proven]
    problems += disagreements
    if not chain.valid:
        problems.append(f"the audit chain is broken at {chain.first_broken}")
    if story.transaction.state not in _ENDED:
        problems.append(f"the transaction has not ended: {story.transaction.state}")
    return Proof(
        transaction_id=story.transaction.transaction_id,
        state=story.transaction.state,
        lines=lines,
        untouched=tuple(one for one in SYSTEMS if all(line.system != one for line in lines)),
        audit=chain,
        audit_agrees=not disagreements,
        problems=tuple(problems),
    )


def audit_disagreements(effects: Sequence[EffectRow], audit: Sequence[AuditLine]) -> Iterator[str]:
    """Where ledger and audit do not tell the same of what was confirmed and read back."""
    told = [(line.subject, line.detail.get("version"), line) for line in audit if line.action == "effect.confirmed"]
    entries = Counter((name, version) for name, version, _ in told)
    confirmed = {(one.name, one.version): one for one in effects if one.state == "confirmed"}
    for place, effect in confirmed.items():
        if entries[place] != 1:
            yield f"{effect.system}: {effect.name} has {entries[place]} audit entries, expected 1"
    for name, version, line in told:
        known = confirmed.get((name, version)) if isinstance(version, int) else None
        if known is None:
            yield f"audit entry {line.segment}/{line.n} confirms {name!r}, which the ledger does not"
            continue
        wrong = [said for said, held in _AGREEING.items() if line.detail.get(said) != getattr(known, held)]
        if wrong:
            yield f"{known.system}: {name} and audit entry {line.segment}/{line.n} differ in {', '.join(wrong)}"
    read_back = {line.subject for line in audit if line.action == "effect.verified"}
    for effect in confirmed.values():
        if effect.checked == "verified" and effect.name not in read_back:
            yield f"{effect.system}: {effect.name} is marked verified, but the audit tells of no read-back"


def _in_system_order(effects: Sequence[EffectRow]) -> list[EffectRow]:
    """Without those versions that were refused and followed by another one."""
    latest = {one.name: one.version for one in effects}
    shown = [one for one in effects if one.state != "rejected" or one.version == latest[one.name]]
    order = {system: n for n, system in enumerate(SYSTEMS)}
    return sorted(shown, key=lambda one: (order.get(one.system, len(order)), one.n, one.name, one.version))


def _line(effect: EffectRow) -> ProofLine:
    confirmed = effect.state == "confirmed"
    return ProofLine(
        system=effect.system,
        connection=effect.connection,
        effect=effect.name,
        state=effect.state,
        native_id=effect.native_id,
        request_sha256=effect.request_hash,
        response_sha256=effect.response_hash,
        read_back=(effect.checked or NOT_READ) if confirmed else "",
        note=effect.check_note,
        proven=confirmed and effect.checked in {"verified", "superseded"},
    )
