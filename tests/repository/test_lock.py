"""The lock pins every package by hash and knows no place to fetch it from."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parents[2]
LOCK = (REPOSITORY / "requirements.lock").read_text()
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
DECLARED = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]
# One entry: a pinned name at the start of a line, and the hashes up to the next one.
ENTRIES = re.findall(r"^(?P<pin>\S[^\\\n]*?) *\\\n(?P<rest>(?:[ #].*\n?)+)", LOCK, re.MULTILINE)
PINNED = {canonicalize_name(Requirement(pin).name): Requirement(pin) for pin, _ in ENTRIES}


def test_every_package_is_pinned_to_one_version_and_carries_its_hashes() -> None:
    assert len(ENTRIES) == len([line for line in LOCK.splitlines() if line and line[0] not in " #"]) > 0
    for pin, rest in ENTRIES:
        (version,) = Requirement(pin).specifier
        assert version.operator == "=="
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", rest), pin


@pytest.mark.parametrize("declared", DECLARED)
def test_the_lock_satisfies_what_the_project_declares(declared: str) -> None:
    wanted = Requirement(declared)
    (version,) = PINNED[canonicalize_name(wanted.name)].specifier
    assert wanted.specifier.contains(version.version)


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_no_declared_package_is_left_out_on_linux(version: str) -> None:
    machine = {**default_environment(), "python_version": version, "python_full_version": f"{version}.0"}
    machine |= {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"}
    for declared in DECLARED:
        marker = PINNED[canonicalize_name(Requirement(declared).name)].marker
        assert marker is None or marker.evaluate({key: str(value) for key, value in machine.items()}), declared


@pytest.mark.parametrize("trace", ["://", "--index", "--extra-index", "--find-links", "--trusted-host", " @ ", "-e "])
def test_the_lock_names_no_registry_and_no_place(trace: str) -> None:
    assert trace not in LOCK
