"""Plain `make` tells a newcomer what there is, and no target pretends."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
TARGETS = ["setup", "demo", "test", "check", "bench", "campaign", "docs", "lock", "clean"]


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def set_up(tmp_path: Path) -> Path:
    """A repository whose environment is up to date and that holds nothing else."""
    for name in ("pyproject.toml", "requirements.lock", "Makefile"):
        shutil.copy(REPOSITORY / name, tmp_path)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".ready").touch()
    return tmp_path


def test_plain_make_lists_every_target_with_a_sentence() -> None:
    listed = make(REPOSITORY).stdout
    for target in TARGETS:
        assert re.search(rf"^  make {target} +\S.{{10,}}$", listed, re.MULTILINE), listed


@pytest.mark.parametrize(("target", "missing"), [("bench", "bench/run.py")])
def test_a_target_without_its_subject_says_so_and_fails(target: str, missing: str, set_up: Path) -> None:
    run = make(set_up, target)
    assert run.returncode != 0
    assert f"{missing} is missing" in run.stdout


def test_setup_is_skipped_when_up_to_date(set_up: Path) -> None:
    assert make(set_up, "--question", "setup").returncode == 0


@pytest.mark.parametrize("source", ["requirements.lock", "pyproject.toml"])
def test_setup_runs_again_when_its_sources_change(source: str, set_up: Path) -> None:
    ready = set_up / ".venv" / ".ready"
    newer_s = ready.stat().st_mtime + 10
    os.utime(set_up / source, (newer_s, newer_s))
    assert make(set_up, "--question", "setup").returncode == 1


@pytest.mark.parametrize("target", ["demo", "test", "check"])
def test_a_target_does_its_own_set_up(target: str, tmp_path: Path) -> None:
    for name in ("pyproject.toml", "requirements.lock", "Makefile"):
        shutil.copy(REPOSITORY / name, tmp_path)
    planned = make(tmp_path, "--dry-run", target).stdout
    assert "--require-hashes -r requirements.lock" in planned
    assert planned.index("--require-hashes") < planned.index("--no-deps --no-build-isolation -e .")
