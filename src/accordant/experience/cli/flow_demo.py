"""`accordant demo --flow NAME`: every branch of one flow, played and judged; `--list-flows` names them."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from rich.text import Text

from accordant.backbone.flow import Flow
from accordant.experience.cli.grid import Column, print_grid
from accordant.experience.cli.outcome import BadInput
from accordant.experience.cli.screen import Screen, cell, listing, money_text, write_json
from accordant.launch.plays.collections import CollectionsDay
from accordant.launch.plays.invoice_dispute import DisputeDays
from accordant.launch.plays.invoice_posting import InvoiceDay
from accordant.launch.plays.payment_status import PaymentDay
from accordant.launch.plays.play import Play
from accordant.launch.plays.refund import RefundDay
from accordant.launch.plays.service_credit import CreditDay
from accordant.launch.run import Plan, Run
from accordant.launch.story import Spectator
from accordant.wiring import FLOWS

Json = dict[str, Any]


PLAYS: Mapping[str, type[Play]] = {
    CreditDay.flow: CreditDay,
    InvoiceDay.flow: InvoiceDay,
    PaymentDay.flow: PaymentDay,
    CollectionsDay.flow: CollectionsDay,
    RefundDay.flow: RefundDay,
    DisputeDays.flow: DisputeDays,
}
IN_THE_STORY = ("customer_onboarding", "contract_amendment", "deal_correction")
"""Flows whose branches the seeded company's year goes through; `accordant demo` plays them."""
_SYSTEMS = ("crm", "billing", "books", "support")
"""The order of their columns; others follow as they occur."""


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


def play_of(name: str) -> type[Play]:
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
    loaded = play.plan_of(wanted.state, wanted.seed)
    plan = msgspec.structs.replace(wanted, records=loaded.records, deals_won=loaded.deals_won)
    return play(plan, spectator=spectator)


def show_branches(screen: Screen, result: Json) -> None:
    """Each branch beside what the systems hold; what does not hold is marked in words and in colour."""
    branches: list[Json] = result["branches"]
    systems = _systems(branches)
    screen.say("")
    screen.say(f"{result['flow']}: what the systems hold, and where it is not what must be", style="bold")
    columns = (
        Column("branch", wraps=True),
        Column("subject", is_whole=True, is_optional=True),
        *(Column(name, wraps=True, is_right=_is_money(branches, name)) for name in systems),
        Column("", is_whole=True),
    )
    print_grid(screen, columns, rows=[_row(screen, one, systems=systems) for one in branches])
    screen.say("")
    for one in branches:
        if one["ended"][-1:] != [one["must_end"]][: bool(one["must_end"])]:
            ended, must = one["ended"][-1:] or ["never begun"], one["must_end"] or "never begun"
            screen.say(f"{one['branch']} ({one['subject']}): {ended[0]}; must be {must}", style="bold red")
    screen.say(f"{result['wall_s']:.1f} s of work.")


def _systems(branches: Sequence[Json]) -> list[str]:
    named = list(dict.fromkeys(name for one in branches for name in (*one["must"], *one["found"])))
    return sorted(named, key=lambda name: _SYSTEMS.index(name) if name in _SYSTEMS else len(_SYSTEMS))


def _row(screen: Screen, one: Json, *, systems: Sequence[str]) -> list[Text]:
    verdict = cell(f"{screen.mark('verified')} holds", "green") if one["holds"] else cell("does not hold", "bold red")
    return [cell(one["branch"]), cell(one["subject"]), *(_beside(one, name) for name in systems), verdict]


def _beside(one: Json, system: str) -> Text:
    """What a system holds of a branch; also what it must hold, where that is something else."""
    if system not in one["must"] and system not in one["found"]:
        return cell("")
    must, found = one["must"].get(system), one["found"].get(system)
    if must == found:
        return cell(_text(found))
    if isinstance(must, dict) and isinstance(found, dict):
        must = {name: value for name, value in must.items() if name not in found or found[name] != value} or must  # pyright: ignore[reportUnknownVariableType]
    return cell(f"{_text(found)}\nmust be {_text(must)}", "red")


def _text(value: Any) -> str:
    """A value as people read it: money with its currency, several things in a row."""
    match value:
        case {"amount_minor": int(minor), "currency": str(currency), **rest} if not rest:
            return money_text(minor, currency)
        case dict():
            return ", ".join(f"{name} {_text(one)}" for name, one in value.items()) or "nothing"  # pyright: ignore[reportUnknownVariableType]
        case list():
            return ", ".join(_text(one) for one in value) or "nothing"  # pyright: ignore[reportUnknownVariableType]
        case bool():
            return "yes" if value else "no"
        case None | "":
            return "nothing"
        case _:
            return str(value)


def _is_money(branches: Sequence[Json], system: str) -> bool:
    """Whether a column holds nothing but amounts."""
    held = [value for one in branches for value in _flat(one["found"].get(system))]
    return bool(held) and all(isinstance(one, dict) and "amount_minor" in one for one in held)


def _flat(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value  # pyright: ignore[reportUnknownVariableType]
    return [] if value is None else [value]


def _told(name: str, one: Flow) -> Json:
    return {"flow": name, "on": one.on.type, "owner": one.owner, "story": one.story, "played_by": how_played(name)}


def how_played(name: str) -> str:
    """The command that plays a flow."""
    return f"accordant demo --flow {name}" if name in PLAYS else "accordant demo"
