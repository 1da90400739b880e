"""The audit tells everything that happened, once, and nothing else."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from accordant.backbone.rows import EffectRow
from accordant.proving.checker.history import Finding, History, Ruling

ENDS = ("completed", "compensated", "cancelled")
_AGREEING = {
    "key": "key",
    "native_id": "native_id",
    "business_id": "business_id",
    "request_sha256": "request_hash",
    "response_sha256": "response_hash",
}
"""What an entry calls it → what the effect calls it."""

Version = tuple[str, str, int]
"""Transaction, effect and logical version."""


def audit(history: History) -> Ruling:
    """The chain holds, and its entries and what the records say of effects, transactions and items match one to one."""
    findings: list[Finding] = []
    if history.records.chain_problem:
        findings.append(_audit("the chain is broken", history.records.chain_problem))
    findings += [*_effects(history), *_transactions(history), *_items(history)]
    return Ruling(len(history.records.audit), tuple(findings))


def _effects(history: History) -> Iterator[Finding]:
    """Exactly one entry for each confirmed version, saying the same, and none without."""
    confirmed: dict[Version, EffectRow] = {
        (one.transaction_id, one.name, one.version): one for one in history.records.effects if one.state == "confirmed"
    }
    told: Counter[Version] = Counter()
    for entry in history.records.audit:
        if entry["action"] != "effect.confirmed":
            continue
        detail = _detail(entry)
        version = (str(entry["transaction_id"]), str(entry["subject"]), int(detail.get("version", 0)))
        told[version] += 1
        effect = confirmed.get(version)
        if effect is None:
            yield _audit("an entry confirms what is not confirmed", _place(version))
        else:
            wrong = [said for said, held in _AGREEING.items() if detail.get(said) != getattr(effect, held)]
            if wrong:
                yield _audit(f"entry and effect differ in {', '.join(wrong)}", _place(version))
    for version in confirmed:
        if told[version] != 1:
            yield _audit(f"confirmed, with {told[version]} entries; expected 1", _place(version))


def _transactions(history: History) -> Iterator[Finding]:
    """Each opening, end and stop of a transaction has its entry; whoever took it out of there again, too."""
    told: Counter[tuple[str, str]] = Counter()
    reopened: Counter[str] = Counter()
    for entry in history.records.audit:
        told[str(entry["transaction_id"]), str(entry["action"])] += 1
        if entry["action"] == "transaction.replayed" and _detail(entry).get("state") in ENDS:
            reopened[str(entry["transaction_id"])] += 1
    for row in history.records.transactions:
        one = row.transaction_id
        ends = sum(told[one, f"transaction.{state}"] for state in ENDS)
        stops = told[one, "transaction.parked"] - told[one, "transaction.repinned"]
        expected_ends = (row.state in ENDS) + reopened[one]
        if told[one, "transaction.opened"] != 1:
            yield _audit(f"{told[one, 'transaction.opened']} entries of its opening; expected 1", one)
        if ends != expected_ends or (row.state in ENDS and not told[one, f"transaction.{row.state}"]):
            yield _audit(f"it is {row.state}, with {ends} entries of an end; expected {expected_ends}", one)
        if stops != (row.state == "exception"):
            yield _audit(f"it is {row.state}, and {stops} more entries stop it than take it up again", one)
    known = {row.transaction_id for row in history.records.transactions}
    for one in sorted({one for one, action in told if one and action.startswith("transaction.")} - known):
        yield _audit("entries tell of a transaction that is not there", one)


def _items(history: History) -> Iterator[Finding]:
    """Each item was opened, and closed as often as it was opened unless it is open now."""
    opened, closed = Counter[str](), Counter[str]()
    for entry in history.records.audit:
        action = str(entry["action"])
        if action.startswith("exception."):
            (opened if action == "exception.opened" else closed)[str(entry["subject"])] += 1
    for item in history.records.exceptions:
        one = item.exception_id
        if not opened[one] or opened[one] - closed[one] != (item.state == "open"):
            yield _audit(f"it is {item.state}, opened {opened[one]} and closed {closed[one]} times", one)
    known = {item.exception_id for item in history.records.exceptions}
    for one in sorted(opened.keys() - known):
        yield _audit("entries tell of an item that is not there", one)


def _detail(entry: Mapping[str, Any]) -> dict[str, Any]:
    return msgspec.json.decode(entry["detail"])


def _place(version: Version) -> str:
    return f"{version[0]}/{version[1]}/{version[2]}"


def _audit(what: str, where: str) -> Finding:
    return Finding(rule="audit", what=what, where=where)
