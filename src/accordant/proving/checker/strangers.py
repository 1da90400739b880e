"""Everything that a system holds of ours, the platform knows that it wrote, and somebody wanted it."""

from accordant.backbone.rows import EffectRow
from accordant.proving.checker.history import Applied, Finding, History, Ruling
from accordant.proving.checker.matching import APPLIED_MAYBE, TAKEN_BACK, thing_of


def orphan(history: History) -> Ruling:
    """An effect or a transaction of ours explains each write; where every fact is known, one demands each creation."""
    known, demanded = _Known(history), _Demanded(history)
    findings: list[Finding] = []
    for line in history.applied:
        if not known.explains(line):
            findings.append(_orphan("no effect that may have been applied and no transaction explains it", line))
        elif not demanded.by_a_fact(line):
            findings.append(_orphan("no fact demands it", line))
    return Ruling(len(history.applied), tuple(findings))


class _Known:
    """What the platform says that it wrote, or may have written."""

    def __init__(self, history: History) -> None:
        effects = [one for one in history.records.effects if one.state in APPLIED_MAYBE]
        self._keys = {one.key for one in effects if one.key}
        self._natives = {(one.system, one.native_id) for one in effects if one.native_id}
        self._names = {(one.system, one.business_id) for one in effects if one.business_id}
        self._subjects = {row.subject for row in history.records.transactions}

    def explains(self, line: Applied) -> bool:
        place = (line.system, line.business_id)
        by_key = bool(line.key) and line.key in self._keys
        return by_key or (line.system, line.native_id) in self._natives or self._by_name(place)

    def _by_name(self, place: tuple[str, str]) -> bool:
        return bool(place[1]) and (place in self._names or (place[0] == "crm" and place[1] in self._subjects))


class _Demanded:
    """What the facts ask for, of the kinds that they ask for at all."""

    def __init__(self, history: History) -> None:
        expected = history.truth.expected if history.truth.all_facts_known else ()
        self._kinds = {(one.system, one.kind) for one in expected}
        self._things = {thing_of(one) for one in expected}
        gone = {row.transaction_id for row in history.records.transactions if row.state in TAKEN_BACK}
        self._taken_back = {thing_of(one) for one in history.records.effects if _belongs(one, gone)}

    def by_a_fact(self, line: Applied) -> bool:
        if line.change != "create" or (line.system, line.kind) not in self._kinds:
            return True
        return thing_of(line) in self._things or thing_of(line) in self._taken_back


def _belongs(effect: EffectRow, transactions: set[str]) -> bool:
    return effect.transaction_id in transactions


def _orphan(what: str, line: Applied) -> Finding:
    where = line.business_id or line.native_id
    return Finding(rule="orphan", what=f"{line.system} {line.change} {line.kind} (line {line.n}): {what}", where=where)
