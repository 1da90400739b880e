"""`accordant doctor`: is everything in order, what is promised for each operation, and what is only assumed."""

from typing import Annotated

import typer
from rich.text import Text

from accordant.connector.capabilities import Capability, Connector
from accordant.experience.cli.checks import Finding, examine
from accordant.experience.cli.grid import Column, print_grid
from accordant.experience.cli.options import DbOption, JsonOption, StateOption
from accordant.experience.cli.outcome import WRONG
from accordant.experience.cli.screen import Screen, cell, write_json
from accordant.wiring import VENDORS

_COLUMNS = (
    Column("operation", is_whole=True),
    Column("class", is_whole=True),
    Column("key lives", is_whole=True, is_right=True),
    Column("settles", is_whole=True, is_right=True),
    Column("source", is_whole=True),
    Column("request", wraps=True),
)
_CLASSES = {
    "A": "the vendor remembers a key and answers a repeat with the first outcome",
    "B": "the write names the record by an id of ours; repeating it ends in the same state",
    "C": "looked up before it is repeated, after the vendor's search has settled",
    "D": "tried once; a doubtful outcome waits for a person",
}

app = typer.Typer(add_completion=False)


@app.command()
def doctor(
    brief: Annotated[bool, typer.Option("--brief", help="Only the checks, without promises and assumptions.")] = False,
    state: StateOption = None,
    db: DbOption = None,
    json: JsonOption = False,
) -> None:
    """Check database, secrets and connections; list what each operation promises and what is assumed.

    Ends with 1 when something is wrong.
    """
    findings = examine(state, db)
    if json:
        vendors = [] if brief else [_vendor_json(one) for one in VENDORS.values()]
        is_fine = all(one.is_fine for one in findings)
        write_json({"fine": is_fine, "checks": findings, "classes": _CLASSES, "vendors": vendors})
    else:
        screen = Screen()
        _show_findings(screen, findings)
        if not brief:
            _show_promises(screen)
            _show_assumptions(screen)
    if not all(one.is_fine for one in findings):
        raise typer.Exit(WRONG)


def _vendor_json(one: Connector) -> dict[str, object]:
    return {
        "vendor": one.vendor,
        "role": one.role,
        "api_version": one.api_version,
        "capabilities": one.capabilities,
        "assumptions": one.assumptions,
    }


def _show_findings(screen: Screen, findings: list[Finding]) -> None:
    rows: list[list[Text]] = []
    for one in findings:
        mark, style = (screen.mark("verified"), "green") if one.is_fine else (screen.mark("rejected"), "red")
        said = f"{one.said}\n→ {one.hint}" if one.hint and not one.is_fine else one.said
        rows.append([cell(mark, style), cell(one.about), cell(said, "" if one.is_fine else "red")])
    columns = (Column("", is_whole=True), Column("", is_whole=True), Column("", wraps=True))
    print_grid(screen, columns, rows=rows, header=False)
    wrong = sum(not one.is_fine for one in findings)
    said = f"{wrong} of {len(findings)} checks found something wrong." if wrong else "All checks are fine."
    screen.say(f"\n{said}\n", style="bold")


def _show_promises(screen: Screen) -> None:
    screen.say("What each operation promises", style="bold")
    for letter, meaning in _CLASSES.items():
        screen.say(f"  {letter}  {meaning}", style="dim")
    for one in VENDORS.values():
        screen.say(f"\n{one.vendor} ({one.role}, API {one.api_version})", style="bold")
        sources = list(dict.fromkeys(able.source for able in one.capabilities))
        print_grid(screen, _COLUMNS, rows=[_promise(able, sources) for able in one.capabilities])
        for n, source in enumerate(sources, 1):
            screen.say(f"  [{n}] {source}", style="dim")


def _promise(able: Capability, sources: list[str]) -> list[Text]:
    return [
        cell(able.verb),
        cell(able.effect_class.value),
        cell("" if able.key_life_s is None else _span(able.key_life_s)),
        cell(_span(able.settle_s) if able.settle_s else ""),
        cell(f"[{sources.index(able.source) + 1}]"),
        cell(able.request),
    ]


def _show_assumptions(screen: Screen) -> None:
    screen.say("\nWhat is assumed, because no document or contract at hand says it", style="bold")
    for one in VENDORS.values():
        screen.say(f"\n{one.vendor}", style="bold")
        if not one.assumptions:
            screen.say("  nothing")
        for assumption in one.assumptions:
            screen.say(f"  {assumption.about}: {assumption.assumed}")


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"
