"""By which rule each decision of a transaction fell, under which version of the estate, and what it was given."""

from collections.abc import Sequence
from typing import Any

import msgspec

from accordant.experience.cli.grid import Column, print_grid
from accordant.experience.cli.screen import Screen, cell, clean
from accordant.operations.why import Given, Why

_HASH = 8
_COLUMNS = (
    Column("decision", wraps=True),
    Column("rule", wraps=True),
    Column("estate", is_whole=True, is_right=True),
    Column("given", wraps=True),
)


def as_json(reasons: Sequence[Why]) -> list[dict[str, Any]]:
    """For programs, with what is stored as JSON given as JSON."""
    return [
        {
            **msgspec.to_builtins(one),
            "inputs": [{"kept_in": given.kept_in, "value": msgspec.json.decode(given.text)} for given in one.inputs],
            "result": msgspec.json.decode(one.result) if one.result else None,
        }
        for one in reasons
    ]


def draw(screen: Screen, reasons: Sequence[Why], *, whole: bool) -> None:
    """Print a line for each, or all of it."""
    if not reasons:
        return
    screen.say("\nWhy", style="bold")
    if not whole:
        print_grid(screen, _COLUMNS, rows=[_row(one) for one in reasons])
        screen.say("\nWhat each was given: --why", style="dim")
        return
    for one in reasons:
        by = f", by {one.by} ({one.approval})" if one.approval else ""
        screen.say(f"\n{one.name}: {one.rule}, estate {one.estate}{by}", style="bold")
        if not one.inputs:
            screen.say(f"given: what is not kept, with the hash {one.input_hash}", style="dim")
        for given in one.inputs:
            _print_json(screen, f"given, from {given.kept_in}", given=given)
        if one.result:
            _print_json(screen, "decided", given=Given(kept_in=one.name, text=one.result))
        else:
            screen.say("decided: something else since", style="dim")


def _row(one: Why) -> list[Any]:
    sources = ", ".join(given.kept_in for given in one.inputs)
    given = f"{sources} ({one.input_hash[:_HASH]})" if sources else one.input_hash[:_HASH]
    return [cell(one.name), cell(one.rule), cell(str(one.estate or "")), cell(given)]


def _print_json(screen: Screen, what: str, *, given: Given) -> None:
    screen.say(f"{what}:", style="dim")
    screen.say(clean(msgspec.json.format(given.text, indent=2)))
