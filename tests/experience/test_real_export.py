"""A real CRM export, played as a whole: 8,800 opportunities, one misspelt product, recounted from the ledgers."""

import json
import os
from pathlib import Path

import pytest

from tests.experience.company import accordant, recount

DATA = os.environ.get("ACCORDANT_DATA", "")
FIX = "product:GTXPro=GTX Pro"


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.skipif(not DATA, reason="ACCORDANT_DATA does not name a folder with crm-sales-opportunities")
def test_the_real_export_is_carried_out_to_the_cent(tmp_path: Path) -> None:
    export = Path(DATA) / "crm-sales-opportunities"
    played = accordant(
        *("demo", "--crm-export", str(export), "--fix", FIX, "--state", "s", "--report", "r.json"),
        cwd=tmp_path,
        timeout_s=380,
    )
    assert played.returncode == 0, played.stderr
    report = json.loads((tmp_path / "r.json").read_text())
    first, final = report["first_pass"], report["final"]
    assert first["transactions"] == {"completed": 3509, "exception": 729}
    assert first["completed_minor"] == {"USD": 649_495_600}
    (cause,) = first["exceptions"]
    assert (cause["count"], cause["amount_minor"], cause["candidates"][0]) == (729, 351_057_800, "GTX Pro")
    assert cause["owner"] == "product operations"
    assert final["transactions"] == {"completed": 4238}
    assert final["exceptions"] == []
    systems = final["systems"]
    assert [(one["customers"], one["parents"]) for one in systems.values()] == [(85, 15)] * 4
    assert (systems["billing"]["subscriptions"], systems["erp"]["orders"]) == (4238, 4238)
    assert systems["support"]["entitlements"] == 85
    assert systems["billing"]["total_minor"] == systems["erp"]["total_minor"] == 1_000_553_400
    for promise in ("duplicate_effects", "lost_events", "partial_without_exception", "stale_overwrites"):
        assert first[promise] == final[promise] == 0, promise
    arguments = ("--export", str(export), "--fixed", FIX, "--report", str(tmp_path / "r.json"))
    checked = recount("--ledgers", f"{tmp_path}/s/ledger", *arguments)
    assert checked.returncode == 0, checked.stdout
