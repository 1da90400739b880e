"""`accordant demo`: watch business run through the platform: a company of our own making, or what you exported."""

import asyncio
import shlex
import signal
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from accordant.experience.cli import flow_demo, retail_demo
from accordant.experience.cli.options import DbOption, JsonOption
from accordant.experience.cli.outcome import WRONG, BadInput
from accordant.experience.cli.screen import Screen, write_json
from accordant.experience.cli.summary import show_next, show_open, show_pass
from accordant.experience.cli.watching import Watching
from accordant.kernel.database import Database
from accordant.kernel.settings import default_state, settings_for
from accordant.launch import folder
from accordant.launch.export import plan_of_export
from accordant.launch.run import Plan, Run, parse_fix
from accordant.launch.story import Story, example_of, plan_of_company

Json = dict[str, Any]
_EXPORT_ONLY = "it needs --crm-export; without it a seeded company is played"
_EXPORT_SAYS = (
    "The export has no currency column: every amount is taken as US dollars (USD). Dates are read as month/day/year."
)

app = typer.Typer(add_completion=False)


@app.command("demo")
def demo(
    flow: Annotated[str, typer.Option(help="Play every branch of one flow; --list-flows names them.")] = "",
    list_flows: Annotated[bool, typer.Option("--list-flows", help="Name the flows, and stop.")] = False,
    crm_export: Annotated[Path | None, typer.Option(help="Folder with accounts, products, sales_pipeline CSV.")] = None,
    invoices: Annotated[Path | None, typer.Option(help="A retailer's sales lines (CSV), invoiced and posted.")] = None,
    fix: Annotated[list[str] | None, typer.Option(help="TABLE:VALUE=TARGET, applied after the first pass.")] = None,
    faults: Annotated[str, typer.Option(help="none, or month-end: the worst regular day.")] = "none",
    limits: Annotated[str, typer.Option(help="off, or real: the vendors' documented limits.")] = "off",
    kills: Annotated[int, typer.Option(help="How often the platform is killed in mid-flight.", min=0)] = 0,
    db: DbOption = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    state: Annotated[
        Path | None, typer.Option(help="State folder; else .accordant/demo or .accordant/export, made anew each time.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write the figures here as JSON.")] = None,
    json: JsonOption = False,
) -> None:
    """Play business through four systems and show what every one of them holds in the end."""
    if list_flows:
        flow_demo.list_flows(json=json)
        return
    _require_sense({"faults": faults, "limits": limits}, report=report)
    _refuse_options(flow, crm_export, {"--fix": fix, "--faults": faults != "none", "--kills": kills})
    _refuse_both(invoices, {"--flow": flow, "--crm-export": crm_export})
    where = state or default_state() / (flow or ("export" if crm_export else "retail" if invoices else "demo"))
    chosen: Json = {"faults": faults, "kills": kills, "limits": limits, "seed": seed, "database_url": db}
    wanted = Plan(state=where, records={}, fixes=tuple(map(parse_fix, fix or ())), **chosen)
    _make_room(where, settings_for(where, database_url=db).database_url, ours=state is None)
    with Watching(silent=json) as watching:
        run = _run_asked(wanted, watching, flow=flow, crm_export=crm_export, invoices=invoices)
        result = asyncio.run(_played(run))
    if report:
        report.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2))
    if json:
        write_json(result)
    elif invoices:
        retail_demo.show(Screen(), result, where=where, file=invoices)
    else:
        _show(Screen(), result, commands=_commands(where, db, recounted=_recounted(crm_export, fix)))
    if not result.get("holds", True):
        raise typer.Exit(WRONG)


def _require_sense(choices: dict[str, str], *, report: Path | None) -> None:
    """Raises BadInput for a word that is no choice, before anything is started."""
    known = {"faults": ("none", "month-end"), "limits": ("off", "real")}
    for name, word in choices.items():
        if word not in known[name]:
            raise BadInput(
                f"--{name} {word!r} is no choice; expected {' or '.join(known[name])}", code="command.bad_choice"
            )
    if report is not None and not report.absolute().parent.is_dir():
        raise BadInput(f"--report {report}: the folder {report.parent} does not exist", code="command.no_folder")


def _refuse_options(flow: str, crm_export: Path | None, given: dict[str, object], /) -> None:
    """Raises BadInput for a flow that has no play, and for options that only another play takes."""
    if flow:
        flow_demo.play_of(flow)
    asked = [name for name, value in {"--crm-export": crm_export, **given}.items() if value]
    if asked and flow:
        raise BadInput(f"{asked[0]} makes no sense with --flow: its branches are fixed", code="command.flow_alone")
    if asked and crm_export is None:
        raise BadInput(f"{asked[0]} makes no sense here: {_EXPORT_ONLY}", code="command.export_only")


