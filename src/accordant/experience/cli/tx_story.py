"""How one transaction is drawn: time runs down, each system has its column, what happened here runs across."""

from itertools import zip_longest
from typing import Any

import msgspec
from rich.cells import cell_len
from rich.text import Text

from accordant.backbone.outbox import cloudevent_of
from accordant.experience.cli.screen import Screen, age_text, clean, instant_text, money_text, style_of
from accordant.experience.cli.tx_proof import LABELS
from accordant.operations.proof import SYSTEMS
from accordant.operations.timeline import Moment, timeline
from accordant.operations.transactions import Story
from accordant.wiring import FLOWS

NOTICE = "tell "
"""How the names of notices begin: they say where something stands and change no business record."""
_TIME, _CELL_MAX = 9, 28
_WORDS = {"confirmed": "not read back", "sent": "under way", "intended": "not sent yet", "unknown": "outcome unknown"}
"""What a state is called where it needs more than its name."""


def as_json(story: Story) -> dict[str, Any]:
    """The story for programs, with its timeline; what is stored as JSON is given as JSON."""
    told: dict[str, Any] = msgspec.to_builtins(story)
    for part, fields in {"decisions": ("result",), "effects": ("command", "receipt", "error", "expected")}.items():
        for one in told[part]:
            one.update({name: msgspec.json.decode(one[name]) if one[name] else None for name in fields})
    for item in told["exceptions"]:
        item["detail"] = msgspec.json.decode(item["detail"])
    if story.event is not None:
        version = FLOWS.facts[story.event.type].version
        told["event"]["data"] = msgspec.json.decode(told["event"]["data"])
        told["cloudevent"] = msgspec.json.decode(cloudevent_of(story.event, version=version).as_cloudevent())
    return {**told, "timeline": msgspec.to_builtins(timeline(story))}


