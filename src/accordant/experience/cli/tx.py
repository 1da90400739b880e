"""`accordant tx`: where business transactions stand, how each went, and the proof of it."""

from typing import Annotated, Any

import msgspec
import typer
from rich.text import Text
from sqlalchemy import Connection

from accordant.experience.cli import tx_proof, tx_story, tx_why
from accordant.experience.cli.grid import Column, print_grid
from accordant.experience.cli.options import DbOption, JsonOption, StateOption
from accordant.experience.cli.outcome import WRONG, NotFound
from accordant.experience.cli.reading import Records, records
from accordant.experience.cli.screen import Screen, age_text, cell, money_text, style_of, write_json
from accordant.kernel.clock import SystemClock
from accordant.operations.proof import prove as proof_of
from accordant.operations.transactions import Listed, Page, Search, Story, find, story
from accordant.operations.why import why as why_of

app = typer.Typer(help="Business transactions: where they stand, how they went, and the proof.", no_args_is_help=True)
Id = Annotated[
    str, typer.Argument(help="Any id: of the transaction (or its beginning), the deal, or a record in a system.")
]
_SHORT, _WIDE = 11, 110


@app.command("list")
def list_(
    about: Annotated[str, typer.Argument(help="Any id; nothing lists all.")] = "",
    state_word: Annotated[str, typer.Option("--is", help="running, waiting, completed, exception …")] = "",
    flow: Annotated[str, typer.Option(help="Name of a flow.")] = "",
    party: Annotated[str, typer.Option(help="Part of the customer's name.")] = "",
    cause: Annotated[str, typer.Option(help="Cause group of open exceptions.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 30,
    after: Annotated[str, typer.Option(help="Cursor that the page before ended with.")] = "",
    state: StateOption = None,
    db: DbOption = None,
    json: JsonOption = False,
) -> None:
    """List transactions, newest first."""
    with records(state, db) as stored:
        search = Search(
            tenant=stored.tenant,
            state=state_word,
            flow=flow,
            about=about,
            party=party,
            cause_group=cause,
            limit=limit,
            after=after,
        )
        page = stored.read(lambda connection: find(connection, search))
    if json:
        write_json(page)
    else:
        _show_page(page, narrowed=any((about, state_word, flow, party, cause, after)))


@app.command()
def show(
    id: Id,
    why: Annotated[bool, typer.Option("--why", help="Print what each rule was given and what it decided.")] = False,
    state: StateOption = None,
    db: DbOption = None,
    json: JsonOption = False,
) -> None:
    """Draw the timeline of one transaction across the four systems, and by which rule each decision fell."""
    with records(state, db) as stored:
        found = _the_one(stored, id, json=json)
        reasons = stored.read(lambda connection: why_of(connection, found))
    if json:
        write_json({**tx_story.as_json(found), "why": tx_why.as_json(reasons)})
        return
    screen = Screen()
    tx_story.draw(screen, found, now_ms=SystemClock().now_ms())
    tx_why.draw(screen, reasons, whole=why)


@app.command()
def prove(id: Id, state: StateOption = None, db: DbOption = None, json: JsonOption = False) -> None:
    """Prove what every system was told, answered and holds; exit 1 when anything is not proven."""
    with records(state, db) as stored:
        found = _the_one(stored, id, json=json)
        proof = stored.read(lambda connection: proof_of(connection, found))
    if json:
        write_json(tx_proof.as_json(proof))
    else:
        tx_proof.draw(Screen(), proof, row=found.transaction)
    if not proof.proven:
        raise typer.Exit(WRONG)


def _the_one(stored: Records, word: str, *, json: bool) -> Story:
    """The transaction that an id means; several are listed, and the command ends."""
    search = Search(tenant=stored.tenant, about=word, limit=20)

    def query(connection: Connection) -> tuple[Page, Story | None]:
        page = find(connection, search)
        exact = [one for one in page.transactions if one.transaction_id == word] or page.transactions
        return page, story(connection, exact[0].transaction_id) if len(exact) == 1 else None

    page, found = stored.read(query)
    if found is not None:
        return found
    if not page.transactions:
        raise NotFound(
            f"no transaction is about {word!r}",
            code="transaction.unknown",
            hint="list them with `accordant tx list`; any id of a deal, record or transaction will do",
        )
    problem: dict[str, Any] = {"code": "transaction.several", "message": f"{word!r} is part of several transactions"}
    if json:
        write_json({"error": {**problem, "hint": "name one of them", "detail": msgspec.to_builtins(page)}})
    else:
        screen = Screen()
        screen.say(f"{word!r} is part of several transactions; name one of them:\n")
        _table(screen, page.transactions)
    raise typer.Exit(WRONG)


def _show_page(page: Page, *, narrowed: bool) -> None:
    screen = Screen()
    if not page.transactions:
        screen.say("No transaction fits." if narrowed else "There is no transaction yet.")
        screen.say(
            "Leave out an option, or look for another id."
            if narrowed
            else "One begins when a deal is won: `accordant demo` plays some, `accordant up` waits for yours."
        )
        return
    _table(screen, page.transactions)
    if page.next:
        screen.say(f"\nThere are more: --after {page.next}", style="dim")


_COLUMNS = (
    Column("transaction", is_whole=True),
    Column("stands", is_whole=True),
    Column("about"),
    Column("customer"),
    Column("amount", is_whole=True, is_right=True),
    Column("verified", is_right=True, is_whole=True, is_optional=True),
    Column("age", is_whole=True, is_right=True, is_optional=True),
    Column("flow", is_optional=True),
)


def _table(screen: Screen, transactions: tuple[Listed, ...]) -> None:
    now = SystemClock().now_ms()
    print_grid(screen, _COLUMNS, rows=[_row(screen, one, now_ms=now) for one in transactions])


def _row(screen: Screen, one: Listed, *, now_ms: int) -> list[Text]:
    stands = f"waiting: {one.waiting_for}" if one.state == "waiting" else one.state
    settled = one.effects_confirmed - one.effects_unverified
    id_length = None if screen.width >= _WIDE else _SHORT
    return [
        cell(one.transaction_id[:id_length]),
        cell(f"{screen.mark('verified' if one.is_green else one.state)} {stands}", _style(one)),
        cell(one.subject),
        cell(one.party),
        cell(money_text(one.amount_minor, one.currency)),
        cell(f"{settled}/{one.effects_confirmed}" if one.effects_confirmed else ""),
        cell(age_text(now_ms - one.opened_at_ms)),
        cell(one.flow if screen.width >= _WIDE else ""),
    ]


def _style(one: Listed) -> str:
    return "green" if one.is_green else style_of(one.state)
