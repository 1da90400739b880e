"""The life of a transaction in the order of time: arrived, decided, every effect, waits, exceptions, retries, end."""

from collections.abc import Callable, Iterator, Mapping

import msgspec

from accordant.backbone.rows import EffectRow, ExceptionRow
from accordant.operations.transactions import AuditLine, Story


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened at an instant."""

    at_ms: int
    word: str
    """What happened, in one word: arrived, decided, waiting, exception, verified, confirmed, rejected, completed …"""
    what: str
    system: str = ""
    """Role of the system it happened in; empty for what happened here."""
    note: str = ""
    times: int = 1
    """How often it happened in a row."""


class _Known(msgspec.Struct, frozen=True):
    """What the lines of the audit refer to."""

    effects: Mapping[tuple[str, int], EffectRow]
    items: Mapping[str, ExceptionRow]


_SAID_ELSEWHERE = frozenset(
    {"transaction.opened", "transaction.parked", "owner.told", "effect.sent", "effect.verified", "effect.different"}
)
"""Shown as the arrival, the exception, or the state of the effect's own line."""


def timeline(story: Story) -> list[Moment]:
    """Every moment, oldest first; the same wait again and again is one moment."""
    known = _Known(
        effects={(one.name, one.version): one for one in story.effects},
        items={one.exception_id: one for one in story.exceptions},
    )
    moments = [*_arrival(story)]
    moments += [_moment(line, known) for line in story.audit if line.action not in _SAID_ELSEWHERE]
    moments += [_under_way(one, story) for one in _silent(story)]
    return _folded(sorted(moments, key=lambda one: one.at_ms))


def _arrival(story: Story) -> Iterator[Moment]:
    if story.event is None:
        return
    event, message = story.event, story.message
    way = "webhook" if message and message.stream == "webhook" else "poll"
    came = f"{message.connection} {way}" if message else event.source.partition("/")[0]
    at_ms = message.received_at_ms if message else event.published_at_ms
    yield Moment(at_ms=at_ms, word="arrived", what=event.type.removeprefix("accordant."), note=f"from {came}")


def _moment(line: AuditLine, known: _Known) -> Moment:
    noun, _, word = line.action.partition(".")
    tell = _TELLERS.get(noun)
    if tell is None:
        return Moment(at_ms=line.at_ms, word=word.replace("_", " "), what=f"{noun} {line.subject}".strip())
    return tell(line, word, known)


def _effect(line: AuditLine, word: str, known: _Known, /) -> Moment:
    effect = known.effects.get((line.subject, line.detail.get("version", 1)))
    system, note = str(line.detail.get("system", "")), str(line.detail.get("error", ""))
    if effect is not None and word == "confirmed":
        word = effect.checked or word
        note = effect.check_note if effect.checked == "different" else ""
        if effect.redriven:
            note = f"{note} settled after a restart".strip()
    elif effect is not None and word == "rejected":
        note = _reason(effect) or note
    return Moment(at_ms=line.at_ms, word=word, what=line.subject, system=system, note=note)


def _decision(line: AuditLine, _: str, __: _Known, /) -> Moment:
    estate = line.detail.get("estate")
    return Moment(at_ms=line.at_ms, word="decided", what=line.subject, note=f"estate {estate}" if estate else "")


def _exception(line: AuditLine, word: str, known: _Known, /) -> Moment:
    item = known.items.get(line.subject)
    if word != "opened":
        return Moment(at_ms=line.at_ms, word=word, what=line.subject, note=f"by {line.actor}")
    what = item.message if item else str(line.detail.get("code", ""))
    return Moment(at_ms=line.at_ms, word="exception", what=what, note=f"owner {line.detail.get('owner', '')}")


def _transaction(line: AuditLine, word: str, _: _Known, /) -> Moment:
    detail = line.detail
    if word == "waiting":
        reason = f" ({detail['error']})" if detail.get("error") else ""
        return Moment(at_ms=line.at_ms, word="waiting", what=f"for {detail.get('for', '')}{reason}")
    if word == "repinned":
        before, now = detail.get("estate_before"), detail.get("estate_now")
        under = f"estate {before} → {now}" if before != now else f"estate {now}"
        return Moment(at_ms=line.at_ms, word="retried", what=under, note=f"by {line.actor}")
    by = f"by {line.actor}" if line.actor != "accordant" else ""
    return Moment(at_ms=line.at_ms, word=word, what="", note=by)


_TELLERS: Mapping[str, Callable[[AuditLine, str, _Known], Moment]] = {
    "effect": _effect,
    "decision": _decision,
    "exception": _exception,
    "transaction": _transaction,
}


def _silent(story: Story) -> Iterator[EffectRow]:
    """Effects under way, of which the audit has no outcome yet."""
    settled = {
        (line.subject, line.detail.get("version"))
        for line in story.audit
        if line.action in {"effect.confirmed", "effect.rejected", "effect.unknown", "effect.absent"}
    }
    for effect in story.effects:
        if (effect.name, effect.version) not in settled:
            yield effect


def _under_way(effect: EffectRow, story: Story) -> Moment:
    at_ms = effect.first_sent_at_ms or story.transaction.changed_at_ms
    return Moment(at_ms=at_ms, word=effect.state, what=effect.name, system=effect.system, note=_reason(effect))


def _reason(effect: EffectRow) -> str:
    if not effect.error:
        return ""
    problem: dict[str, object] = msgspec.json.decode(effect.error, type=dict[str, object])
    return str(problem.get("message") or problem.get("code") or "")


def _folded(moments: list[Moment]) -> list[Moment]:
    folded: list[Moment] = []
    for one in moments:
        last = folded[-1] if folded else None
        if last and one.word in {"waiting", "unknown"} and _same(last, one):
            folded[-1] = msgspec.structs.replace(last, times=last.times + 1)
            continue
        if last and last.word == "rejected" and one.word == "exception" and last.note == one.what:
            folded[-1] = msgspec.structs.replace(last, note="")  # the exception says it
        folded.append(one)
    return folded


def _same(left: Moment, right: Moment) -> bool:
    return (left.word, left.what, left.system) == (right.word, right.what, right.system)
