"""`accordant tie-out`: billing beside the books, to the penny, asked of both systems now."""

from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from accordant.experience.cli.client import Client
from accordant.experience.cli.grid import Column, print_grid
from accordant.experience.cli.options import JsonOption, StateOption
from accordant.experience.cli.outcome import WRONG
from accordant.experience.cli.screen import Screen, cell, money_text, write_json

Json = dict[str, Any]
SHOWN_MAX = 20
_TOTALS = (
    Column("entity", is_whole=True),
    Column("period", is_whole=True),
    Column("kind", is_whole=True),
    Column("billing", is_whole=True, is_right=True),
    Column("amount", is_whole=True, is_right=True),
    Column("books", is_whole=True, is_right=True),
    Column("amount", is_whole=True, is_right=True),
    Column("difference", is_whole=True, is_right=True),
    Column("", is_whole=True),
)
_DIFFERENCES = (
    Column("document", is_whole=True),
    Column("kind", is_whole=True),
    Column("what", is_whole=True),
    Column("billing says", wraps=True),
    Column("the books say", wraps=True),
)

app = typer.Typer(add_completion=False)


@app.command("tie-out")
def tie_out(
    period: Annotated[str | None, typer.Option(help="One month, such as 2026-11; else everything.")] = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Compare billing with the books by legal entity, currency, period and kind; exit code 1 where they differ."""
    asked = "/v1/tie-out" + (f"?{urlencode({'period': period})}" if period else "")
    found = Client(state, actor="operator").command("GET", asked)
    ties = holds(found)
    if json:
        write_json({**found, "ties": ties})
    else:
        show_tie_out(Screen(), found)
    if not ties:
        raise typer.Exit(WRONG)


def holds(found: Json) -> bool:
    """Whether everything ties."""
    return not found["differences"] and all(_ties(one) for one in found["totals"])


def show_tie_out(screen: Screen, found: Json) -> None:
    """Totals, then the documents that do not tie, the first of them."""
    screen.say("")
    screen.say("Billing beside the books", style="bold")
    print_grid(screen, _TOTALS, rows=[_total(screen, one) for one in found["totals"]])
    differences = found["differences"]
    if not differences:
        screen.say(f"{len(found['totals'])} totals tie, document by document." if found["totals"] else "Nothing yet.")
        return
    screen.say("")
    screen.say(f"{len(differences):,} documents do not tie:", style="bold red")
    rows = [
        [
            cell(one["number"]),
            cell(one["kind"]),
            cell(one["what"]),
            cell(_said(one["billing"])),
            cell(_said(one["books"])),
        ]
        for one in differences[:SHOWN_MAX]
    ]
    print_grid(screen, _DIFFERENCES, rows=rows)
    if len(differences) > SHOWN_MAX:
        screen.say(f"and {len(differences) - SHOWN_MAX:,} more; --json names all")


def _total(screen: Screen, one: Json) -> list[Any]:
    currency, difference = one["currency"], one["billing_minor"] - one["books_minor"]
    return [
        cell(one["legal_entity"]),
        cell(one["period"]),
        cell(one["kind"]),
        cell(f"{one['billing_documents']:,}"),
        cell(money_text(one["billing_minor"], currency)),
        cell(f"{one['books_documents']:,}"),
        cell(money_text(one["books_minor"], currency)),
        cell(money_text(difference, currency)),
        cell(f"{screen.mark('verified')} ties", "green") if _ties(one) else cell("does not tie", "bold red"),
    ]


def _ties(one: Json) -> bool:
    return (one["billing_documents"], one["billing_minor"]) == (one["books_documents"], one["books_minor"])


def _said(side: list[Json]) -> str:
    words = [
        f"{money_text(one['amount_minor'], one['currency'])} in {one['period']}, {one['legal_entity']}" for one in side
    ]
    return "\n".join(words) or "nothing"
