"""`accordant up`: everything in one go, refused where it would pretend, stopped cleanly."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.experience.company import accordant

UP = [sys.executable, "-m", "accordant.experience.cli.main", "up", "--state", "s", "--port", "0"]


@contextmanager
def running(home: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    said = home / "said.txt"
    with said.open("wb") as out:
        process = subprocess.Popen(UP, cwd=home, stdout=out, stderr=out, env={**os.environ, "COLUMNS": "80"})
    try:
        for _ in range(600):
            if "Stop with Ctrl-C" in said.read_text() or process.poll() is not None:
                break
            time.sleep(0.1)
        yield process, said.read_text()
    finally:
        if process.poll() is None:
            process.kill()


def listeners(text: str) -> list[int]:
    return [int(port) for port in re.findall(r"http://127\.0\.0\.1:(\d+)", text)]


def test_up_starts_works_refuses_a_second_and_stops_cleanly(tmp_path: Path) -> None:
    with running(tmp_path) as (process, said):
        assert process.poll() is None, said
        assert len(listeners(said)) == 5
        assert "synchronous=FULL" in said
        assert "--fresh" in said

        second = accordant("up", "--state", "s", "--port", "0", cwd=tmp_path)
        assert second.returncode == 1
        assert "another process already drives this database" in second.stderr

        for _ in range(300):
            open_items = accordant("exception", "list", "--state", "s", "--json", cwd=tmp_path)
            if "Ledger Taem" in open_items.stdout:
                break
            time.sleep(0.1)
        assert "Ledger Taem" in open_items.stdout

        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        assert "Stopped." in (tmp_path / "said.txt").read_text()
        left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        assert not [one for one in left.splitlines() if f"--port {listeners(said)[0]}" in one]

    again = accordant("up", "--state", "s", "--port", "0", cwd=tmp_path)
    assert again.returncode == 2
    assert "what its sandboxes held is gone" in " ".join(again.stderr.split())
    assert "--fresh" in again.stderr
