"""`accordant demo`: watch business run through the platform, on a company of our own making or on your CRM export."""

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from accordant.experience.launch import state as states
from accordant.experience.launch.run import Plan, Run, parse_fix
from accordant.wiring import READ_EXPORT


def demo(
    crm_export: Annotated[Path | None, typer.Option(help="folder with accounts, sales_pipeline, products CSV")] = None,
    fix: Annotated[list[str] | None, typer.Option(help="TABLE:VALUE=TARGET, applied after the first pass")] = None,
    faults: Annotated[str, typer.Option(help="none or month-end")] = "none",
    limits: Annotated[str, typer.Option(help="off, or real: the vendors' documented limits")] = "off",
    kills: Annotated[int, typer.Option(help="how often the platform is killed in mid-flight")] = 0,
    db: Annotated[str | None, typer.Option(help="database URL; default: SQLite in the state folder")] = None,
    seed: Annotated[int, typer.Option(help="seed of everything random")] = 0,
    state: Annotated[Path | None, typer.Option(help="state folder to keep; default: a temporary one")] = None,
    report: Annotated[Path | None, typer.Option(help="write the figures here as JSON")] = None,
) -> None:
    """Play business through four systems and show what every one of them holds in the end."""
    folder = state or Path(tempfile.mkdtemp(prefix="accordant-demo-"))
    try:
        assert crm_export is not None
        plan = _export_plan(crm_export, folder, fixes=fix or [])
        plan = msgspec.structs.replace(
            plan, faults=faults, limits=limits, kills=kills, database_url=db, seed=seed
        )
        result = asyncio.run(Run(plan, watch=lambda phase, p: print(phase, p)).play())
        if report:
            report.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2))
        print(msgspec.json.format(msgspec.json.encode(result), indent=1).decode())
    finally:
        if state is None:
            shutil.rmtree(folder, ignore_errors=True)


def _export_plan(directory: Path, folder: Path, *, fixes: list[str]) -> Plan:
    records: dict[str, list[dict[str, Any]]] = READ_EXPORT["salesforce"](directory)
    products = tuple(
        {"name": str(one["Name"]), "list_price": str(one["List_Price__c"])} for one in records["Product2"]
    )
    states.prepare(folder, products=products)
    won = sum(1 for deal in records["Opportunity"] if deal.get("StageName") in {"Won", "Closed Won"})
    return Plan(
        state=folder,
        records=records,
        products=products,
        fixes=tuple(parse_fix(one) for one in fixes),
        deals_won=won,
    )
