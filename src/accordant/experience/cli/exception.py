"""`accordant exception`: what is open, who is asked, and how it is let go on."""

from typing import Annotated, Any

import msgspec
import typer

from accordant.backbone.rows import ExceptionRow
from accordant.experience.cli.client import Client, path
from accordant.experience.cli.grid import Column, print_grid
from accordant.experience.cli.options import ActorOption, DbOption, JsonOption, StateOption
from accordant.experience.cli.outcome import WRONG, BadInput, NotFound
from accordant.experience.cli.reading import records
from accordant.experience.cli.screen import (
    Screen,
    age_text,
    cell,
    instant_text,
    listing,
    money_text,
    style_of,
    write_json,
)
from accordant.kernel.clock import SystemClock
from accordant.operations.causes import Cause, detail_of, items_called, open_causes, open_items, runbook_of
from accordant.operations.reference import estate_in_force

_COLUMNS = (
    Column("exception", is_whole=True),
    Column("about"),
    Column("what"),
    Column("owner"),
    Column("amount", is_whole=True, is_right=True),
    Column("age", is_whole=True, is_right=True, is_optional=True),
)
app = typer.Typer(help="Open exceptions: what stopped, why, who is asked, and how it goes on.", no_args_is_help=True)


@app.command("list")
def list_(
    cause: Annotated[str, typer.Option(help="List the single items of this cause group.")] = "",
    items: Annotated[bool, typer.Option("--items", help="List single items, of every cause.")] = False,
    owner: Annotated[str, typer.Option(help="Only causes of this owner.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many items.")] = 200,
    state: StateOption = None,
    db: DbOption = None,
    json: JsonOption = False,
) -> None:
    """List what is open, by cause; the cause with the most items first."""
    with records(state, db) as stored:
        causes = stored.read(lambda connection: open_causes(connection, tenant=stored.tenant, owner=owner))
        wanted: list[ExceptionRow] = []
        if cause or items:
            wanted = stored.read(
                lambda connection: open_items(connection, tenant=stored.tenant, cause_group=cause, limit=limit)
            )
    if json:
        told = {"causes": [one for one in causes if not cause or one.cause_group == cause]}
        write_json({**told, "items": [as_json(one) for one in wanted]} if cause or items else told)
    elif cause or items:
        _show_items(Screen(), wanted)
    else:
        _show_causes(Screen(), causes)


@app.command()
def show(
    id: Annotated[str, typer.Argument(help="Id of an exception or its beginning, or of a cause group.")],
    state: StateOption = None,
    db: DbOption = None,
    json: JsonOption = False,
) -> None:
    """Show one exception: what stopped, the owner, the deadline, the runbook, and what to do."""
    with records(state, db) as stored:
        found = stored.read(lambda connection: items_called(connection, id, tenant=stored.tenant))
        if not found:
            found = stored.read(
                lambda connection: open_items(connection, tenant=stored.tenant, cause_group=id, limit=1)
            )
        estate = stored.read(estate_in_force)
    if not found:
        raise NotFound(
            f"there is no exception {id!r}",
            code="exception.unknown",
            hint="list the open ones with `accordant exception list --items`",
        )
    if len(found) > 1:
        if json:
            write_json({"error": {"code": "exception.several", "message": f"{id!r} begins several ids"}})
        else:
            _show_items(Screen(), found)
        raise typer.Exit(WRONG)
    runbook = runbook_of(found[0], estate) if estate else ""
    if json:
        write_json({**as_json(found[0]), "runbook": runbook})
    else:
        _show_one(Screen(), found[0], runbook=runbook)


@app.command()
def retry(
    id: Annotated[str, typer.Argument(help="Id of an exception.")],
    actor: ActorOption = "operator",
    state: StateOption = None,
    db: DbOption = None,
    json: JsonOption = False,
) -> None:
    """Try one item again, under the estate as it is now; confirmed effects are not sent again."""
    released = Client(state, actor=actor).command("POST", path("exceptions", id, "retry"))
    _tell_released(released, json=json)


@app.command()
def release(
    cause: Annotated[str, typer.Argument(help="Id of a cause group.")],
    actor: ActorOption = "operator",
    state: StateOption = None,
    db: DbOption = None,
    json: JsonOption = False,
) -> None:
    """Let everything parked on one cause go on."""
    released = Client(state, actor=actor).command("POST", path("causes", cause, "release"))
    _tell_released(released, json=json)


def as_json(item: ExceptionRow) -> dict[str, Any]:
    """An item for programs."""
    return {**msgspec.to_builtins(item), "detail": detail_of(item)}


