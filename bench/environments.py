"""Sets up what is not the platform's own: an environment for each rival, and one that draws plots.

Each is made once, from pinned requirements, beside the benchmark and never in the platform's own environment. A rival
that cannot be set up is missing from the report, with the reason.
"""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bench.ground import HERE

RIVALS = ("dbos", "restate", "procrastinate")
_SET_UP_S = 900


def folder_of(name: str) -> Path:
    return HERE / ("plotting" if name == "report" else f"rivals/{name}")


def set_up(name: str, say: Callable[[str], None]) -> str:
    """Make the environment unless it is there and up to date; why it could not be made, or nothing."""
    folder, environment = folder_of(name), HERE / f".env-{name}"
    mark, wanted = environment / ".ready", _digest(folder)
    if mark.exists() and mark.read_text(encoding="ascii") == wanted:
        return ""
    say(f"setting up the environment of {name} ...")
    try:
        if not (environment / "bin" / "python").exists():
            _run([sys.executable, "-m", "venv", str(environment)], HERE)
        python = str(environment / "bin" / "python")
        quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([python, *quiet, "-r", str(folder / "requirements.txt")], HERE)
        if (folder / "package.json").exists():
            for file in ("package.json", "package-lock.json", ".npmrc"):
                shutil.copy(folder / file, environment / file)
            _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], environment)
    except (OSError, subprocess.SubprocessError) as failed:
        said = getattr(failed, "stderr", "") or str(failed)
        return f"the environment of {name} could not be set up: {said.strip().splitlines()[-1][:200] if said else ''}"
    mark.write_text(wanted, encoding="ascii")
    return ""


def _digest(folder: Path) -> str:
    hasher = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        hasher.update(file.read_bytes())
    return hasher.hexdigest()


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=_SET_UP_S)
