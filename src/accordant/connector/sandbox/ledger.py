"""The record of every write that a sandbox applied: what a checker compares with what should have happened."""

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from accordant.connector.sandbox.exchange import Change


class EffectLedger:
    """Appends one JSON line per applied write to `STATE/ledger/<system>.jsonl`, before the answer leaves.

    The lines of one commit go out in one `write` on an O_APPEND descriptor: a kill leaves all of them or none.
    An existing file is continued.
    """

    def __init__(self, state_dir: Path, system: str, *, now: Callable[[], datetime]) -> None:
        self.path = state_dir / "ledger" / f"{system}.jsonl"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.applied = 0
        self._now = now
        self._fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._n = _last_number(self._fd)
        self._encoder = msgspec.json.Encoder()

    def append(self, changes: Sequence[Change], *, operation: str, key: str | None) -> None:
        """Write the lines of one commit.

        Raises:
            SystemExit: the lines could not be written; a sandbox that forgets what it applied proves nothing.
        """
        if not changes:
            return
        at = self._now().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        lines: list[bytes] = []
        for offset, change in enumerate(changes, start=1):
            line = _line(change, n=self._n + offset, at=at, operation=operation, key=key)
            lines.append(self._encoder.encode(line))
        block = b"\n".join(lines) + b"\n"
        try:
            written = os.write(self._fd, block)
        except OSError as error:
            raise SystemExit(f"{self.path}: {error.strerror}") from error
        if written != len(block):
            raise SystemExit(f"{self.path}: only {written} of {len(block)} bytes written")
        self._n += len(changes)
        self.applied += len(changes)

    def close(self) -> None:
        os.close(self._fd)


def _line(change: Change, *, n: int, at: str, operation: str, key: str | None) -> dict[str, Any]:
    return {
        "n": n,
        "at": at,
        "operation": operation,
        "kind": change.kind,
        "change": change.change,
        "native_id": change.native_id,
        "business_id": change.business_id,
        "amount_minor": change.amount_minor,
        "currency": change.currency,
        "key": key if change.key is None else change.key,
        "body": change.body,
    }


def _last_number(fd: int) -> int:
    """The `n` of the last whole line; a torn tail (full disk) is cut off, its answer never left."""
    content = os.pread(fd, os.fstat(fd).st_size, 0)
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) != len(content):
        os.ftruncate(fd, len(whole))
    lines = whole.splitlines()
    return int(msgspec.json.decode(lines[-1])["n"]) if lines else 0
