"""Runs `accordant` as people do, and one company small enough to be read at a glance."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RECOUNT = ROOT / "tools" / "recount.py"
ACCOUNT = {"Id": "001Kx0000000001IAA", "Name": "Lone Star", "BillingCountry": "United States", "CurrencyIsoCode": "USD"}


def accordant(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None, timeout_s: float = 120
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "accordant.experience.cli.main", *arguments]
    environment = {**os.environ, **(env or {})}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False
    )


def recount(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(RECOUNT), *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def deal(number: str, **fields: Any) -> dict[str, Any]:
    return {
        "Id": f"006Kx00000{number:0>5}IAA",
        "Name": number,
        "Opportunity_Number__c": number,
        "StageName": "Closed Won",
        "Amount": "600.00",
        "CurrencyIsoCode": "USD",
        "CloseDate": "2026-03-02",
        "AccountId": ACCOUNT["Id"],
        "Account_Name__c": ACCOUNT["Name"],
        "Product__c": "Ledger Start",
        **fields,
    }


def export(folder: Path, deals: list[str], accounts: list[str] | None = None) -> Path:
    """A CRM export with these rows below the usual headers."""
    folder.mkdir()
    header = "account,sector,year_established,revenue,employees,office_location,subsidiary_of"
    own = accounts or ["Alpha,tech,1990,10,5,United States,", "Beta,tech,1990,10,5,Germany,Alpha"]
    (folder / "accounts.csv").write_text("\n".join([header, *own]) + "\n")
    (folder / "products.csv").write_text("product,series,sales_price\nWidget,W,550\nGadget,G,4800\n")
    (folder / "sales_teams.csv").write_text("sales_agent,manager,regional_office\nKim,Lee,West\n")
    columns = "opportunity_id,sales_agent,product,account,deal_stage,engage_date,close_date,close_value"
    (folder / "sales_pipeline.csv").write_text("\n".join([columns, *deals]) + "\n")
    return folder
