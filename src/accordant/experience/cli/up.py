"""`accordant up`: start the sandboxes and the platform in one go, and stay up until told to stop."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from accordant.experience.cli.options import DbOption, StateOption
from accordant.experience.cli.outcome import BadInput
from accordant.experience.cli.screen import Screen
from accordant.kernel.database import Database
from accordant.kernel.database.connection import durability, weakness
from accordant.kernel.settings import Settings, default_state, settings_for
from accordant.launch import folder
from accordant.launch.export import plan_of_export
from accordant.launch.run import Plan
from accordant.launch.standing import Standing
from accordant.launch.story import plan_of_company

Records = dict[str, list[dict[str, Any]]]
_FRESH = "start again from nothing with `accordant up --fresh`, or name another folder with --state"

app = typer.Typer(add_completion=False)


@app.command("up")
def up(
    crm_export: Annotated[Path | None, typer.Option(help="Load this CRM export; else the seeded company.")] = None,
    state: StateOption = None,
    db: DbOption = None,
    port: Annotated[int, typer.Option(help="Port of the platform; 0 picks a free one.", min=0, max=65535)] = 8080,
    limits: Annotated[str, typer.Option(help="off, or real: the vendors' documented limits.")] = "off",
    seed: Annotated[int, typer.Option(help="Seed of the company and of everything random.")] = 0,
    fresh: Annotated[bool, typer.Option("--fresh", help="Remove what the state folder holds, and start anew.")] = False,
    sandboxes: Annotated[bool, typer.Option(help="--no-sandboxes: the connections name real systems.")] = True,
) -> None:
    """Start everything and stay up. Ctrl-C or SIGTERM stops it cleanly; the exit code is then 0."""
    if limits not in {"off", "real"}:
        raise BadInput(f"--limits {limits!r} is no choice; expected off or real", code="command.bad_choice")
    where = state or default_state()
    settings = settings_for(where, database_url=db)
    folder.require_free(settings.database_url)
    plan: Plan | None = None
    later: Records = {}
    if sandboxes:
        if fresh:
            folder.clear(where)
        folder.require_new(where, settings.database_url, hint=_FRESH)
        plan, later = _what_to_load(where, crm_export, seed=seed)
        plan = msgspec.structs.replace(plan, limits=limits, seed=seed)
    standing = Standing(where, database_url=db, port=port, plan=plan)
    standing.later = later
    asyncio.run(_stay(standing, settings))


def _what_to_load(where: Path, crm_export: Path | None, *, seed: int) -> tuple[Plan, Records]:
    if crm_export is not None:
        return plan_of_export(crm_export, where), {}
    plan, made = plan_of_company(where, seed)
    return plan, made.later


async def _stay(standing: Standing, settings: Settings) -> None:
    """Start, say where everything is, and wait."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    screen = Screen()
    screen.say("Starting ...")
    try:
        await standing.start()
        _say_where(screen, standing, settings=settings)
        await standing.until(stop)
        screen.say("Stopping: what is in hand is finished first ...")
    finally:
        await asyncio.to_thread(standing.stop)
    screen.say("Stopped.")


def _say_where(screen: Screen, standing: Standing, *, settings: Settings) -> None:
    state, url = standing.state, standing.platform.url
    screen.say("")
    screen.say(f"platform    {url}", style="bold")
    for one in standing.addresses():
        screen.say(f"{one[0]:<11} {one[1]}  ({one[2]} sandbox)")
    screen.say("")
    screen.say(f"State       {state}: estate, secrets, ledgers of the sandboxes, logs")
    screen.say(f"Durability  {_durability(settings)}")
    if standing.plan is not None:
        what = _loaded(standing.plan.records, standing.later)
        screen.say(f"Loaded      {what}, {standing.plan.deals_won:,} of the deals won")
        screen.say("Sandboxes keep nothing when they stop: the next start on this folder needs --fresh.")
    screen.say("")
    screen.say("Try in a second terminal:", style="bold")
    for command in ("tx list", "exception list", "reference list", "doctor"):
        screen.console.print(f"  accordant {command} --state {state}", soft_wrap=True)
    screen.say("Stop with Ctrl-C.")


def _durability(settings: Settings) -> str:
    database = Database(settings.database_url, readers=1)
    try:
        return weakness(database) or durability(database)
    finally:
        database.close()


def _loaded(records: Records, later: Records) -> str:
    deals = len(records["Opportunity"]) + len(later.get("Opportunity", ()))
    return f"{len(records['Account']):,} accounts, {deals:,} opportunities"
