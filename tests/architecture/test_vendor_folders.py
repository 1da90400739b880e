"""Every vendor is filled in like a form: the same five parts, a README, recorded answers, and nothing beside them."""

from pathlib import Path

import pytest

SYSTEMS = Path(__file__).resolve().parents[2] / "src" / "accordant" / "systems"
PARTS = {"__init__", "webhooks", "mapping", "client", "sandbox"}
BESIDE = {"README.md", "fixtures", "__pycache__"}


def deviations(vendor: Path) -> set[str]:
    """What a vendor's folder lacks and what stands in it too many; a part is a file or a folder of its name."""
    found = {entry.name for entry in vendor.iterdir()} - BESIDE
    parts = {
        name.removesuffix(".py") for name in found if name.endswith(".py") or (vendor / name / "__init__.py").exists()
    }
    return {f"{part} is missing" for part in PARTS - parts} | {
        f"{name} is not one of the five parts" for name in found if name.removesuffix(".py") not in PARTS
    }


def fill(vendor: Path, *files: str) -> Path:
    for file in files:
        path = vendor / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return vendor


def test_every_vendor_has_the_same_five_parts() -> None:
    vendors = [folder for folder in SYSTEMS.iterdir() if folder.is_dir() and folder.name != "__pycache__"]
    wrong = {vendor.name: deviations(vendor) for vendor in vendors if deviations(vendor)}
    assert not wrong


FIVE = (
    "__init__.py",
    "webhooks.py",
    "mapping.py",
    "client.py",
    "sandbox/__init__.py",
    "README.md",
    "fixtures/one.json",
)


def test_five_parts_pass(tmp_path: Path) -> None:
    assert deviations(fill(tmp_path, *FIVE)) == set()


@pytest.mark.parametrize("missing", FIVE[:5])
def test_a_missing_part_is_reported(missing: str, tmp_path: Path) -> None:
    part = missing.removesuffix(".py").removesuffix("/__init__")
    assert deviations(fill(tmp_path, *[file for file in FIVE if file != missing])) == {f"{part} is missing"}


@pytest.mark.parametrize("extra", ["soql.py", "retry/__init__.py"])
def test_a_sixth_part_is_reported(extra: str, tmp_path: Path) -> None:
    assert deviations(fill(tmp_path, *FIVE, extra)) == {f"{Path(extra).parts[0]} is not one of the five parts"}
