"""`accordant dispute`: which invoices are disputed, and how long it takes until somebody says who is right."""

from typing import Annotated, Any

import msgspec
import typer

from accordant.canonical.dispute import OPEN
from accordant.experience.cli.grid import Column, print_grid
from accordant.experience.cli.options import DbOption, JsonOption, StateOption
from accordant.experience.cli.reading import records
from accordant.experience.cli.screen import Screen, cell, instant_text, money_text, write_json
from accordant.kernel.clock import SystemClock
from accordant.operations.disputes import Case, Month, by_month, known

_COLUMNS = (
    Column("dispute", is_whole=True, is_optional=True),
    Column("invoice", is_whole=True),
    Column("case", is_whole=True),
    Column("disputed", is_whole=True, is_right=True),
    Column("status", wraps=True),
    Column("opened", is_whole=True, is_optional=True),
    Column("hours", is_whole=True, is_right=True),
)
_MONTHS = (
    Column("month", is_whole=True),
    Column("resolved", is_whole=True, is_right=True),
    Column("credited", is_whole=True, is_right=True),
    Column("median hours", is_whole=True, is_right=True),
    Column("mean hours", is_whole=True, is_right=True),
    Column("credits", wraps=True, is_right=True),
)
app = typer.Typer(help="Disputed invoices: list, with how long each took.", no_args_is_help=True)


@app.callback()
def dispute() -> None:
    """Disputed invoices, and how long it takes until somebody says who is right."""


@app.command("list")
def list_(
    open_only: Annotated[bool, typer.Option("--open", help="Only those that nobody has ruled.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many; the months count all.")] = 200,
    state: StateOption = None,
    db: DbOption = None,
    json: JsonOption = False,
) -> None:
    """List disputes, the newest first, and for each month how long those took that were resolved in it."""
    now_ms = SystemClock().now_ms()
    with records(state, db) as stored:
        found = stored.read(lambda connection: known(connection, stored.tenant))
    months = by_month(found)
    wanted = [one for one in found if not open_only or one.dispute.status == OPEN][:limit]
    if json:
        write_json(
            {"disputes": [_as_json(one, now_ms) for one in wanted], "months": msgspec.to_builtins(months)},
        )
        return
    screen = Screen()
    if not wanted:
        screen.say("No invoice is disputed." if open_only else "No invoice was ever disputed.")
    else:
        print_grid(screen, _COLUMNS, rows=[_row(one, now_ms) for one in wanted])
    if months:
        screen.say("")
        print_grid(screen, _MONTHS, rows=[_month_row(one) for one in months])


def _as_json(one: Case, now_ms: int) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(one.dispute)
    more = {"transaction_id": one.transaction_id, "state": one.state, "resolved_at_ms": one.resolved_at_ms}
    return {**told, **more, "hours": round(one.hours(now_ms), 3)}


def _row(one: Case, now_ms: int) -> list[Any]:
    dispute, credited = one.dispute, one.dispute.credited
    status = f"{dispute.status} {money_text(credited.amount_minor, credited.currency)}" if credited else dispute.status
    return [
        cell(dispute.dispute_id),
        cell(dispute.invoice_number, "bold"),
        cell(dispute.case_id),
        cell(money_text(dispute.disputed.amount_minor, dispute.disputed.currency)),
        cell(status, "yellow" if dispute.status == OPEN else ""),
        cell(instant_text(dispute.opened_at_ms)),
        cell(f"{one.hours(now_ms):.1f}"),
    ]


def _month_row(one: Month) -> list[Any]:
    given = ", ".join(money_text(money.amount_minor, money.currency) for money in one.credits)
    figures = (one.resolved, one.credited, f"{one.median_hours:.1f}", f"{one.mean_hours:.1f}")
    return [cell(one.month, "bold"), *(cell(str(figure)) for figure in figures), cell(given or "nothing")]
