"""The shapes that a picture is made of, their colours in light and dark, and how wide words are."""

from collections.abc import Sequence
from html import escape

_WIDE, _NARROW = frozenset("mwMW@%…—"), frozenset("iljtfrI.,:;'|!()[] ")
_FONT = "-apple-system,BlinkMacSystemFont,'Segoe UI',Helvetica,Arial,'DejaVu Sans',sans-serif"
_SIZES = {"name": 13.0, "soft": 11.5, "when": 11.5, "verb": 12.0, "undo": 11.0, "head": 13.0}
_LIGHT = {
    "paper": "#ffffff",
    "line": "#d0d7de",
    "ink": "#1f2328",
    "soft": "#59636e",
    "lane": "#f6f8fa",
    "blue": "#0969da",
    "green": "#1a7f37",
    "purple": "#8250df",
    "amber": "#9a6700",
    "grey": "#6e7781",
}
_DARK = {
    "paper": "#0d1117",
    "line": "#3d444d",
    "ink": "#f0f6fc",
    "soft": "#9198a1",
    "lane": "#151b23",
    "blue": "#4493f8",
    "green": "#3fb950",
    "purple": "#ab7df8",
    "amber": "#d29922",
    "grey": "#8b949e",
}
_COLOUR = {
    "check": "blue",
    "recall": "grey",
    "keep": "grey",
    "read": "grey",
    "effect": "green",
    "notice": "grey",
    "tell": "grey",
    "approval": "purple",
    "until": "amber",
    "expect": "amber",
    "event": "amber",
    "if": "amber",
    "else": "amber",
    "each": "blue",
    "hold": "grey",
}
_ICONS = {
    "check": "M-4.5 0.5 L-1.5 3.5 L4.5 -3.5",
    "recall": "M-1 -1 m-3.5 0 a3.5 3.5 0 1 0 7 0 a3.5 3.5 0 1 0 -7 0 M1.8 1.8 L4.8 4.8",
    "keep": "M-4 -4.5 H4 V4.5 L0 1.5 L-4 4.5 Z",
    "effect": "M-5 0 H4.5 M1 -3.5 L4.5 0 L1 3.5",
    "notice": "M-5 0 H4.5 M1 -3.5 L4.5 0 L1 3.5",
    "approval": "M0 -2.5 m-2.3 0 a2.3 2.3 0 1 0 4.6 0 a2.3 2.3 0 1 0 -4.6 0 M-4.5 5 C-4.5 0.8 4.5 0.8 4.5 5",
    "until": "M0 0 m-5 0 a5 5 0 1 0 10 0 a5 5 0 1 0 -10 0 M0 -3 V0 L2.2 1.6",
    "expect": "M-5 -3.5 H5 V3.5 H-5 Z M-5 -3.5 L0 0.8 L5 -3.5",
}
MEANINGS = {
    "check": "decides by a rule",
    "recall": "reads once",
    "keep": "keeps a record",
    "effect": "writes once",
    "approval": "asks a person",
    "until": "waits for a day",
    "expect": "waits for an event",
}

SIGNS = (("A B C D", "how a repeat is kept from counting twice"), ("↶", "how it is taken back"))


def width_of(text: str, size: float) -> float:
    """About how wide a text is; no font is at hand where pages are made."""
    units = sum(0.95 if one in _WIDE else 0.36 if one in _NARROW else 0.72 if one.isupper() else 0.61 for one in text)
    return units * size


