"""While the database takes nothing, no vendor is called again and again; when it takes changes again, all goes on."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from accordant.canonical.operation import EffectClass
from accordant.kernel.clock import SystemClock
from accordant.kernel.database import NotCommitted, StorageLost
from accordant.kernel.database.problems import meaning_of
from tests import databases
from tests.backbone.conformance.rig import Rig

ORDERS = 8


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("SQLITE_FULL", NotCommitted),
        ("SQLITE_READONLY", NotCommitted),
        ("SQLITE_READONLY_DBMOVED", NotCommitted),
        ("SQLITE_CANTOPEN", NotCommitted),
        ("SQLITE_IOERR_WRITE", NotCommitted),
        ("SQLITE_IOERR_SHMSIZE", NotCommitted),
        ("SQLITE_IOERR", StorageLost),
        ("SQLITE_IOERR_FSYNC", StorageLost),
        ("SQLITE_IOERR_DIR_FSYNC", StorageLost),
        ("SQLITE_IOERR_READ", StorageLost),
        ("SQLITE_IOERR_TRUNCATE", StorageLost),
        ("SQLITE_CORRUPT", StorageLost),
        ("SQLITE_CORRUPT_INDEX", StorageLost),
        ("SQLITE_NOTADB", StorageLost),
    ],
)
def test_what_each_refusal_of_the_disk_means(name: str, kind: type[Exception]) -> None:
    failed: Any = sqlite3.OperationalError("as the driver says it")
    failed.sqlite_errorname = name
    assert type(meaning_of(failed)) is kind


async def test_without_room_no_vendor_is_called_that_could_not_be_remembered(
    sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def keyed(tx: Any, event: Any, *, vendor: Any) -> None:
        for kind in (EffectClass.NATIVE_KEY, EffectClass.UPSERT):
            await tx.effect(kind.name, vendor.operation(f"{event.order}/{kind.name}", kind))

    rig = Rig("journal", databases.fresh_sqlite(sqlite_template, tmp_path), steps=keyed)
    rig.clock = SystemClock()  # pyright: ignore[reportAttributeAccessIssue]
    rig.sleep, rig.ticking = asyncio.sleep, False
    await rig.start()
    session = rig.writer._session
    real = session._write_once

    def full(*_: object) -> None:
        failed: Any = sqlite3.OperationalError("database or disk is full")
        failed.sqlite_errorname = "SQLITE_FULL"
        raise failed

    with capture_logs() as said:
        for n in range(ORDERS):
            await rig.tell(f"o{n}")
        monkeypatch.setattr(session, "_write_once", full)
        await asyncio.sleep(1.2)
        called = len(rig.vendor.calls)
        await asyncio.sleep(2.5)  # two more rounds of drives, none of which may reach the vendor
        assert len(rig.vendor.calls) == called
        monkeypatch.setattr(session, "_write_once", real)
        await rig.until(lambda: all(row.state == "completed" for row in rig.transactions()), within_s=20)
    applied = sorted(business_id for business_id, _ in rig.vendor.applied)
    assert applied == sorted(f"o{n}/{kind}" for n in range(ORDERS) for kind in ("NATIVE_KEY", "UPSERT"))
    events = [one["event"] for one in said]
    assert (events.count("storage.refused"), events.count("storage.recovered")) == (1, 1)
    rig.check()
    await rig.stop()
