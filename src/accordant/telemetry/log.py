"""What the platform says while it runs never stops it, even where there is no room left to write it down."""

import sys
from typing import Any, TextIO

import structlog


class _Willing:
    """Writes one line for each event; what cannot be written is counted, and told of as soon as it can."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._unsaid = 0

    def msg(self, message: str) -> None:
        told = f"{message}\n[{self._unsaid} lines before this came late or are lost]" if self._unsaid else message
        try:
            self._file.write(told + "\n")
            self._file.flush()
        except (OSError, ValueError):  # a full disk, a reader that went away, a closed file
            self._unsaid += 1
        else:
            self._unsaid = 0

    log = debug = info = warn = warning = msg
    fatal = failure = err = error = critical = exception = msg


def keep_on_logging(file: TextIO | None = None) -> None:
    """From now on a log that cannot be written is a gap in the log and nothing else."""
    one = _Willing(file or sys.stdout)

    def factory(*_: Any) -> _Willing:
        return one

    structlog.configure(logger_factory=factory)