def wrapped(text: str, *, width: float, size: float) -> list[str]:
    """A text in lines."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and width_of(longer, size) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


Place = tuple[float, float, float, float]
"""Left, top, width and height."""


class Canvas:
    """Shapes in the order in which they are painted."""

    def __init__(self, width: float) -> None:
        self.width = width
        self._parts: list[str] = []

    def reserve(self) -> int:
        """A place in the order for something whose size is not known yet."""
        self._parts.append("")
        return len(self._parts) - 1

    def text(self, x: float, y: float, *, text: str, style: str, middle: bool = False) -> float:
        """A line of text; gives where it ends."""
        anchor = ' text-anchor="middle"' if middle else ""
        self._parts.append(f'<text class="{style}" x="{x:g}" y="{y:g}"{anchor}>{escape(text, quote=False)}</text>')
        return x + width_of(text, _SIZES[style]) * (1.12 if style == "name" else 1)

    def paragraph(self, x: float, y: float, *, text: str, width: float, style: str) -> None:
        """A text in lines."""
        for n, line in enumerate(wrapped(text, width=width, size=_SIZES[style])):
            self.text(x, y + 15 * n, text=line, style=style)

    def icon(self, x: float, y: float, *, kind: str) -> None:
        """A disc with what the step does."""
        colour = _COLOUR[kind]
        self._parts.append(
            f'<g transform="translate({x:g} {y:g})"><circle class="disc {colour}" r="11"/>'
            f'<path class="icon {colour}" d="{_ICONS[kind]}"/></g>'
        )

    def dot(self, x: float, y: float) -> None:
        """Where it begins."""
        self._parts.append(f'<circle class="full amber" cx="{x:g}" cy="{y:g}" r="6"/>')

    def stop(self, x: float, y: float) -> None:
        """Where it ends."""
        self._parts.append(
            f'<circle class="ring" cx="{x:g}" cy="{y:g}" r="7"/>'
            f'<circle class="full ink" cx="{x:g}" cy="{y:g}" r="3.5"/>'
        )

    def rule(self, y: float, width: float) -> None:
        """A line across."""
        self._parts.append(f'<path class="rule" d="M20 {y:g} H{width - 20:g}"/>')

    def pill(self, x: float, y: float, *, width: float, text: str) -> None:
        """An event."""
        self._parts.append(f'<rect class="box amber" x="{x:g}" y="{y:g}" width="{width:g}" height="28" rx="14"/>')
        self.text(x + width / 2, y + 18, text=text, style="verb", middle=True)

    def arrow(self, x: float, y: float, *, to: tuple[float, float], kind: str, both: bool = False) -> None:
        """From one lane to another, first down and then across."""
        colour, tip = _COLOUR[kind], 6 if to[0] > x else -6
        dashed = " dashed" if kind in ("read", "tell") else ""
        self._parts.append(f'<path class="arrow {colour}{dashed}" d="M{x:g} {y:g} V{to[1]:g} H{to[0]:g}"/>')
        heads = f"M{to[0]:g} {to[1]:g} l{-tip} -4 v8 Z" + (f" M{x:g} {y:g} l{tip} -4 v8 Z" if both else "")
        self._parts.append(f'<path class="full {colour}" d="{heads}"/>')

    def box(self, at: Place, *, lines: Sequence[str], kind: str, badge: str = "") -> None:
        """What happens in a lane; `badge` is the effect class."""
        x, y, width, height = at
        colour = _COLOUR[kind]
        dashed = " dashed" if kind in ("read", "tell") else ""
        self._parts.append(
            f'<rect class="box {colour}{dashed}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6"/>'
        )
        for n, line in enumerate(lines):
            style = "undo" if n and kind != "approval" else "verb"
            self.text(x + 9, y + 18.5 + 14.5 * n, text=line, style=style)
        if badge:
            self._parts.append(
                f'<rect class="badge {colour}" x="{x + width - 22:g}" y="{y + 6:g}" width="16" height="16" rx="4"/>'
            )
            self._parts.append(f'<text class="letter" x="{x + width - 14:g}" y="{y + 18:g}">{badge}</text>')

    def frame(self, place: int, *, at: Place, label: str, kind: str) -> None:
        """A frame around steps, painted behind them."""
        x, y, width, height = at
        colour = _COLOUR[kind]
        tab = width_of(label, 11.5) * 1.1 + 20
        self._parts[place] = (
            f'<rect class="frame {colour}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="8"/>'
            f'<path class="tab {colour}" d="M{x:g} {y + 8:g} a8 8 0 0 1 8 -8 H{x + tab:g} v12 l-8 8 H{x:g} Z"/>'
            f'<text class="label {colour}" x="{x + 9:g}" y="{y + 14:g}">{escape(label, quote=False)}</text>'
        )

    def finished(
        self,
        title: str,
        *,
        heads: Sequence[tuple[float, float, str, str]],
        bottom: float,
        spine: tuple[float, float, float],
        kinds: Sequence[str],
    ) -> str:
        """The SVG: paper, lanes and their heads, the shapes, and what the signs mean."""
        back: list[str] = []
        for n, (x, width, name, _) in enumerate(heads):
            if n % 2 == 0:
                back.append(f'<rect class="lane" x="{x:g}" y="14" width="{width:g}" height="{bottom - 14:g}" rx="8"/>')
            back.append(f'<text class="head" x="{x + width / 2:g}" y="38" text-anchor="middle">{escape(name)}</text>')
        back.append(f'<path class="spine" d="M{spine[0]:g} {spine[1]:g} V{spine[2]:g}"/>')
        legend, height = self._legend(kinds, bottom + 24)
        whole = "\n".join([*back, *(one for one in self._parts if one), *legend])
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} {height:g}" width="{self.width:g}" '
            f'height="{height:g}" role="img" aria-label="{escape(title)}">\n<style>{_style()}</style>\n'
            f'<rect class="paper" x="0.5" y="0.5" width="{self.width - 1:g}" height="{height - 1:g}" rx="10"/>\n'
            f"{whole}\n</svg>\n"
        )

    def _legend(self, kinds: Sequence[str], y: float) -> tuple[list[str], float]:
        before, self._parts = self._parts, []
        x, x_of_signs = 36.0, 27.0
        for kind in (one for one in MEANINGS if one in kinds):
            self.icon(x, y, kind=kind)
            x = self.text(x + 17, y + 4, text=MEANINGS[kind], style="soft") + 30
        y += 30
        for sign, meaning in SIGNS:
            self._parts.append(f'<text class="verb" x="{x_of_signs:g}" y="{y:g}">{sign}</text>')
            x_of_signs = self.text(x_of_signs + 10 + width_of(sign, 12), y, text=meaning, style="soft") + 24
        legend, self._parts = self._parts, before
        return legend, y + 18


_RULES = f"""
text{{font-family:{_FONT};fill:var(--ink)}}
.name,.head{{font-size:13px;font-weight:600}}.head{{fill:var(--soft)}}
.soft,.when{{font-size:11.5px;fill:var(--soft)}}.when{{font-style:italic}}
.verb{{font-size:12px}}.undo{{font-size:11px;fill:var(--soft)}}.label{{font-size:11.5px;font-weight:600;fill:var(--c)}}
.letter{{font-size:11px;font-weight:700;text-anchor:middle;fill:var(--paper)}}
.paper{{fill:var(--paper);stroke:var(--line)}}.lane{{fill:var(--lane)}}.spine{{stroke:var(--line);stroke-width:2}}
.rule{{stroke:var(--line);stroke-dasharray:2 3}}.ring{{fill:var(--paper);stroke:var(--ink);stroke-width:1.5}}
.box,.disc{{fill:var(--paper);stroke:var(--c);stroke-width:1.4}}.full,.badge{{fill:var(--c)}}
.frame{{fill:var(--c);fill-opacity:.05;stroke:var(--c);stroke-opacity:.55}}.tab{{fill:var(--c);fill-opacity:.16}}
.icon,.arrow{{fill:none;stroke:var(--c);stroke-width:1.5;stroke-linecap:round;stroke-linejoin:round}}
.dashed{{stroke-dasharray:4 3}}
"""


def _style() -> str:
    named = "".join(f".{name}{{--c:var(--{name})}}" for name in ("ink", "blue", "green", "purple", "amber", "grey"))
    light = "".join(f"--{name}:{value};" for name, value in _LIGHT.items())
    dark = "".join(f"--{name}:{value};" for name, value in _DARK.items())
    return f"svg{{{light}}}{_RULES}{named}\n@media (prefers-color-scheme:dark){{svg{{{dark}}}}}"
