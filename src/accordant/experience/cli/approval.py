"""`accordant approval`: what waits for somebody's word, and giving it."""

from typing import Annotated, Any

import msgspec
import typer

from accordant.backbone.approvals import Answered, asked_now, roles_of, turn_ends_ms
from accordant.backbone.rows import ApprovalRow
from accordant.experience.cli.client import Client, path
from accordant.experience.cli.grid import Column, print_grid
from accordant.experience.cli.options import ActorOption, DbOption, JsonOption, StateOption
from accordant.experience.cli.outcome import WRONG, NotFound
from accordant.experience.cli.reading import records
from accordant.experience.cli.screen import Screen, age_text, cell, instant_text, money_text, write_json
from accordant.kernel.clock import SystemClock
from accordant.operations.approvals import called, waiting

_COLUMNS = (
    Column("approval", is_whole=True),
    Column("what", wraps=True),
    Column("whose turn", wraps=True),
    Column("amount", is_whole=True, is_right=True),
    Column("left", is_whole=True, is_right=True),
)
app = typer.Typer(help="What waits for somebody's word: list, show, approve, reject.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Id of an approval.")]
Note = Annotated[str, typer.Option("--note", help="Why, for whoever asked and for the audit.")]


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 200,
    state: StateOption = None,
    db: DbOption = None,
    json: JsonOption = False,
) -> None:
    """List what waits, the oldest first."""
    with records(state, db) as stored:
        found = stored.read(lambda connection: waiting(connection, tenant=stored.tenant, limit=limit))
    if json:
        write_json({"approvals": [as_json(Answered(approval=one, decision=None)) for one in found]})
    else:
        _show_many(Screen(), found)


@app.command()
def show(
    id: Annotated[str, typer.Argument(help="Id of an approval, or its beginning.")],
    state: StateOption = None,
    db: DbOption = None,
    json: JsonOption = False,
) -> None:
    """Show one: what would be written, by which rule somebody is asked, and what was answered."""
    with records(state, db) as stored:
        found = stored.read(lambda connection: called(connection, id, tenant=stored.tenant))
    if not found:
        raise NotFound(
            f"there is no approval {id!r}",
            code="approval.unknown",
            hint="list what waits with `accordant approval list`",
        )
    if len(found) > 1:
        if json:
            write_json({"error": {"code": "approval.several", "message": f"{id!r} begins several ids"}})
        else:
            _show_many(Screen(), [one.approval for one in found])
        raise typer.Exit(WRONG)
    if json:
        write_json(as_json(found[0]))
    else:
        _show_one(Screen(), found[0])


@app.command()
def approve(
    id: Name,
    note: Note = "",
    actor: ActorOption = "operator",
    state: StateOption = None,
    db: DbOption = None,
    json: JsonOption = False,
) -> None:
    """Agree. Whoever asked may not; who may agree to how much stands in approvals.yaml."""
    _decide(id, note, approve=True, client=Client(state, actor=actor), json=json)


@app.command()
def reject(
    id: Name,
    note: Note = "",
    actor: ActorOption = "operator",
    state: StateOption = None,
    db: DbOption = None,
    json: JsonOption = False,
) -> None:
    """Refuse; the transaction goes on with that answer."""
    _decide(id, note, approve=False, client=Client(state, actor=actor), json=json)


def as_json(found: Answered) -> dict[str, Any]:
    """A question and its answer for programs."""
    told = msgspec.to_builtins(found.approval)
    told |= {"roles": roles_of(found.approval), "payload": msgspec.json.decode(found.approval.payload)}
    return {**told, "decision": msgspec.to_builtins(found.decision)}


def _decide(name: str, note: str, *, approve: bool, client: Client, json: bool) -> None:
    answer = client.command("POST", path("approvals", name, "decide"), body={"approve": approve, "note": note})
    if json:
        write_json(answer)
        return
    screen = Screen()
    screen.say(f"{screen.mark('released')} {answer['approval_id']} is {answer['verdict']} by {answer['actor']}.")
    screen.say("See how far it comes with `accordant tx list`.", style="dim")


def _show_many(screen: Screen, found: list[ApprovalRow]) -> None:
    if not found:
        screen.say("Nothing waits for anybody's word.")
        return
    now = SystemClock().now_ms()
    rows = [
        [
            cell(one.approval_id),
            cell(one.what),
            cell(f"{asked_now(one, now)}\nuntil {instant_text(turn_ends_ms(one, now))}"),
            cell(money_text(one.amount_minor, one.currency)),
            cell(age_text(one.expires_at_ms - now) if one.expires_at_ms > now else "over"),
        ]
        for one in found
    ]
    print_grid(screen, _COLUMNS, rows=rows)


def _show_one(screen: Screen, found: Answered) -> None:
    one, said, now = found.approval, found.decision, SystemClock().now_ms()
    screen.say(one.what, style="bold")
    screen.say("")
    told = f"{said.verdict} by {said.actor}, {instant_text(said.at_ms)}" if said else "open"
    facts = {
        "approval": one.approval_id,
        "state": told + (f": {said.note}" if said and said.note else ""),
        "amount": money_text(one.amount_minor, one.currency),
        "rule": one.rule,
        "asked": ", then ".join(roles_of(one)),
        "whose turn": "" if said else f"{asked_now(one, now)}, until {instant_text(turn_ends_ms(one, now))}",
        "asked for by": one.requested_by,
        "since": instant_text(one.opened_at_ms),
        "escalates": instant_text(one.escalates_at_ms),
        "over": instant_text(one.expires_at_ms),
        "about": one.subject,
        "transaction": one.transaction_id,
        "estate": f"version {one.estate_version}",
    }
    rows = [[cell(name, "dim"), cell(value)] for name, value in facts.items() if value]
    print_grid(screen, (Column("", is_whole=True), Column("", wraps=True)), rows=rows, header=False)
    screen.say("\nWhat would be written:", style="dim")
    screen.say(msgspec.json.format(one.payload, indent=2))
    if said is None:
        screen.say(f"\naccordant approval approve {one.approval_id} --actor NAME", style="dim")
        screen.say(f"accordant approval reject {one.approval_id} --actor NAME --note WHY", style="dim")
