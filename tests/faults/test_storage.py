"""The disk fails, fills up, or is slow to say so: no false acknowledgement, and the platform goes on by itself."""

import asyncio
import resource
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.campaign_figures import drop
from tests.faults.traced import WATCHED, Door, Reader, door, ids, needs_strace

EXIT_FAILED = 70
pytestmark = [pytest.mark.kills, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder on which a worker has run, so that the next one begins without writing."""

    async def run() -> Path:
        async with door(tmp_path_factory.mktemp("ready")) as one:
            await one.start()
            await one.stop()
            return one.state

    return asyncio.run(run())


@pytest.fixture
async def worker(tmp_path: Path, ready: Path) -> AsyncIterator[Door]:
    async with door(tmp_path, like=ready) as one:
        yield one


def require_kept(one: Door) -> None:
    assert one.acknowledged, one.log()[-2000:]
    assert one.acknowledged - one.kept() == set()


async def until_accepted(one: Door, first: int, *, within_s: float = 15) -> None:
    """Vendors send again; sooner or later it is taken."""
    give_up_at = asyncio.get_running_loop().time() + within_s
    while not one.acknowledged.intersection(ids(first, 1)):
        assert asyncio.get_running_loop().time() < give_up_at, one.log()[-2000:]
        await one.deliver(ids(first, 1))
        await asyncio.sleep(0.1)


@needs_strace
class TestDurableBeforeAcknowledged:
    async def traced(self, one: Door, count: int, *, module: str) -> Reader:
        trace = one.state / "trace"
        watch = ("--seccomp-bpf", "-y", "-s", "5000", "-e", f"trace={WATCHED}", "-o", str(trace))
        await one.start(*watch, module=module)
        await one.deliver(ids(0, count))
        assert one.statuses() == {202}
        await one.stop()
        require_kept(one)
        return Reader(one.wal, trace)

    @pytest.mark.parametrize("count", [60, pytest.param(3000, marks=pytest.mark.campaign)])
    async def test_every_accepted_webhook_was_durable_before_its_answer_began(self, worker: Door, count: int) -> None:
        proof = (await self.traced(worker, count, module="accordant.experience.cli.main")).read()
        assert proof.proven == worker.acknowledged
        assert proof.unproven == frozenset()
        if count > 100:
            figures = {"webhooks_acknowledged": count, "webhooks_proven_durable_first": len(proof.proven)}
            drop("faults-webhooks", figures, part="faults")

    async def test_a_worker_that_does_not_wait_for_the_disk_is_found_out(self, worker: Door) -> None:
        proof = (await self.traced(worker, 10, module="tests.faults.careless")).read()
        assert proof.proven == frozenset()
        assert proof.unproven == worker.acknowledged


@needs_strace
async def test_a_disk_that_fails_to_make_durable_ends_the_process(worker: Door) -> None:
    await worker.start("-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=8", "-o", "/dev/null")
    await worker.deliver(ids(0, 60), at_once=2)
    assert await worker.ended() == EXIT_FAILED
    assert worker.statuses() <= {202, 503, 0}
    assert len(worker.acknowledged) < 60
    require_kept(worker)
    await worker.start()  # the next process finds everything, and knows what it has
    worker.answers.clear()
    await worker.deliver(sorted(worker.acknowledged))
    assert worker.statuses() == {200}


@needs_strace
@pytest.mark.parametrize(
    "at",
    [
        "fdatasync:signal=SIGKILL:when=7",
        *(pytest.param(f"fdatasync:signal=SIGKILL:when={n}", marks=pytest.mark.campaign) for n in range(1, 30, 3)),
        *(pytest.param(f"pwrite64:signal=SIGKILL:when={n}", marks=pytest.mark.campaign) for n in range(30, 150, 12)),
    ],
)
async def test_killed_at_a_system_call_nothing_acknowledged_is_missing(worker: Door, at: str) -> None:
    await worker.start("-e", f"trace={at.partition(':')[0]}", "-e", f"inject={at}", "-o", "/dev/null")
    await worker.deliver(ids(0, 60), at_once=4)
    assert await worker.ended() in {-signal.SIGKILL, 128 + signal.SIGKILL}
    assert 0 in worker.statuses()
    assert worker.acknowledged - worker.kept() == set()
    name = at.partition(",")[0].replace(":", "-").replace("=", "")
    drop(f"faults-kill-{name}", {"kills": 1, "acknowledged": len(worker.acknowledged)}, part="faults")


@needs_strace
async def test_without_room_vendors_are_asked_to_come_again(worker: Door) -> None:
    """ENOSPC for a while, then room again: the process lives, and nobody has to do anything."""
    full = ("-e", "trace=pwrite64", "-e", "inject=pwrite64:error=ENOSPC:when=30..90")
    await worker.start("-P", str(worker.wal), *full, "-o", "/dev/null")
    for start in range(0, 400, 4):
        await worker.deliver(ids(start, 4), at_once=2)
        if worker.statuses() == {202, 503} and worker.answers[-1][1] == 202:
            break
        await asyncio.sleep(0.02)
    assert {wait for _, status, wait in worker.answers if status == 503} == {"5"}
    await until_accepted(worker, 500)
    assert worker.process is not None
    assert worker.process.poll() is None
    assert worker.log().count("storage.refused") == worker.log().count("storage.recovered") == 1
    require_kept(worker)


@pytest.mark.parametrize(
    "log_too",
    [pytest.param(False, marks=pytest.mark.campaign, id="the database"), pytest.param(True, id="the log too")],
)
async def test_a_limit_on_the_size_of_files_is_survived(worker: Door, log_too: bool) -> None:
    """A quota or a limit is no broken disk: the worker refuses, lives, and takes deliveries again."""
    if log_too:
        (worker.state / "platform.log").write_bytes(b"said before\n" * 200_000)
    await worker.start()
    await worker.deliver(ids(0, 10))
    room = worker.wal.stat().st_size
    _, hard = resource.prlimit(worker.worker_pid, resource.RLIMIT_FSIZE)
    resource.prlimit(worker.worker_pid, resource.RLIMIT_FSIZE, (room, hard))
    await worker.deliver(ids(100, 20), at_once=4)
    assert 503 in worker.statuses()
    await asyncio.sleep(1.5)  # the pump, the sweeper and the pollers meet it too
    resource.prlimit(worker.worker_pid, resource.RLIMIT_FSIZE, (hard, hard))
    await until_accepted(worker, 200)
    assert worker.process is not None
    assert worker.process.poll() is None
    await worker.stop()
    require_kept(worker)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes, where this machine lets us have one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only an administrator may mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


@pytest.mark.campaign
async def test_a_disk_that_is_really_full_is_survived(small_disk: Path, ready: Path) -> None:
    """Database, index, log and notices share the disk; somebody fills it and makes room again."""
    async with door(small_disk, like=ready) as worker:
        await worker.start()
        await worker.deliver(ids(0, 10))
        filler = small_disk / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass
        await worker.deliver(ids(100, 60), padding=4000)
        assert 503 in worker.statuses()
        await asyncio.sleep(1.5)
        filler.unlink()
        await until_accepted(worker, 200)
        assert worker.process is not None
        assert worker.process.poll() is None
        await worker.stop()
        require_kept(worker)
