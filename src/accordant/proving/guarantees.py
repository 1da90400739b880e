"""Keeps the page of promises true: its table comes from the connectors, its results from the last campaign.

`python -m accordant.proving.guarantees docs` fills the marked places of `docs/guarantees.md`; what stands between
`<!-- operations -->` and `<!-- end -->`, and the line below each `<!-- result: RULE -->`, is written by it.
"""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from accordant.connector.capabilities import Capability, Connector
from accordant.wiring import VENDORS

PAGE = "guarantees.md"
RESULTS = "reliability/results.json"
_OPERATIONS = re.compile(r"(<!-- operations -->\n).*?(<!-- end -->)", re.DOTALL)
_RESULT = re.compile(r"(<!-- result: ([a-z_]+) -->\n)(?:_[^\n]*_\n)?")
_SIZES = ((86_400, "d"), (3_600, "h"), (60, "min"))


def filled(page: str, results: Mapping[str, Any]) -> str:
    """The page with its table and results as they are now."""
    table = operations(list(VENDORS.values()))
    page = _OPERATIONS.sub(lambda found: f"{found[1]}{table}{found[2]}", page)
    return _RESULT.sub(lambda found: f"{found[1]}_{result(found[2], results)}_\n", page)


def operations(connectors: list[Connector]) -> str:
    """Connector, operation, class, key lifetime and lookup lag, as a Markdown table."""
    head = ("connector", "operation", "request", "class", "key lives", "search settles within")
    rows = [head, tuple("---" for _ in head)]
    for one in sorted(connectors, key=lambda one: one.vendor):
        rows += [_row(one.vendor, able) for able in one.capabilities]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(vendor: str, able: Capability) -> tuple[str, ...]:
    life = _span(able.key_life_s) if able.key_life_s else "–"
    settles = _span(able.settle_s) if able.settle_s else "–"
    return vendor, able.verb, f"`{able.request}`", able.effect_class.value, life, settles


def result(rule: str, results: Mapping[str, Any]) -> str:
    """One sentence about the last campaign's judgement by a rule; honest where there was none."""
    found = results.get("rules", {}).get(rule)
    if not found:
        return "Not yet judged in a campaign."
    judged, violations = f"{found['judged']:,}", found["violations"]
    said = f"{violations:,} violations" if violations else "no violation"
    return f"Last campaign ({results.get('date', 'no date')}): {judged} judged, {said}."


def _span(seconds: float) -> str:
    for size, unit in _SIZES:
        if seconds >= size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def read_results(docs: Path) -> Mapping[str, Any]:
    """The last campaign's figures; empty before the first one."""
    file = docs / RESULTS
    return msgspec.json.decode(file.read_bytes()) if file.exists() else {}


def main(arguments: list[str]) -> int:
    """Fill the page in place; 2 when it is not there."""
    page = Path(arguments[0] if arguments else "docs") / PAGE
    if not page.exists():
        sys.stderr.write(f"{page} does not exist; name the folder that holds {PAGE}\n")
        return 2
    page.write_text(filled(page.read_text(encoding="utf-8"), read_results(page.parent)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
