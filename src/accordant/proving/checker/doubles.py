"""Nothing stands in a system twice, and where nobody can know, exactly one item asks."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from accordant.backbone.rows import EffectRow, ExceptionRow
from accordant.kernel.ids import canonical_json, digest
from accordant.proving.checker.history import Ambiguity, Applied, Finding, History, Ruling
from accordant.proving.checker.matching import Thing, body_of, lines_of

ADDITIVE = frozenset({"comment", "credit", "invoice", "line", "payment"})
"""Kinds of which one business id may have several: they count double only where they say the same again."""
IN_DOUBT = "effect.in_doubt"
_DAY_S = 86_400
_NAMES_ITSELF = frozenset({"id", "number", "url", "key"})
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT")

Cause = tuple[str, str]
"""Transaction and name of an effect."""


def duplicate(history: History) -> Ruling:
    """Each thing is created once, and nothing is added or changed a second time under another key."""
    causes = {one.key: (one.transaction_id, one.name) for one in history.records.effects if one.key}
    findings: list[Finding] = []
    judged = 0
    for thing, lines in lines_of(history).items():
        judged += len(lines)
        findings += [_twice(what, thing) for what in _created_again(thing, lines)]
        findings += [_twice(what, thing) for what in _changed_again(thing, lines, causes=causes)]
    return Ruling(judged, tuple(findings))


def _created_again(thing: Thing, lines: Sequence[Applied]) -> Iterator[str]:
    """Creations while another record of the same business id is there; what a delete took away is gone."""
    if not thing[2] or thing[1] in ADDITIVE:
        return
    there: set[str] = set()
    for line in lines:
        if line.change == "delete":
            there.discard(line.native_id)
        elif line.change == "create":
            if there:
                yield f"created as {line.native_id} while {min(there)} is there"
            there.add(line.native_id)


def _changed_again(thing: Thing, lines: Sequence[Applied], *, causes: Mapping[str, Cause]) -> Iterator[str]:
    """Writes of the same content under different keys, unless different effects asked for them."""
    alike: dict[str, list[Applied]] = {}
    additive = thing[1] in ADDITIVE
    for line in lines:
        if line.key and (additive or line.change == "update"):
            alike.setdefault(digest("content", line.change, _content(line)), []).append(line)
    for same in alike.values():
        for place, line in enumerate(same):
            before = [one for one in same[:place] if _asked_once(one.key, line.key, causes=causes)]
            if before:
                yield f"{line.change} of the same content under {line.key} as under {before[0].key} before"


def _asked_once(first: str, second: str, *, causes: Mapping[str, Cause]) -> bool:
    """Whether two different keys stand for one effect, or one of them for none that we know."""
    asked = causes.get(first), causes.get(second)
    return first != second and (None in asked or asked[0] == asked[1])


def _content(line: Applied) -> str:
    stripped = _strip(body_of(line), native_id=line.native_id)
    return canonical_json({"amount": line.amount_minor, "currency": line.currency, "body": stripped}).decode()


def _strip(value: Any, *, native_id: str) -> Any:
    """Without what differs between two equal writes: names of the record itself, and the time within the day."""
    if isinstance(value, Mapping):
        items: Mapping[str, Any] = value  # pyright: ignore[reportUnknownVariableType]
        kept = {str(name): one for name, one in items.items() if name not in _NAMES_ITSELF}
        return {name: _strip(one, native_id=native_id) for name, one in kept.items()}
    if isinstance(value, list | tuple):
        return [_strip(one, native_id=native_id) for one in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, int) and not isinstance(value, bool) and 1_000_000_000 <= value < 4_000_000_000:
        return value // _DAY_S
    if isinstance(value, str):
        return "" if value == native_id else value[:10] if _INSTANT.match(value) else value
    return value


def in_doubt(history: History) -> Ruling:
    """Each ambiguity of class D has one item, each item an ambiguity, and the write was applied at most once."""
    effects = {(one.transaction_id, one.name): one for one in history.records.effects}
    tried = _by_record(effects.values())
    items = _items(history, effects)
    drilled: dict[tuple[str, str], list[Ambiguity]] = {}
    for one in history.truth.ambiguities:
        drilled.setdefault((one.system, one.business_id), []).append(one)
    applied = _applied(history, effects.values())
    findings: list[Finding] = []
    for place, ambiguities in drilled.items():
        asked = _asked_wrongly(ambiguities, items.get(place, []), effects=tried.get(place, []))
        findings += [_doubt(what, place) for what in asked]
    for place in items.keys() - drilled.keys():
        if not all(_interrupted(item) for item in items[place]):
            findings.append(_doubt("an item asks about a write whose answer nobody took away", place))
    for place in items.keys() | drilled.keys():
        if applied.get(place, 0) > max(1, len(tried.get(place, []))):
            findings.append(_doubt(f"nobody knew whether it was applied, and it was, {applied[place]} times", place))
    return Ruling(len(history.truth.ambiguities) + sum(map(len, items.values())), tuple(findings))


def _by_record(effects: Iterable[EffectRow]) -> dict[tuple[str, str], list[EffectRow]]:
    found: dict[tuple[str, str], list[EffectRow]] = {}
    for one in effects:
        if one.effect_class == "D":
            found.setdefault((one.system, one.business_id), []).append(one)
    return found


def _items(history: History, effects: Mapping[Cause, EffectRow]) -> dict[tuple[str, str], list[ExceptionRow]]:
    """Items in doubt by system and business id; one that was released and came again counts once."""
    latest: dict[tuple[str, str, str], list[ExceptionRow]] = {}
    for item in sorted(history.records.exceptions, key=lambda one: one.opened_at_ms):
        if item.code == IN_DOUBT:
            same = latest.setdefault((item.transaction_id, item.message_id, item.step), [])
            if same and same[-1].state == "released":
                same.pop()
            same.append(item)
    found: dict[tuple[str, str], list[ExceptionRow]] = {}
    for (transaction_id, _, step), same in latest.items():
        effect = effects.get((transaction_id, step))
        place = (effect.system, effect.business_id) if effect else ("", same[0].subject)
        found.setdefault(place, []).extend(same)
    return found


def _applied(history: History, effects: Iterable[EffectRow]) -> dict[tuple[str, str], int]:
    """How many writes of the kinds that class D writes each record got."""
    kinds = {(one.system, one.business_id, one.kind) for one in effects if one.effect_class == "D"}
    found: dict[tuple[str, str], int] = {}
    for (system, kind, business_id), lines in lines_of(history).items():
        if (system, business_id, kind) in kinds:
            created = [line for line in lines if line.change == "create"]
            found[system, business_id] = found.get((system, business_id), 0) + len(created or lines)
    return found


def _asked_wrongly(
    ambiguities: Sequence[Ambiguity], items: Sequence[ExceptionRow], *, effects: Sequence[EffectRow]
) -> Iterator[str]:
    open_to_doubt = sum(one.outcome != "failed" for one in ambiguities)
    settled = sum(one.state == "confirmed" for one in effects)
    least, most = max(0, open_to_doubt - settled), len(ambiguities)
    if not least <= len(items) <= most:
        yield f"{len(ambiguities)} answers were taken away, {settled} writes settled, and {len(items)} items ask"


def _interrupted(item: ExceptionRow) -> bool:
    """The process died between sending and noting; nobody else took the answer away."""
    detail: dict[str, Any] = msgspec.json.decode(item.detail) if item.detail else {}
    return detail.get("vendor_code") == "interrupted"


def _twice(what: str, thing: Thing) -> Finding:
    return Finding(rule="duplicate", what=f"{thing[0]} {thing[1]}: {what}", where=thing[2])


def _doubt(what: str, place: tuple[str, str]) -> Finding:
    return Finding(rule="in_doubt", what=f"{place[0] or 'a system'}: {what}", where=place[1])
