"""Draws an outline as one picture: the flow's steps from top to bottom, a lane for each system it touches."""

from collections.abc import Sequence

import msgspec

from accordant.experience.flow_pages import shapes
from accordant.experience.flow_pages.outline import End, Frame, Item, Outline, Step, Verb
from accordant.experience.flow_pages.shapes import Canvas

_OWN_W, _LANE_W, _PAD = 312, 158, 20
_TOP = 60
PEOPLE = "people"
_TITLES = {"crm": "CRM", "erp": "ERP"}


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the picture shows beside the outline."""

    title: str
    event: str
    """Name of the fact that begins it."""
    producer: str
    """The role that tells this fact."""
    classes: dict[tuple[str, str], str]
    """System and verb → effect class, where every connector of the role declares the same."""
    deciders: dict[str, tuple[str, ...]]
    """Kind of approval → the roles that are asked, in order."""


def drawn(outline: Outline, told: Told) -> str:
    """The picture, as SVG."""
    lanes = _lanes(outline, told)
    picture = _Picture(lanes, told)
    picture.begin()
    picture.rows(outline.items, depth=0)
    picture.finish(outline.blocked)
    return picture.svg(outline)


def _lanes(outline: Outline, told: Told) -> list[str]:
    named = [told.producer, *outline.systems()]
    people = [PEOPLE] if any(step.kind == "approval" for step in outline.steps()) else []
    order = ["crm", "support", PEOPLE, "billing", "erp"]
    found = dict.fromkeys([*(one for one in named if one != "accordant"), *people])
    return sorted(found, key=lambda one: (order.index(one) if one in order else len(order), one))


class _Picture:
    """One drawing in the making; `y` is where the next row begins."""

    def __init__(self, lanes: Sequence[str], told: Told) -> None:
        self._told = told
        self._lanes = list(lanes)
        self._canvas = Canvas(width=_PAD * 2 + _OWN_W + _LANE_W * len(lanes))
        self._y = float(_TOP)
        self._ends_at = 0.0

    # --- places ---

    def _left_of(self, lane: str) -> float:
        return _PAD + _OWN_W + _LANE_W * self._lanes.index(lane)

    def _spine(self) -> float:
        return _PAD + 24

    # --- rows ---

    def begin(self) -> None:
        """The fact that begins it all."""
        y = self._y
        if self._told.producer in self._lanes:
            x = self._left_of(self._told.producer)
            self._canvas.pill(x + 6, y, width=_LANE_W - 12, text=_apart(self._told.event))
            self._canvas.arrow(x + 4, y + 14, to=(self._spine() + 12, y + 14), kind="event")
        else:
            self._canvas.pill(self._spine() + 24, y, width=_LANE_W, text=_apart(self._told.event))
        self._canvas.dot(self._spine(), y + 14)
        self._y += 44

    def rows(self, items: Sequence[Item], *, depth: int) -> None:
        """Every item, one below the other."""
        for one in items:
            if isinstance(one, Frame):
                self._frame(one, depth)
            elif isinstance(one, End):
                self._end("the flow ends here")
            else:
                self._step(one, depth)

    def finish(self, blocked: Sequence[Verb]) -> None:
        """The end, and what the source is told where it does not come to it."""
        self._ends_at = self._y + 5
        self._end("every step done: completed")
        if blocked:
            self._y += 4
            text = "Where it stops: an open item with an owner; its source is told"
            self._canvas.rule(self._y - 2, self._canvas.width)
            self._canvas.paragraph(_PAD + 12, self._y + 18, text=text, width=_OWN_W - 24, style="soft")
            for verb in blocked:
                x = self._left_of(verb.system)
                self._canvas.arrow(_PAD + _OWN_W - 10, self._y + 22, to=(x + 5, self._y + 22), kind="tell")
                self._canvas.box((x + 6, self._y + 6, _LANE_W - 12, 32), lines=[verb.words], kind="tell")
            self._y += 48

    def _end(self, text: str) -> None:
        self._canvas.stop(self._spine(), self._y + 12)
        self._canvas.text(self._spine() + 20, self._y + 16, text=text, style="soft")
        self._y += 30

    def _frame(self, frame: Frame, depth: int) -> None:
        x, top = 7 + 4 * depth, self._y
        hole = self._canvas.reserve()
        self._y += 28
        self.rows(frame.items, depth=depth + 1)
        self._y += 2
        width = self._canvas.width - 2 * x
        self._canvas.frame(hole, at=(x, top, width, self._y - top), label=frame.label, kind=frame.kind)
        self._y += 8

    def _step(self, step: Step, depth: int) -> None:
        y, x = self._y, self._spine()
        notes = [f"unless {step.unless}"] if step.unless else []
        says = _says(step)
        lines = shapes.wrapped(says, width=_OWN_W - 48, size=11.5)[:2] if says else []
        self._canvas.icon(x, y + 16, kind=step.kind)
        at = self._canvas.text(x + 20, y + 15 if lines or notes else y + 20, text=step.name, style="name")
        for n, line in enumerate([*notes, *lines]):
            self._canvas.text(x + 20, y + 30 + 14 * n, text=line, style="when" if n < len(notes) else "soft")
        rows = len(notes) + len(lines)
        height = max(34, 24 + 14 * rows)
        height = max(height, self._beside(step, start=at + 6))
        self._y += height + 6

    def _beside(self, step: Step, *, start: float) -> float:
        """What the step does in other lanes; how high that is."""
        y, height = self._y + 16, 0.0
        if step.kind == "approval":
            lines = self._who(step)
            x, tall = self._left_of(PEOPLE), 14.0 * len(lines) + 14
            self._canvas.arrow(start, y, to=(x + 5, y), kind="approval", both=True)
            self._canvas.box((x + 6, y - 15, _LANE_W - 12, tall), lines=lines, kind="approval")
            for verb in step.verbs:
                at = self._left_of(verb.system)
                self._canvas.arrow(_PAD + _OWN_W - 12, y, to=(at + 5, y + 26), kind="tell")
                said = [verb.words, "while it waits"]
                self._canvas.box((at + 6, y + 12, _LANE_W - 12, 42), lines=said, kind="tell")
                height = 74.0
            return max(height, tall + 4)
        for verb in step.verbs:
            height = max(height, self._touched(step, verb, start=start))
        return height

    def _touched(self, step: Step, verb: Verb, *, start: float) -> float:
        """One system that a step reads, writes or hears from."""
        y, x = self._y + 16, self._left_of(verb.system)
        if step.kind in ("recall", "expect"):
            self._canvas.arrow(x + 5, y, to=(start, y), kind="read" if step.kind == "recall" else "event")
            words = verb.words if step.kind == "recall" else _apart(verb.name)
            self._canvas.box((x + 6, y - 14, _LANE_W - 12, 28), lines=[words], kind="read")
            return 34
        kind = "tell" if step.kind == "notice" else "effect"
        undone = [f"↶ {one.words}" for one in step.undo]
        badge = self._told.classes.get((verb.system, verb.name), "")
        self._canvas.arrow(start, y, to=(x + 5, y), kind=kind)
        place = (x + 6, y - 14, _LANE_W - 12, 28 + 15 * len(undone))
        self._canvas.box(place, lines=[verb.words, *undone], kind=kind, badge=badge)
        return 34 + 15 * len(undone)

    def _who(self, step: Step) -> list[str]:
        roles = dict.fromkeys(role for kind in step.approves for role in self._told.deciders.get(kind, ()))
        asked = [f"{'then ' if n else ''}{role}" for n, role in enumerate(roles)]
        return asked or [kind.replace("_", " ") for kind in step.approves] or ["whoever may"]

    # --- the whole ---

    def svg(self, outline: Outline) -> str:
        """Everything, with the lanes behind it."""
        bottom = self._y + 2
        heads = [(_PAD, _OWN_W, "Accordant", "")]
        heads += [(self._left_of(one), _LANE_W, _TITLES.get(one, one.capitalize()), one) for one in self._lanes]
        kinds = list(dict.fromkeys(step.kind for step in outline.steps()))
        return self._canvas.finished(
            self._told.title, heads=heads, bottom=bottom, spine=(self._spine(), _TOP + 14, self._ends_at), kinds=kinds
        )


def _says(step: Step) -> str:
    if step.kind == "recall":
        return f"asks {step.verbs[0].system}" if step.verbs else "from our own records"
    if step.kind == "keep":
        return "a version of our own record"
    if step.kind == "approval":
        return " or ".join(reversed(step.approves)).replace("_", " ")
    return step.says


def _apart(name: str) -> str:
    """`CreditRequested` as `credit requested`."""
    return "".join(f" {one.lower()}" if one.isupper() else one for one in name).strip()