@app.command()
def settle(
    id: Annotated[str, typer.Argument(help="Id of an exception about a write whose outcome nobody knows.")],
    found: Annotated[str, typer.Option(help="Native id of the record that you found in the system.")] = "",
    not_found: Annotated[bool, typer.Option("--not-found", help="You looked, and it is not there.")] = False,
    actor: ActorOption = "operator",
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Say what a doubtful write came to, and let it go on: what was found is never sent again."""
    if bool(found) == not_found:
        raise BadInput(
            "say either --found NATIVE_ID or --not-found; look in the system first",
            code="settle.native_id",
        )
    body = {"found": bool(found), **({"native_id": found} if found else {})}
    released = Client(state, actor=actor).command("POST", path("exceptions", id, "settle"), body=body)
    _tell_released(released, json=json)


def _tell_released(answer: dict[str, Any], *, json: bool) -> None:
    if json:
        write_json(answer)
        return
    screen, count = Screen(), answer["released"]
    screen.say(f"{screen.mark('released')} {count} {'item goes' if count == 1 else 'items go'} on.")
    screen.say("See how far they come with `accordant exception list` and `accordant tx list`.", style="dim")


def _show_causes(screen: Screen, causes: list[Cause]) -> None:
    if not causes:
        screen.say("Nothing is open: no transaction or message waits for a person.")
        return
    now = SystemClock().now_ms()
    total = sum(cause.count for cause in causes)
    screen.say(f"{total:,} open, {len(causes)} {'cause' if len(causes) == 1 else 'causes'}\n", style="bold")
    for cause in causes:
        amounts = [money_text(amount, currency) for currency, amount in cause.money.items()]
        dot = f" {screen.mark('dot')} "
        screen.say(f"{screen.mark('exception')} {cause.title}", style=style_of(cause.severity))
        facts = [f"{cause.count:,} {'item' if cause.count == 1 else 'items'}", *amounts]
        facts.append(f"oldest {age_text(now - cause.oldest_at_ms)}")
        screen.say("  " + dot.join(one for one in facts if one))
        late = " (overdue)" if cause.earliest_deadline_ms < now else ""
        screen.say(
            f"  {cause.severity} {cause.cause_class}{dot}{cause.code}{dot}"
            f"owner {cause.owner}{dot}due {instant_text(cause.earliest_deadline_ms)}{late}"
        )
        if cause.candidates:
            screen.say(f"  nearest: {listing([repr(one) for one in cause.candidates])}")
        _say_next(screen, cause)
        screen.say("")


def _say_next(screen: Screen, cause: Cause) -> None:
    if cause.table:
        target = cause.candidates[0] if cause.candidates else "TARGET"
        screen.say(f'  accordant reference set {cause.table} "{cause.value}" "{target}"', style="dim")
    elif cause.hint:
        screen.say(f"  {cause.hint}", style="dim")
    screen.say(f"  accordant exception release {cause.cause_group}", style="dim")


def _show_items(screen: Screen, items: list[ExceptionRow]) -> None:
    if not items:
        screen.say("No open item fits; `accordant exception list` shows every cause.")
        return
    now = SystemClock().now_ms()
    rows = [
        [
            cell(item.exception_id if screen.width >= 110 else item.exception_id[:12]),
            cell(item.subject or item.message_id),
            cell(item.code, style_of(item.severity)),
            cell(item.owner),
            cell(money_text(item.amount_minor, item.currency)),
            cell(age_text(now - item.opened_at_ms)),
        ]
        for item in items
    ]
    print_grid(screen, _COLUMNS, rows=rows)


def _show_one(screen: Screen, item: ExceptionRow, *, runbook: str) -> None:
    screen.say(f"{screen.mark('exception')} {item.message}", style=style_of(item.severity))
    screen.say("")
    late = " (overdue)" if item.state == "open" and item.deadline_ms < SystemClock().now_ms() else ""
    candidates: list[object] = detail_of(item).get("candidates") or []
    closed = f" by {item.closed_by}, {instant_text(item.closed_at_ms)}" if item.closed_at_ms else ""
    facts = {
        "exception": item.exception_id,
        "state": item.state + closed,
        "code": f"{item.code} ({item.cause_class}, {item.severity})",
        "owner": item.owner,
        "due": instant_text(item.deadline_ms) + late,
        "at step": item.step,
        "about": item.subject,
        "amount": money_text(item.amount_minor, item.currency),
        "nearest": listing([repr(one) for one in candidates], none=""),
        "transaction": item.transaction_id,
        "message": item.message_id,
        "cause": f"{item.cause_group}  {item.title}",
        "runbook": runbook,
    }
    rows = [[cell(name, "dim"), cell(value)] for name, value in facts.items() if value]
    print_grid(screen, (Column("", is_whole=True), Column("", wraps=True)), rows=rows, header=False)
    if item.hint:
        screen.say(f"\n{item.hint}")
    if item.state == "open":
        screen.say(f"\naccordant exception retry {item.exception_id}", style="dim")
        screen.say(f"accordant exception release {item.cause_group}", style="dim")
