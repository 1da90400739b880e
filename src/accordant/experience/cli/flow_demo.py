"""`accordant demo --flow NAME`: every branch of one flow, played and judged; `--list-flows` names them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from accordant.backbone.flow import Flow
from accordant.experience.cli.grid import Column, print_grid
from accordant.experience.cli.outcome import BadInput
from accordant.experience.cli.screen import Screen, cell, listing, money_text, write_json
from accordant.launch import service_credits
from accordant.launch.run import Plan, Run
from accordant.launch.story import Spectator
from accordant.wiring import FLOWS

Json = dict[str, Any]


class Play(msgspec.Struct, frozen=True):
    """How the branches of one flow are played."""

    plan: Callable[[Path, int], Plan]
    run: Callable[..., Run]


PLAYS: Mapping[str, Play] = {
    service_credits.FLOW: Play(service_credits.plan_of_credits, service_credits.CreditDay),
}
IN_THE_STORY = ("customer_onboarding", "contract_amendment", "deal_correction")
"""Flows whose branches the seeded company's year goes through; `accordant demo` plays them."""
_COLUMNS = (
    Column("branch", wraps=True),
    Column("case", is_whole=True, is_right=True, is_optional=True),
    Column("must be", is_whole=True, is_right=True),
    Column("billing", is_whole=True, is_right=True),
    Column("books", is_whole=True, is_right=True),
    Column("the case shows", is_whole=True),
    Column("", is_whole=True),
)


def list_flows(*, json: bool) -> None:
    """Every flow that is shipped, what begins it, and how it is played."""
    flows = FLOWS.all()
    if json:
        write_json({"flows": [_told(name, one) for name, one in flows.items()]})
        return
    screen = Screen()
    rows = [
        [cell(name, "bold"), cell(one.story.partition("\n")[0]), cell(how_played(name))] for name, one in flows.items()
    ]
    columns = (Column("flow", is_whole=True), Column("what it does", wraps=True), Column("played by", is_whole=True))
    print_grid(screen, columns, rows=rows)


def play_of(name: str) -> Play:
    """How a flow is played. Raises BadInput for one that has no play of its own."""
    if name in PLAYS:
        return PLAYS[name]
    told = "`accordant demo` without --flow plays it" if name in IN_THE_STORY else "--list-flows names them"
    raise BadInput(
        f"--flow {name!r} has no play of its own; expected {listing(list(PLAYS))}", code="command.bad_choice", hint=told
    )


def run_of(name: str, wanted: Plan, *, spectator: Spectator) -> Run:
    """The play of a flow in the folder and with the seed that were asked for."""
    play = play_of(name)
    loaded = play.plan(wanted.state, wanted.seed)
    plan = msgspec.structs.replace(wanted, records=loaded.records, deals_won=loaded.deals_won)
    return play.run(plan, spectator=spectator)


def show_branches(screen: Screen, result: Json) -> None:
    """Each branch beside what three systems hold; what does not hold is marked in words and in colour."""
    screen.say("")
    screen.say(f"{result['flow']}: what must be, and what the systems hold", style="bold")
    rows = [
        [
            cell(one["branch"]),
            cell(one["case"]),
            cell(_money([one["must_be_minor"]])),
            cell(_money(one["billing_minor"])),
            cell(_money(one["books_minor"])),
            cell(one["case_shows"]),
            cell(f"{screen.mark('verified')} holds", "green") if one["holds"] else cell("does not hold", "bold red"),
        ]
        for one in result["branches"]
    ]
    print_grid(screen, _COLUMNS, rows=rows)
    screen.say("")
    screen.say(f"{result['wall_s']:.1f} s of work.")


def _money(amounts: list[int]) -> str:
    return ", ".join(money_text(one, "USD") for one in amounts if one) or "nothing"


def _told(name: str, one: Flow) -> Json:
    return {"flow": name, "on": one.on.type, "owner": one.owner, "story": one.story, "played_by": how_played(name)}


def how_played(name: str) -> str:
    """The command that plays a flow."""
    return f"accordant demo --flow {name}" if name in PLAYS else "accordant demo"