def draw(screen: Screen, story: Story, *, now_ms: int) -> None:
    """Print it."""
    _head(screen, story, now_ms=now_ms)
    moments = timeline(story)
    width = min(_CELL_MAX, (screen.width - _TIME) // len(SYSTEMS) - 2)
    rule = screen.mark("rule")
    header = Text(" " * _TIME, style="dim")
    for system in SYSTEMS:
        header.append(f"{rule} {LABELS[system]:<{width}}")
    screen.print(_stripped(header))
    began_ms = moments[0].at_ms if moments else story.transaction.opened_at_ms
    for moment in moments:
        for line in _lines(screen, moment, width=width, since_ms=moment.at_ms - began_ms):
            screen.print(_stripped(line))
    _foot(screen, story)


def _head(screen: Screen, story: Story, *, now_ms: int) -> None:
    row = story.transaction
    dot = f" {screen.mark('dot')} "
    screen.say(f"{row.transaction_id}  {row.flow}", style="bold")
    facts = [row.subject, row.party, money_text(row.amount_minor, row.currency)]
    screen.say(dot.join(fact for fact in facts if fact))
    took = f"took {age_text(row.ended_at_ms - row.opened_at_ms)}" if row.ended_at_ms else ""
    open_for = "" if row.ended_at_ms else f"open for {age_text(now_ms - row.opened_at_ms)}"
    began = f"began {instant_text(row.opened_at_ms)}"
    screen.say(dot.join(part for part in (began, took, open_for, row.correlation_id) if part), style="dim")
    text, style = _standing(story)
    screen.say(f"{screen.mark('verified' if style == 'green' else row.state)} {text}\n", style=style)


def _standing(story: Story) -> tuple[str, str]:
    """One sentence, and its colour: green only for what is completed, unwaived and verified."""
    row = story.transaction
    confirmed = [one for one in story.effects if one.state == "confirmed"]
    open_ = [one for one in confirmed if one.checked not in {"verified", "superseded"}]
    if row.state == "waiting":
        return f"waiting for {row.waiting_for}", style_of("waiting")
    if row.state == "exception":
        owners = sorted({item.owner for item in story.exceptions if item.state == "open"})
        stand = [one for one in confirmed if not one.name.startswith(NOTICE)]
        count = f"{len(stand)} {'effect stands' if len(stand) == 1 else 'effects stand'}"
        what = count if stand else "no business record was written anywhere"
        return f"stopped for a person ({', '.join(owners) or 'nobody yet'}); {what}", style_of("exception")
    if row.state == "completed" and row.waivers:
        return "completed with steps waived: " + row.waivers.strip().replace("\n", "; "), ""
    if row.state == "completed" and open_:
        return f"completed; {len(open_)} of {len(confirmed)} effects not shown again by a read-back yet", ""
    if row.state == "completed" and any(one.checked == "verified" for one in confirmed):
        return "completed and verified", "green"
    return row.state, style_of(row.state)


def _lines(screen: Screen, moment: Moment, *, width: int, since_ms: int) -> list[Text]:
    time = Text(f"{_since_text(since_ms):>{_TIME - 1}} ", style="dim")
    times = f" ({moment.times} times)" if moment.times > 1 else ""
    mark = screen.mark(moment.word)
    if moment.system not in SYSTEMS:
        said = [moment.word.replace("_", " "), moment.what, f"({moment.note})" if moment.note else ""]
        text = Text(clean(" ".join(part for part in said if part) + times))
        parts = text.wrap(screen.console, max(screen.width - _TIME - 2, 20))
        body = [Text(f"{mark if n == 0 else ' '} ").append_text(part) for n, part in enumerate(parts)]
        return [_with_style(one, style_of(moment.word), time=time if n == 0 else None) for n, one in enumerate(body)]
    word = _WORDS.get(moment.word, moment.word) + times
    lines = _in_column(screen, (mark, moment, word), width=width, time=time)
    if moment.note:
        noted = Text(clean(moment.note)).wrap(screen.console, max(screen.width - _TIME - 4, 20))
        lines += [Text(" " * (_TIME + 2)).append_text(part) for part in noted]
    return lines


def _in_column(screen: Screen, said: tuple[str, Moment, str], *, width: int, time: Text) -> list[Text]:
    mark, moment, word = said
    one_line = f"{moment.what} {word}"
    texts = [one_line] if cell_len(one_line) <= width - 2 else [moment.what, word]
    cells = [part for text in texts for part in Text(clean(text)).wrap(screen.console, max(width - 2, 4))]
    column, rule = SYSTEMS.index(moment.system), screen.mark("rule")
    lines: list[Text] = []
    for n, (part, _) in enumerate(zip_longest(cells, ())):
        line = time.copy() if n == 0 else Text(" " * _TIME)
        for place in range(len(SYSTEMS)):
            line.append(f"{rule} ", style="dim")
            if place != column:
                line.append(" " * width)
                continue
            text = f"{mark if n == 0 else ' '} {part.plain.rstrip()}" if part else ""
            line.append(text + " " * max(width - cell_len(text), 0), style=style_of(moment.word))
        lines.append(line)
    return lines


def _with_style(body: Text, style: str, *, time: Text | None) -> Text:
    body.stylize(style)
    return (time.copy() if time else Text(" " * _TIME)).append_text(body)


def _stripped(line: Text) -> Text:
    line.rstrip()
    return line


def _since_text(since_ms: int) -> str:
    return f"+{age_text(since_ms)}"


def _foot(screen: Screen, story: Story) -> None:
    row = story.transaction
    still = [item for item in story.exceptions if item.state == "open"]
    screen.say("")
    for item in still:
        screen.say(f"{screen.mark('exception')} {item.exception_id}  {item.code}, owner {item.owner}", style="red")
        if item.hint:
            screen.say(f"  {item.hint}")
        screen.say(f"  accordant exception show {item.exception_id}")
    if not still:
        screen.say(f"The proof: accordant tx prove {row.transaction_id}", style="dim")
