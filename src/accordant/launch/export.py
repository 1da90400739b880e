"""A CRM export as a plan to play: its records, its catalogue, and how many of its deals are won."""

from pathlib import Path
from typing import Any

from accordant.kernel.errors import Misconfigured
from accordant.launch import state as states
from accordant.launch.run import Plan
from accordant.sandboxes import READ_EXPORT

_WON = frozenset({"Won", "Closed Won"})


def plan_of_export(directory: Path, state: Path, *, limits: str = "off") -> Plan:
    """Read the export and lay out the state folder with its catalogue.

    Raises:
        Misconfigured: no such folder, or a file or column is missing.
        Malformed: an id stands twice, or a file is not UTF-8.
    """
    if not directory.is_dir():
        raise Misconfigured(
            f"{directory} is no folder; expected one with accounts.csv, products.csv and sales_pipeline.csv",
            code="export.no_folder",
        )
    records: dict[str, list[dict[str, Any]]] = READ_EXPORT["salesforce"](directory)
    products = tuple(
        {"name": str(one["Name"]), "list_price": str(one["List_Price__c"])}
        for one in records["Product2"]
        if one.get("Name") and one.get("List_Price__c")
    )
    states.prepare(state, products=products, limits=limits)
    won = sum(1 for deal in records["Opportunity"] if deal.get("StageName") in _WON)
    return Plan(state=state, records=records, products=products, deals_won=won)
