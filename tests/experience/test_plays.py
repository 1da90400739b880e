"""The play of each flow ends as it must, by what the systems hold; some have more to look at, in files of their own."""

import json
from pathlib import Path

import pytest

from tests.experience.company import accordant

BRANCHES = {"payment_status": 10, "collections": 6}


@pytest.mark.parametrize("flow", BRANCHES)
def test_every_branch_holds(flow: str, tmp_path: Path) -> None:
    ended = accordant("demo", "--flow", flow, "--report", "report.json", cwd=tmp_path, env={"NO_COLOR": "1"})
    assert ended.returncode == 0, ended.stderr + ended.stdout
    branches = json.loads((tmp_path / "report.json").read_text())["branches"]
    assert len(branches) == BRANCHES[flow]
    assert [one["branch"] for one in branches if not one["holds"]] == []
