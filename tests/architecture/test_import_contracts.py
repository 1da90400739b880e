"""Every import contract is kept by the real tree and broken, by name, by a planted crime."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
CONTRACTS: dict[str, str] = {
    contract["id"]: contract["name"]
    for contract in tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
}
VERDICT = re.compile(r"^(?P<name>.+) (?P<verdict>KEPT|BROKEN)\b", re.MULTILINE)


@dataclass(frozen=True)
class Crime:
    """Files to add below src/accordant, the contract they must break, and what its report must then point at."""

    contract: str
    what: str
    files: dict[str, str]
    culprit: str = "planted"


def upward(importer: str, imported: str) -> Crime:
    """A lower layer imports one above it."""
    files = {f"{importer}/planted.py": f"import accordant.{imported}\n"}
    return Crime("layers", f"{importer} imports {imported}", files)


CRIMES = [
    upward("kernel", "canonical"),
    upward("canonical", "security"),
    upward("security", "telemetry"),
    upward("telemetry", "governance"),
    upward("governance", "backbone"),
    upward("backbone", "masterdata"),
    upward("masterdata", "connector"),
    upward("connector", "systems"),
    upward("connector", "process"),
    upward("connector", "operations"),
    upward("systems", "wiring"),
    upward("process", "wiring"),
    upward("operations", "wiring"),
    upward("operations", "process"),
    upward("process", "systems"),
    upward("systems", "operations"),
    Crime("layers", "wiring imports experience", {"wiring.py": "import accordant.experience\n"}, "accordant.wiring ->"),
    Crime("layers", "a top folder stands on no line", {"elsewhere/__init__.py": ""}, "accordant.elsewhere"),
    Crime(
        "vendors",
        "one vendor imports another",
        {
            "systems/planted_one/__init__.py": "",
            "systems/planted_one/client.py": "import accordant.systems.planted_two.mapping\n",
            "systems/planted_two/__init__.py": "",
            "systems/planted_two/mapping.py": "",
        },
    ),
    Crime(
        "wiring",
        "a door names a vendor",
        {
            "systems/planted_one/__init__.py": "",
            "experience/planted.py": "import accordant.systems.planted_one\n",
        },
    ),
    Crime(
        "wiring",
        "a door reaches inside a vendor",
        {
            "systems/planted_one/__init__.py": "",
            "systems/planted_one/sandbox.py": "",
            "experience/planted.py": "from accordant.systems.planted_one import sandbox\n",
        },
    ),
    *[
        Crime("flows", f"a flow imports {library}", {"process/planted.py": f"import {library}\n"})
        for library in ("aiohttp", "sqlalchemy", "psycopg", "sqlite3", "litestar", "uvicorn", "accordant.connector")
    ],
    *[
        Crime("canonical", f"the canonical model imports {library}", {"canonical/planted.py": f"import {library}\n"})
        for library in ("aiohttp", "sqlalchemy", "psycopg", "sqlite3", "litestar", "uvicorn")
    ],
    Crime(
        "canonical",
        "the canonical model reaches SQL through the kernel",
        {
            "canonical/planted.py": "import accordant.kernel.planted\n",
            "kernel/planted.py": "import sqlalchemy\n",
        },
    ),
    Crime(
        "acyclic",
        "two neighbours import each other",
        {
            "kernel/planted_one.py": "import accordant.kernel.planted_two\n",
            "kernel/planted_two.py": "import accordant.kernel.planted_one\n",
        },
    ),
]


def lint(tree: Path, *contracts: str) -> tuple[int, dict[str, str], str]:
    """Judge a copy of the tree: exit code, verdict by contract name, and the whole report."""
    chosen = [argument for contract in contracts for argument in ("--contract", contract)]
    run = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo", *chosen],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree / "src"), "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    report = run.stdout + run.stderr
    return run.returncode, {found["name"].strip(): found["verdict"] for found in VERDICT.finditer(report)}, report


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[dict[str, str]], Path]:
    """A copy of the sources with extra files in it."""

    def copy(files: dict[str, str]) -> Path:
        shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
        source = tmp_path / "src"
        shutil.copytree(REPOSITORY / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
        for path, text in files.items():
            planted = source / "accordant" / path
            planted.parent.mkdir(parents=True, exist_ok=True)
            with planted.open("a") as file:
                file.write(text)
        return tmp_path

    return copy


def test_the_tree_keeps_every_contract(copied: Callable[[dict[str, str]], Path]) -> None:
    exit_code, verdicts, report = lint(copied({}))
    assert verdicts == dict.fromkeys(CONTRACTS.values(), "KEPT"), report
    assert exit_code == 0, report


@pytest.mark.parametrize("crime", CRIMES, ids=lambda crime: crime.what.replace(" ", "-"))
def test_a_planted_crime_breaks_the_contract_of_its_name(
    crime: Crime, copied: Callable[[dict[str, str]], Path]
) -> None:
    exit_code, verdicts, report = lint(copied(crime.files), crime.contract)
    assert verdicts == {CONTRACTS[crime.contract]: "BROKEN"}, report
    assert crime.culprit in report, report
    assert exit_code != 0, report


def test_no_contract_is_without_a_planted_crime() -> None:
    assert {crime.contract for crime in CRIMES} == set(CONTRACTS)
