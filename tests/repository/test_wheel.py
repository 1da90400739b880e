"""What is installed is whole: every file below the package travels in the wheel."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def test_the_wheel_holds_every_file_of_the_package(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(REPOSITORY / name, tmp_path)
    shutil.copytree(REPOSITORY / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel"], cwd=tmp_path, check=True, capture_output=True
    )
    (wheel,) = (tmp_path / "dist").glob("accordant-*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    source = tmp_path / "src"
    assert {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()} <= packed
    assert any(name.endswith("licenses/LICENSE") for name in packed)
    entry_points = next(name for name in packed if name.endswith("entry_points.txt"))
    assert "accordant = accordant.experience.cli.main:app" in zipfile.ZipFile(wheel).read(entry_points).decode()
