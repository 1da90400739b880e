"""What customers are charged and what the books say is the same, to the smallest unit of each currency."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from accordant.backbone.rows import EffectRow, TransactionRow
from accordant.proving.checker.history import Applied, Expected, Finding, History, Ruling
from accordant.proving.checker.matching import Thing, by_thing, found_out, held_records, lines_of, standing, thing_of

Account = tuple[str, str, str, str]
"""Tenant, legal entity, currency and system."""
Sums = Counter[Account]
_PAYS_OUT = frozenset({"customer_refund"})
"""Kinds that pay out what another record of the same system says."""


def money(history: History) -> Ruling:
    """Sums of facts, ledgers and held states agree; so do the systems, transaction by transaction; all are whole."""
    broken = list(_not_whole(history))
    if broken:
        return Ruling(len(history.applied), tuple(broken))
    accounts, sums = _sums(history)
    transactions, differ = _between_systems(history)
    return Ruling(accounts + transactions, (*sums, *differ))


def _not_whole(history: History) -> Iterator[Finding]:
    """Amounts that are no whole number of minor units; with these nothing is added up."""
    amounts: list[tuple[str, str, Any]] = [(one.system, one.business_id, one.amount_minor) for one in history.applied]
    amounts += [("the facts", one.business_id, one.amount_minor) for one in history.truth.expected]
    amounts += [("the platform", row.subject, row.amount_minor) for row in history.records.transactions]
    for system, kinds in history.held.items():
        for records in kinds.values():
            amounts += [(system, str(one.get("business_id")), one.get("amount_minor")) for one in records]
    for who, business_id, amount in amounts:
        if amount is not None and type(amount) is not int:
            yield _money(f"{who} says {amount!r}, which is no whole number of minor units", business_id)


def _sums(history: History) -> tuple[int, list[Finding]]:
    newest = _newest(history)
    accounts = {thing: (one.tenant, one.legal_entity) for thing, one in newest.items()}
    due: Sums = Counter()
    for one in newest.values():
        due[one.tenant, one.legal_entity, one.currency, one.system] += one.amount_minor or 0
    left_out = _unsettled(history)
    charged, held = _charged(history, accounts, left_out=left_out), _held(history, accounts)
    findings = [*_compare(due, charged, what="has written"), *_compare(due, held, what="holds")] if newest else []
    return len(due.keys() | charged.keys()) if newest else 0, findings


def _newest(history: History) -> dict[Thing, Expected]:
    """What each thing is worth in the end, of those whose transactions are all done."""
    left_out = _unsettled(history)
    found: dict[Thing, Expected] = {}
    for thing, versions in by_thing(one for one in history.truth.expected if one.amount_minor is not None).items():
        if thing not in left_out:
            last = max(range(len(versions)), key=lambda place, all_of=versions: (all_of[place].version, place))
            found[thing] = versions[last]
    return found


def _unsettled(history: History) -> set[Thing]:
    """Things that a transaction writes which is not completed: the systems may differ while somebody owns that."""
    open_ids = {row.transaction_id for row in history.records.transactions if row.state != "completed"}
    rows_of = standing(history)
    expected = {thing_of(one) for one in history.truth.expected if not _completed(rows_of.get(one.transaction, []))}
    written = {thing_of(one) for one in history.records.effects if one.transaction_id in open_ids}
    return expected | written | found_out(history)


def _completed(rows: Sequence[TransactionRow]) -> bool:
    return bool(rows) and all(row.state == "completed" for row in rows)


def _charged(history: History, accounts: Mapping[Thing, tuple[str, str]], *, left_out: set[Thing]) -> Sums:
    """What the last lines of the same kinds of things add up to; each record counts, so that a double adds up."""
    kinds = {thing[:2] for thing in accounts}
    sums: Sums = Counter()
    for thing, lines in lines_of(history).items():
        unknown = thing not in accounts and not history.truth.all_facts_known
        if thing[:2] not in kinds or thing in left_out or unknown:
            continue
        tenant, entity = accounts.get(thing, ("", ""))
        for line in _last_of_each(lines):
            sums[tenant, entity, line.currency, line.system] += line.amount_minor or 0
    return sums


def _last_of_each(lines: Sequence[Applied]) -> list[Applied]:
    last = {line.native_id: line for line in lines}
    return [line for line in last.values() if line.change != "delete"]


def _held(history: History, accounts: Mapping[Thing, tuple[str, str]]) -> Sums:
    """What the systems that were asked show for the things that are due."""
    sums: Sums = Counter()
    for (system, kind, business_id), (tenant, entity) in accounts.items():
        records = held_records(history, system, kind=kind)
        record = records.get(business_id) if records is not None else None
        if record is not None and "amount_minor" in record:
            sums[tenant, entity, str(record.get("currency") or ""), system] += record["amount_minor"]
    return sums


def _compare(due: Sums, found: Sums, *, what: str) -> Iterator[Finding]:
    if not found:
        return
    for account in sorted(due.keys() | found.keys()):
        if due[account] != found[account]:
            tenant, entity, currency, system = account
            text = f"{system} {what} {found[account]} {currency} in minor units, due are {due[account]}"
            yield _money(text, "/".join(part for part in (tenant, entity, currency) if part))


def _side(line: Applied) -> str:
    """What pays another record of its system out moves the same money again, so it is a sum of its own."""
    return f"{line.system} paying out" if line.kind in _PAYS_OUT else line.system


def _between_systems(history: History) -> tuple[int, list[Finding]]:
    """What each completed transaction first put into each system, as it stands there now."""
    lines = lines_of(history)
    subjects = {row.transaction_id: row.subject for row in history.records.transactions}
    judged, findings = 0, list[Finding]()
    for transaction_id, things in _begun_by(history, lines).items():
        totals: dict[str, Counter[str]] = {}
        for thing in things:
            for line in _last_of_each(lines[thing]):
                totals.setdefault(_side(line), Counter())[line.currency] += line.amount_minor or 0
        judged += len(totals) > 1
        if len({tuple(sorted(total.items())) for total in totals.values()}) > 1:
            told = ", ".join(f"{system} {dict(total)}" for system, total in sorted(totals.items()))
            findings.append(_money(f"the systems differ: {told}", subjects.get(transaction_id, transaction_id)))
    return judged, findings


def _begun_by(history: History, lines: Mapping[Thing, Sequence[Applied]]) -> dict[str, list[Thing]]:
    """Things worth money by the transaction that first wrote them, where all that wrote them are completed."""
    left_out, first = _unsettled(history), dict[Thing, EffectRow]()
    for one in history.records.effects:
        thing = thing_of(one)
        worth = thing not in left_out and any(_worth(line) for line in lines.get(thing, []))
        if one.state == "confirmed" and worth:
            known = first.setdefault(thing, one)
            if (one.confirmed_at_ms or 0) < (known.confirmed_at_ms or 0):
                first[thing] = one
    found: dict[str, list[Thing]] = {}
    for thing, effect in first.items():
        found.setdefault(effect.transaction_id, []).append(thing)
    return found


def _worth(line: Applied) -> bool:
    return line.amount_minor is not None and line.system != "crm"


def _money(what: str, where: str) -> Finding:
    return Finding(rule="money", what=what, where=where)