def _refuse_both(invoices: Path | None, others: dict[str, object]) -> None:
    """Raises BadInput where two plays are asked for."""
    other = next((name for name, value in others.items() if value), "")
    if invoices and other:
        raise BadInput(f"--invoices makes no sense with {other}: play one of them", code="command.flow_alone")


def _make_room(where: Path, database_url: str, *, ours: bool) -> None:
    """A folder of our own choosing is made anew; one that the user named must not hold a run."""
    if ours:
        folder.require_free(database_url)
        folder.clear(where)
    folder.require_new(where, database_url, hint="name a new folder with --state, or leave --state away")


def _recounted(crm_export: Path | None, fix: list[str] | None) -> str:
    exported = f"--export {shlex.quote(str(crm_export))}" if crm_export else ""
    return exported + "".join(f" --fixed {shlex.quote(one)}" for one in fix or ())


def _run_asked(wanted: Plan, watching: Watching, *, flow: str, crm_export: Path | None, invoices: Path | None) -> Run:
    """The play that the options name."""
    if invoices:
        return retail_demo.run_of(invoices, wanted, watching)
    return flow_demo.run_of(flow, wanted, spectator=watching) if flow else _run_of(wanted, crm_export, watching)


def _run_of(wanted: Plan, crm_export: Path | None, watching: Watching, /) -> Run:
    """The wishes of the options, with what is to be loaded."""
    made = None
    if crm_export is None:
        loaded, made = plan_of_company(wanted.state, wanted.seed)
    else:
        watching.note(_EXPORT_SAYS)
        loaded = plan_of_export(crm_export, wanted.state, limits=wanted.limits)
    plan = msgspec.structs.replace(wanted, records=loaded.records, products=loaded.products, deals_won=loaded.deals_won)
    if made is not None:
        return Story(plan, made, spectator=watching)
    return Run(plan, watch=lambda phase, now: watching.look(phase, now, goal=plan.deals_won))


async def _played(run: Run) -> Json:
    """Play; SIGTERM stops everything that was started, as Ctrl-C does."""
    task = asyncio.ensure_future(run.play())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return await task
    except asyncio.CancelledError as stopped:
        raise typer.Exit(128 + signal.SIGTERM) from stopped


def _show(screen: Screen, result: Json, *, commands: list[tuple[str, str]]) -> None:
    if "branches" in result:
        flow_demo.show_branches(screen, result)
        show_next(screen, commands[:3])
        return
    final = result.get("final")
    show_pass(screen, "After the first pass" if final else "What every system holds", one=result["first_pass"])
    show_open(screen, result["first_pass"]["exceptions"])
    if final:
        show_pass(screen, "After mending", one=final)
        show_open(screen, final["exceptions"])
    faults = ", ".join(f"{n:,} {kind.replace('_', ' ')}" for kind, n in sorted(result["faults_injected"].items()))
    kills = f", {result['kills']} kills of the platform" if result["kills"] else ""
    screen.say("")
    screen.say(f"{result['wall_s']:.1f} s of work. Disturbances on the way: {faults or 'none'}{kills}.")
    show_next(screen, commands)


def _commands(where: Path, db: str | None, *, recounted: str) -> list[tuple[str, str]]:
    """Commands that can be typed as they stand."""
    options = f"--state {shlex.quote(str(where))}" + (f" --db {shlex.quote(db)}" if db else "")
    database = Database(settings_for(where, database_url=db).database_url, readers=1)
    try:
        transaction, item = database.read_now(example_of)
    finally:
        database.close()
    found = [
        (f"accordant tx show {transaction} {options}", "one deal's way through the four systems"),
        (f"accordant tx prove {transaction} {options}", "proof: what was sent, what came back, what was read"),
        (f"accordant exception list {options}", "what is open, and who is asked"),
    ]
    if item:
        found.append((f"accordant exception show {item} {options}", "one open item, and what can be done"))
    ledgers = f"python tools/recount.py --ledgers {shlex.quote(str(where / 'ledger'))} {recounted}".rstrip()
    found.append((ledgers, "the systems' own ledgers, recounted without the product"))
    return [*found, ("accordant up", "the seeded company, running, so that you can mend things yourself")]
