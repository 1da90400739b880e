import pytest

from accordant.kernel.database import Changes
from accordant.kernel.errors import AccordantError
from accordant.masterdata.crosswalk import (
    CrosswalkRow,
    canonical_of,
    canonicals_of,
    crosswalk_table,
    holders,
    natives,
    ours,
)
from accordant.masterdata.records import RecordRow, history, latest_body, latest_of, record_table
from tests.governance.databases import Storage


def link(canonical_id: str, system: str, native_id: str, tenant: str = "t") -> CrosswalkRow:
    return CrosswalkRow(
        tenant=tenant,
        noun="customer",
        canonical_id=canonical_id,
        system=system,
        native_id=native_id,
        connection="c",
        since_ms=1,
        transaction_id="tx",
    )


async def add(storage: Storage, *rows: CrosswalkRow) -> None:
    changes = Changes()
    for row in rows:
        changes.add(crosswalk_table, row)
    await storage.writer.commit(changes, at="test")


async def test_both_directions_are_known(storage: Storage) -> None:
    await add(storage, link("a", "erp", "1"), link("a", "billing", "cus_1"), link("b", "erp", "2"))
    await add(storage, link("z", "erp", "1", tenant="other"))

    def ask(connection) -> None:
        assert canonical_of(connection, "t", noun="customer", system="erp", native_id="1") == "a"
        assert canonical_of(connection, "other", noun="customer", system="erp", native_id="1") == "z"
        assert canonical_of(connection, "t", noun="customer", system="billing", native_id="1") is None

    storage.database.read_now(ask)
    find = storage.database.find
    assert await find(natives("t", "customer", canonical_id="a")) == {"erp": "1", "billing": "cus_1"}
    assert await find(natives("t", "order", canonical_id="a")) == {}
    assert await find(ours("t", "customer", system="erp", native_id="2")) == "b"
    assert await find(ours("t", "customer", system="billing", native_id="1")) == ""


async def test_the_first_native_id_of_a_thing_stays(storage: Storage) -> None:
    await add(storage, link("a", "erp", "1"))
    await add(storage, link("a", "erp", "2"))
    found = await storage.database.find(natives("t", "customer", canonical_id="a"))
    assert found == {"erp": "1"}


async def test_one_native_id_never_belongs_to_two_things(storage: Storage) -> None:
    await add(storage, link("a", "erp", "1"))
    with pytest.raises(AccordantError, match=r"(?i)unique"):
        await add(storage, link("b", "erp", "1"))
    found = await storage.database.find(natives("t", "customer", canonical_id="b"))
    assert found == {}


async def test_many_at_once_say_what_one_by_one_says(storage: Storage) -> None:
    ids = [f"c{n}" for n in range(1203)]
    await add(storage, *(link(each, "erp", f"n-{each}") for each in ids))
    asked = [*ids, "unknown", "c1"]
    found = storage.database.read_now(lambda c: holders(c, "t", noun="customer", canonical_ids=asked))
    assert found == {each: {"erp": f"n-{each}"} for each in ids}
    back = storage.database.read_now(
        lambda c: canonicals_of(c, "t", noun="customer", system="erp", native_ids=[f"n-{each}" for each in asked])
    )
    assert back == {f"n-{each}": each for each in ids}


def version(canonical_id: str, n: int, body: str = "{}") -> RecordRow:
    return RecordRow(
        tenant="t",
        noun="contract",
        canonical_id=canonical_id,
        version=n,
        body=body,
        at_ms=n,
        transaction_id=f"tx{n}",
    )


async def test_the_newest_version_is_the_highest_number_not_the_last_written(storage: Storage) -> None:
    changes = Changes()
    for n in (1, 10, 2, 9):
        changes.add(record_table, version("a", n, str(n)))
    changes.add(record_table, version("b", 1))
    await storage.writer.commit(changes, at="test")

    def ask(connection) -> None:
        assert [row.version for row in history(connection, "t", noun="contract", canonical_id="a")] == [1, 2, 9, 10]
        assert latest_of(connection, "t", noun="contract", canonical_ids=["a", "b", "x"]) == {
            "a": version("a", 10, "10"),
            "b": version("b", 1),
        }

    storage.database.read_now(ask)
    find = storage.database.find
    assert await find(latest_body("t", "contract", canonical_id="a")) == "10"
    assert await find(latest_body("t", "customer", canonical_id="a")) == ""
    assert await find(latest_body("other", "contract", canonical_id="a")) == ""


async def test_a_version_once_written_is_kept(storage: Storage) -> None:
    for body in ("first", "second"):
        changes = Changes()
        changes.add(record_table, version("a", 1, body))
        await storage.writer.commit(changes, at="test")
    assert await storage.database.find(latest_body("t", "contract", canonical_id="a")) == "first"
