"""`accordant replay`: process what was kept once more; shows first what would happen."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from accordant.experience.cli.client import Client, path
from accordant.experience.cli.grid import Column, print_grid
from accordant.experience.cli.options import ActorOption, DbOption, JsonOption, StateOption
from accordant.experience.cli.outcome import NOT_FOUND, BadInput
from accordant.experience.cli.reading import records
from accordant.experience.cli.screen import Screen, cell, write_json
from accordant.kernel.dates import read_instant_ms
from accordant.kernel.errors import Malformed, Refused
from accordant.operations.replay import Planned, Selection, preview

_SHOWN_MAX = 40
_BEGIN_OF_DAY = "T00:00:00Z"

app = typer.Typer(add_completion=False)


@app.command()
def replay(
    ids: Annotated[list[str] | None, typer.Argument(help="Messages (msg-…) and transactions (tx-…).")] = None,
    quarantined: Annotated[bool, typer.Option("--quarantined", help="Messages that could not be understood.")] = False,
    connection: Annotated[str, typer.Option(help="Messages of this connection.")] = "",
    since: Annotated[str, typer.Option(help="Received from then on: 2026-11-21 or 2026-11-21T12:00:00Z.")] = "",
    until: Annotated[str, typer.Option(help="Received before then.")] = "",
    all_: Annotated[bool, typer.Option("--all", help="In every state, not only quarantined; needs a filter.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
    only_preview: Annotated[bool, typer.Option("--preview", help="Only show what would happen.")] = False,
    actor: ActorOption = "operator",
    state: StateOption = None,
    db: DbOption = None,
    json: JsonOption = False,
) -> None:
    """Process kept messages or transactions once more. Shows first what would happen; nothing is written twice.

    A message is offered to its mapping again; a transaction is driven again from its memo and sends nothing anew.
    """
    selection = Selection(
        ids=tuple(ids or ()),
        since_ms=_instant(since, "--since"),
        until_ms=_instant(until, "--until"),
        connection=connection,
        quarantined=quarantined,
        all=all_,
    )
    planned = _planned(selection, state=state, db=db)
    doing = [one for one in planned if one.will]
    if not json:
        _show(Screen(), planned)
    if doing and not only_preview and (yes or _agreed(len(doing), json=json)):
        answer = Client(state, actor=actor).command("POST", path("replay"), body=msgspec.to_builtins(selection))
        done = msgspec.convert(answer["items"], list[Planned])
        _tell_done(done, json=json)
    elif json:
        write_json({"preview": True, "items": planned})
    elif doing:
        Screen().say("\nNothing was changed; add --yes to do it.", style="dim")
    if any(one.kind == "unknown" for one in planned):
        raise typer.Exit(NOT_FOUND)


def _planned(selection: Selection, *, state: Path | None, db: str | None) -> list[Planned]:
    with records(state, db) as stored:
        try:
            return stored.read(lambda connection: preview(connection, selection, tenant=stored.tenant))
        except Refused as refused:
            raise BadInput(refused.message, code=refused.code, hint=refused.hint) from refused


def _instant(text: str, option: str) -> int | None:
    if not text:
        return None
    try:
        return read_instant_ms(text if "T" in text else text + _BEGIN_OF_DAY)
    except Malformed as wrong:
        raise BadInput(
            f"{option} {text[:40]!r} is no instant; expected 2026-11-21 or 2026-11-21T12:00:00Z",
            code="replay.instant",
            hint=wrong.hint,
        ) from wrong


def _agreed(count: int, *, json: bool) -> bool:
    if json or not sys.stdin.isatty():
        return False
    return typer.confirm(f"\nReplay {count}?", default=False)


def _show(screen: Screen, planned: Sequence[Planned]) -> None:
    if not planned:
        screen.say("No kept message fits: nothing to replay.")
        return
    rows = [
        [cell(text, "" if one.will else "dim") for text in (_short(screen, one), one.state, one.about, one.what)]
        for one in planned[:_SHOWN_MAX]
    ]
    columns = (Column("id", is_whole=True), Column("stands"), Column("about", is_optional=True))
    print_grid(screen, (*columns, Column("would be", wraps=True)), rows=rows)
    if len(planned) > _SHOWN_MAX:
        counts = Counter(one.what for one in planned)
        screen.say(f"… and {len(planned) - _SHOWN_MAX:,} more; in all:")
        for what, count in counts.most_common():
            screen.say(f"  {count:,} {what}")


def _short(screen: Screen, one: Planned) -> str:
    return one.id if screen.width >= 110 or one.kind == "unknown" else one.id[:12]


def _tell_done(done: Sequence[Planned], *, json: bool) -> None:
    if json:
        write_json({"preview": False, "items": done})
        return
    screen, count = Screen(), sum(one.will for one in done)
    screen.say(
        f"\n{screen.mark('replayed')} {count:,} replayed; see `accordant exception list` for what stopped again."
    )
