"""Whatever happens on the way, the systems end alike: disturbed, killed and restarted, on both databases."""

import json
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests import databases
from tests.experience.company import accordant, export, recount

ACCOUNTS, DEALS_EACH = 44, 5
FIX = "product:Gadgett=Gadget"


def _export(folder: Path) -> Path:
    """44 accounts, every fourth a subsidiary of the one before, five deals each; one deal in ten is misspelt."""
    rng = random.Random(7)
    countries = ("United States", "Germany", "Japan", "Korea")
    accounts = [
        f"Company {n:02},tech,1990,10,5,{countries[n % 4]},{f'Company {n - 1:02}' if n % 4 == 3 else ''}"
        for n in range(ACCOUNTS)
    ]
    deals = [
        f"D{n:02}{k},Kim,{'Gadgett' if (n + k) % 10 == 0 else rng.choice(['Widget', 'Gadget'])},Company {n:02},Won,"
        f"1/{k + 1}/2017,{k + 3}/1{k}/2017,{rng.randrange(50, 9000)}"
        for n in range(ACCOUNTS)
        for k in range(DEALS_EACH)
    ]
    rng.shuffle(deals)
    return export(folder, deals, accounts)


def _play(cwd: Path, name: str, *options: str) -> dict[str, Any]:
    arguments = ("demo", "--crm-export", str(cwd / "export"), "--fix", FIX, "--state", name)
    played = accordant(*arguments, "--report", f"{name}.json", *options, cwd=cwd, timeout_s=240)
    assert played.returncode == 0, played.stdout[-2000:] + played.stderr[-2000:]
    return json.loads((cwd / f"{name}.json").read_text())


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_kills_and_faults_leave_the_same_four_systems_on_both_databases(tmp_path: Path, postgresql: str) -> None:
    _export(tmp_path / "export")
    databases.execute(postgresql, "CREATE DATABASE same_end")
    rough = ("--faults", "month-end", "--kills", "3", "--seed", "11")
    with ThreadPoolExecutor() as side_by_side:
        first = side_by_side.submit(_play, tmp_path, "rough", *rough)
        address = databases.named(postgresql, "same_end")
        second = side_by_side.submit(_play, tmp_path, "rougher", *rough, "--db", address)
        on_sqlite, on_postgresql = first.result(), second.result()
    calm = _play(tmp_path, "calm")
    for phase in ("first_pass", "final"):
        ends = [run[phase]["state_sha256"] for run in (calm, on_sqlite, on_postgresql)]
        assert len(set(ends)) == 1, f"{phase}: {ends}"
    for run in (calm, on_sqlite, on_postgresql):
        assert run["final"]["transactions"] == {"completed": ACCOUNTS * DEALS_EACH}
        for promise in ("duplicate_effects", "lost_events", "partial_without_exception", "stale_overwrites"):
            assert run["final"][promise] == 0, promise
    assert on_sqlite["kills"] == on_postgresql["kills"] == 3
    assert on_sqlite["effects_redriven"] > 0
    assert on_postgresql["effects_redriven"] > 0
    for kind in ("rate_limited", "error_after_apply", "timeout_after_apply", "webhook_duplicate", "down"):
        assert on_sqlite["faults_injected"][kind] > 0, kind
    checked = recount(
        *("--ledgers", f"{tmp_path}/rough/ledger", "--export", f"{tmp_path}/export", "--fixed", FIX),
        *("--report", f"{tmp_path}/rough.json"),
    )
    assert checked.returncode == 0, checked.stdout
