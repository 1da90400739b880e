"""A flow's page in Markdown: its story, its picture, and tables of what it writes, waits for and can be stopped by."""

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from accordant.backbone.flow import Flow
from accordant.experience.flow_pages.outline import WAITS, Outline, Step, Verb
from accordant.governance.estate import Estate

_FIELD = re.compile(r"^([A-Z][a-z]+) {2,}(\S.*)$")
_WAIT = {
    "approval": "somebody's word",
    "until": "a moment",
    "expect": "an event",
}
_EVERY_FLOW = """Beside what can stop every flow: a system that is down is waited for, and a write of which nobody knows
the outcome is `effect.in_doubt`. Owners, deadlines and runbooks are those of the demo estate."""


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """The opening of a flow's module."""

    title: str
    fields: tuple[tuple[str, str], ...]
    """Trigger, Reads, Writes, Undo, Owner."""
    more: tuple[str, ...]
    """Paragraphs."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a page tells beside the outline."""

    flow: Flow
    estate: Estate
    classes: Mapping[tuple[str, str], Sequence[tuple[str, str]]]
    """System and verb → vendor and effect class of every connector that has it."""
    played_by: str


def story_of(text: str) -> Story:
    """A module's docstring, taken apart."""
    blocks = [block.splitlines() for block in text.split("\n\n")]
    fields: list[tuple[str, str]] = []
    more: list[str] = []
    for block in blocks[1:]:
        if _FIELD.match(block[0]):
            for line in block:
                found = _FIELD.match(line)
                if found:
                    fields.append((found[1], found[2]))
                else:
                    fields[-1] = (fields[-1][0], f"{fields[-1][1]} {line.strip()}")
        else:
            more.append(" ".join(block))
    return Story(title=" ".join(blocks[0]), fields=tuple(fields), more=tuple(more))


def page_of(outline: Outline, facts: Facts) -> str:
    """The whole page."""
    one, story = facts.flow, story_of(facts.flow.story)
    parts = [
        "<!-- Written by `make docs` from the code: change the flow, not this page. -->",
        f"# {title_of(one.name)}",
        story.title,
        f"![{title_of(one.name)}: its steps from top to bottom, a lane for each system]({one.name}.svg)",
        _table(("", ""), [(f"**{name}**", text) for name, text in story.fields]),
        *story.more,
        "\n".join(_rules(facts)),
        "## What it writes",
        _writes(outline, facts),
        *_waits(outline, facts.estate),
        "## What can stop it",
        _EVERY_FLOW,
        _stops(outline, facts.estate),
    ]
    return "\n\n".join(parts) + "\n"


def _rules(facts: Facts) -> list[str]:
    one, policy = facts.flow, facts.estate.policies.for_flow(facts.flow.name)
    module = one.run.__module__
    late = f"late after {_span(policy.sla_s)}"
    return [
        f"- Play it: `{facts.played_by}`",
        f"- The code: [{module}](../../src/{module.replace('.', '/')}.py)",
        f"- Begins with: `{one.on.type}`, which only {one.on.producer} may tell",
        f"- Lane: facts with the same `{one.on.ordering_key}` are taken one after the other",
        f"- Where it cannot go on: *{policy.on_failure}*; {late} (the demo estate's `policies.yaml`)",
    ]


def title_of(name: str) -> str:
    """`service_credit` as `Service credit`."""
    return name.replace("_", " ").capitalize()


def _writes(outline: Outline, facts: Facts) -> str:
    written: list[tuple[str, Verb, str]] = []
    for step in outline.steps():
        if step.kind in ("effect", "notice"):
            undo = ", ".join(f"{one.system}: {one.words}" for one in step.undo) or "–"
            written += [(step.name, verb, undo) for verb in step.verbs]
        elif step.kind == "approval":
            written += [(f"{step.name}, while it waits", verb, "–") for verb in step.verbs]
    written += [("where it stops, to its source", verb, "–") for verb in outline.blocked]
    rows = [(name, verb.system, verb.words, _classes(verb, facts), undo) for name, verb, undo in written]
    if not rows:
        return "Nothing."
    head = ("step", "system", "verb", "effect class", "taken back by")
    return _table(head, rows) + "\n\nThe classes are explained on the page of [promises](../guarantees.md)."


def _classes(verb: Verb, facts: Facts) -> str:
    known = facts.classes.get((verb.system, verb.name), ())
    distinct = sorted({letter for _, letter in known})
    if len(distinct) == 1:
        return distinct[0]
    return ", ".join(f"{letter} ({vendor})" for vendor, letter in known) or "–"


def _waits(outline: Outline, estate: Estate) -> list[str]:
    rows = [row for step in outline.steps() if step.kind in WAITS for row in _wait(step, estate)]
    if not rows:
        return []
    return ["## What it waits for", _table(("step", "for", "who or what", "and then"), rows)]


def _wait(step: Step, estate: Estate) -> Iterable[tuple[str, ...]]:
    if step.kind != "approval":
        what = f"`{step.event}`" if step.event else "–"
        then = "where it never comes, `promise.broken`" if step.kind == "expect" else "it goes on by itself"
        yield (step.name, _WAIT[step.kind], what, then)
        return
    for name in step.approves:
        kind = estate.approvals.kinds.get(name)
        if kind is None:
            yield (step.name, _WAIT["approval"], f"`{name}`", "`approval.nobody_may`: the estate does not know it")
            continue
        limits = ", ".join(f"{amount} {currency}" for currency, amount in list(kind.automatic_up_to.items())[:2])
        who = f"`{name}`: {', then '.join(kind.roles)}" + (f"; nobody up to {limits} …" if limits else "")
        then = f"the next role after {kind.escalate_after_h} h; after {kind.expire_after_h} h `approval.expired`"
        yield (step.name, _WAIT["approval"], who, then)


def _stops(outline: Outline, estate: Estate) -> str:
    rows: dict[tuple[str, ...], list[str]] = {}
    for code, steps in sorted(_codes(outline).items()):
        policy = estate.policies.for_exception(code)
        name = policy.runbook.partition("#")[2].replace("-", " ").capitalize()
        runbook = f"[{name}](../{policy.runbook.removeprefix('docs/')})"
        due = f"{policy.severity}, {policy.deadline_h} h"
        rows.setdefault((", ".join(dict.fromkeys(steps)), policy.owner, due, runbook), []).append(f"`{code}`")
    head = ("code", "at", "owner", "severity, due in", "runbook")
    return _table(head, [(" ".join(codes), *row) for row, codes in rows.items()])


def _codes(outline: Outline) -> dict[str, list[str]]:
    """Code → names of the steps at which it can be raised."""
    at: dict[str, list[str]] = {}
    for step in outline.steps():
        refused = [f"vendor.rejected.{verb.system}" for verb in step.verbs] if step.kind == "effect" else []
        for code in (*step.codes, *refused):
            at.setdefault(code, []).append(step.name)
    for code in outline.codes:
        at.setdefault(code, []).append("while it reads")
    return at


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"
