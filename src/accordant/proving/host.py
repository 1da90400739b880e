"""Starts the platform again within a moment: a process that has loaded everything and is forked for each life.

Most of a start is the loading of programs. A drill of hundreds of kills loads them once: the host imports the
platform, then forks for every order that it reads. What is forked is a process of its own, with its own connections
and its own memory, and is killed like any other.

    python -m accordant.proving.host MODULE …

Orders come as lines of JSON on the standard input, events leave as lines of JSON on the standard output. The host ends
when its input ends, and takes what it forked with it.
"""

import gc
import os
import selectors
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from types import FrameType

import msgspec

from accordant.kernel.settings import adopt_environment

PROGRAM = "accordant.experience.cli.main"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One process to be forked."""

    arguments: tuple[str, ...]
    environment: dict[str, str]
    log: str
    """File that its output is appended to."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A process was forked (`code` is None), or it ended."""

    pid: int
    code: int | None = None
    """As subprocess gives it: negative for a signal."""


def main(modules: Sequence[str]) -> None:
    """Load, then fork and report until the input ends."""
    for name in modules:
        import_module(name)
    gc.collect()
    gc.freeze()
    signalled, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, _woken)
    children: set[int] = set()
    _tell(Event(pid=os.getpid()))
    waiting = selectors.DefaultSelector()
    waiting.register(sys.stdin.fileno(), selectors.EVENT_READ)
    waiting.register(signalled, selectors.EVENT_READ)
    while True:
        for key, _ in waiting.select():
            if key.fd == signalled:
                os.read(signalled, 4096)
                _reap(children)
                continue
            line = sys.stdin.buffer.readline()
            if not line:
                _end(children)
                return
            children.add(_fork(msgspec.json.decode(line, type=Order)))


def _woken(number: int, frame: FrameType | None) -> None:
    """The wake-up pipe does the rest."""


def _fork(order: Order) -> int:
    pid = os.fork()
    if pid:
        _tell(Event(pid=pid))
        return pid
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _redirect(order.log)
        adopt_environment(order.environment)
        sys.argv = ["accordant", *order.arguments]
        import_module(PROGRAM).app()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException as failed:  # noqa: BLE001 - the traceback goes to the log, the code to whoever asked
        sys.excepthook(type(failed), failed, failed.__traceback__)
        code = 1
    sys.stderr.flush()
    sys.stdout.flush()
    os._exit(code)


def _redirect(log: str) -> None:
    """No input of ours, all output to the log."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(nothing, 0)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(nothing)
    os.close(file)


def _reap(children: set[int]) -> None:
    for pid in tuple(children):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            children.discard(pid)
            _tell(Event(pid=pid, code=os.waitstatus_to_exitcode(status)))


def _end(children: set[int]) -> None:
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _tell(event: Event) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(event) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
