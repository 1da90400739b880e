"""`accordant demo --invoices FILE`: a retailer's real invoices, from the file to books that tie out with billing."""

import shlex
from pathlib import Path
from typing import Any

import msgspec

from accordant.experience.cli.grid import Column, print_grid
from accordant.experience.cli.screen import Screen, cell, money_text
from accordant.experience.cli.summary import show_next
from accordant.experience.cli.tie_out import show_tie_out
from accordant.experience.cli.watching import Watching
from accordant.launch.retail import RetailRun, plan_of_retail
from accordant.launch.run import Plan

Json = dict[str, Any]
_SAYS = "Amounts are pounds (GBP), days are month first; a number that begins with C is a credit."
_COLUMNS = (Column("in the file", is_whole=True), Column("", is_whole=True, is_right=True), Column("", is_whole=True))


def run_of(file: Path, wanted: Plan, watching: Watching, /) -> RetailRun:
    """The run of a file in the folder that was asked for. Raises where the file cannot be read."""
    watching.note(_SAYS)
    loaded, made = plan_of_retail(file, wanted.state, limits=wanted.limits)
    plan = msgspec.structs.replace(wanted, records=loaded.records, deals_won=loaded.deals_won)
    return RetailRun(plan, made, spectator=watching)


def show(screen: Screen, result: Json, *, where: Path, file: Path) -> None:
    """What the file holds, what became of it, and the tie-out."""
    told, currency = result["file"], result["file"]["currency"]
    rows = [
        ("lines", f"{told['lines']:,}", f"in {told['documents']:,} documents"),
        *(("rejected", f"{n:,}", f"lines: {reason}") for reason, n in told["rejected_lines"].items()),
        ("left out", f"{told['documents_without_lines']:,}", "documents without a line that can be posted"),
        ("kept", f"{told['repeated_lines_kept']:,}", "lines that repeat another of their document"),
        ("customers", f"{told['customers']:,}", "opened in every system"),
        ("invoices", f"{told['invoices']:,}", money_text(told["invoices_minor"], currency)),
        ("credits", f"{told['credits']:,}", money_text(told["credits_minor"], currency)),
        ("  of them", f"{told['credits_on_an_invoice']:,}", "lower an invoice of the file: credit notes"),
        ("", f"{told['credits_on_the_balance']:,}", "lower none of them: on the customer's balance, memos unapplied"),
        ("net", "", money_text(told["invoices_minor"] + told["credits_minor"], currency)),
    ]
    screen.say("")
    print_grid(screen, _COLUMNS, rows=[[cell(word) for word in row] for row in rows])
    show_tie_out(screen, result["tie_out"])
    screen.say("")
    verdict = "File, billing and books say the same." if result["holds"] else "File, billing and books do not agree."
    screen.say(verdict, style="bold green" if result["holds"] else "bold red")
    screen.say(f"{result['wall_s']:.1f} s of work, {result['open_items']:,} items open.")
    state = f"--state {shlex.quote(str(where))}"
    ledgers = shlex.quote(str(where / "ledger"))
    show_next(
        screen,
        [
            (f"accordant tx list {state}", "every transaction"),
            (f"accordant exception list {state}", "what is open, and who is asked"),
            (
                f"python tools/recount_invoices.py --ledgers {ledgers} --invoices {shlex.quote(str(file))}",
                "file and ledgers, recounted without the product",
            ),
        ],
    )
