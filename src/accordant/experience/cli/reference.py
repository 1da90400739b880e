"""`accordant reference`: what words mean, since when, who answers for it, and which words have no meaning yet."""

from datetime import UTC, date, datetime
from typing import Annotated

import typer
from rich.text import Text

from accordant.experience.cli.client import Client, path
from accordant.experience.cli.grid import Column, print_grid
from accordant.experience.cli.options import ActorOption, DbOption, JsonOption, StateOption
from accordant.experience.cli.outcome import NotFound
from accordant.experience.cli.reading import records
from accordant.experience.cli.screen import Screen, cell, listing, money_text, write_json
from accordant.governance.estate import ReferenceRow
from accordant.governance.likeness import did_you_mean
from accordant.kernel.clock import SystemClock
from accordant.operations.reference import Missing, TableCoverage, Word, coverage, estate_in_force, words_of

app = typer.Typer(help="Reference data: what words mean, and who answers for it.", no_args_is_help=True)


@app.command("list")
def list_(
    table: Annotated[str, typer.Argument(help="Name of a table; nothing lists the tables.")] = "",
    state: StateOption = None,
    db: DbOption = None,
    json: JsonOption = False,
) -> None:
    """List the tables with their coverage, or the rows of one with effective dates and owner."""
    today = datetime.fromtimestamp(SystemClock().now_ms() / 1000, UTC).date()
    with records(state, db) as stored:
        estate = stored.read(estate_in_force)
        if estate is None:
            raise NotFound(
                "no estate is in force yet", code="estate.not_started", hint="start the platform with `accordant up`"
            )
        tables = stored.read(lambda connection: coverage(connection, estate, tenant=stored.tenant, on=today))
    if not table:
        if json:
            write_json({"estate_version": estate.version, "tables": tables})
        else:
            _show_tables(Screen(), tables, version=estate.version)
        return
    if table not in estate.tables:
        raise NotFound(
            f"the estate has no reference table {table!r}; {did_you_mean(table, estate.tables)}",
            code="reference.unknown_table",
        )
    words = words_of(estate, table, on=today)
    one = next(each for each in tables if each.table == table)
    if json:
        write_json({"estate_version": estate.version, "coverage": one, "rows": words})
    else:
        _show_table(Screen(), one, words=words)


@app.command("set")
def set_(
    table: Annotated[str, typer.Argument(help="Name of the table.")],
    value: Annotated[str, typer.Argument(help="The word as the source writes it, letter by letter.")],
    target: Annotated[str, typer.Argument(help="A word of the table that means the same, or a target it has.")],
    owner: Annotated[str, typer.Option(help="Who answers for it; else the owner it had.")] = "",
    reason: Annotated[str, typer.Option(help="Why; stands in the history.")] = "",
    actor: ActorOption = "operator",
    state: StateOption = None,
    db: DbOption = None,
    json: JsonOption = False,
) -> None:
    """Give a word a meaning, from now on; what is parked on it goes on when its cause is released."""
    body = {"value": value, "target": target, "owner": owner or None, "reason": reason}
    answer = Client(state, actor=actor).command("PUT", path("reference", table), body=body)
    with records(state, db) as stored:
        estate = stored.read(estate_in_force)
        tables = stored.read(lambda c: coverage(c, estate, tenant=stored.tenant, on=date.max) if estate else [])
    waiting = [gap for one in tables if one.table == table for gap in one.missing if gap.value == value]
    causes = [gap.cause_group for gap in waiting]
    if json:
        write_json({**answer, "waiting_causes": causes})
        return
    screen = Screen()
    screen.say(f"{table} {value!r} means {target!r} from estate version {answer['estate_version']} on.")
    for gap in waiting:
        screen.say(f"{_parked(gap)} wait for it: accordant exception release {gap.cause_group}")


def _parked(gap: Missing) -> str:
    amounts = listing([money_text(amount, currency) for currency, amount in gap.money.items()], none="")
    items = f"{gap.count:,} {'item' if gap.count == 1 else 'items'}"
    return f"{items} ({amounts})" if amounts else items


def _show_tables(screen: Screen, tables: list[TableCoverage], *, version: int) -> None:
    screen.say(f"estate version {version}\n", style="bold")
    rows: list[list[Text]] = []
    for one in tables:
        gaps = "; ".join(f"{gap.value!r} ({gap.count:,} parked)" for gap in one.missing)
        counts = [cell(f"{one.values:,}"), cell(f"{one.in_force:,}")]
        rows.append([cell(one.table), cell(one.owner), *counts, cell(gaps or "none known", "red" if gaps else "dim")])
    columns = (Column("table", is_whole=True), Column("owner"), Column("values", is_whole=True, is_right=True))
    print_grid(
        screen,
        (*columns, Column("in force", is_whole=True, is_right=True), Column("words without a meaning", wraps=True)),
        rows=rows,
    )
    screen.say("\nThe rows of one: accordant reference list TABLE", style="dim")


def _show_table(screen: Screen, one: TableCoverage, *, words: list[Word]) -> None:
    screen.say(f"{one.table}: {one.in_force:,} of {one.values:,} values in force; owner {one.owner}\n", style="bold")
    if words:
        _show_words(screen, words)
    else:
        screen.say("The table is empty.")
    for gap in one.missing:
        nearest = listing([repr(word) for word in gap.candidates])
        screen.say(f"\n{screen.mark('exception')} {gap.value!r} has no meaning; nearest: {nearest}", style="red")
        screen.say(f"  {_parked(gap)} parked on it")
        target = gap.candidates[0] if gap.candidates else "TARGET"
        screen.say(f'  accordant reference set {one.table} "{gap.value}" "{target}"', style="dim")


def _show_words(screen: Screen, words: list[Word]) -> None:
    rows: list[list[Text]] = []
    for word in words:
        row = word.row
        more = ", ".join(f"{name} {text}" for name, text in row.attributes.items())
        holds = cell(word.holds, "" if word.holds == "in force" else "dim")
        rows.append([cell(row.value), cell(row.target), holds, cell(_days(row)), cell(row.owner), cell(more, "dim")])
    columns = (Column("value"), Column("means"), Column("holds", is_whole=True), Column("effective", is_whole=True))
    print_grid(screen, (*columns, Column("owner"), Column("more", is_optional=True)), rows=rows)


def _days(row: ReferenceRow) -> str:
    since = f"from {row.effective_from.isoformat()}" if row.effective_from else ""
    until = f"until {row.effective_to.isoformat()}" if row.effective_to else ""
    return f"{since} {until}".strip() or "always"
