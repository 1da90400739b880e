from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select

from accordant.governance.estate_files import load_estate
from accordant.governance.versions import EstateStore, RowTerms, estate_version_table
from accordant.kernel.clock import ManualClock
from accordant.kernel.database import Changes, Committed, Writer
from accordant.kernel.errors import Misconfigured, Refused
from accordant.telemetry.audit import audit_table, verify_chain
from tests.governance.databases import Storage, opened

ANY_DAY = date(2017, 3, 1)


def store(storage: Storage, folder: Path, writer: Writer | None = None) -> EstateStore:
    return EstateStore(storage.database, writer or storage.writer, clock=ManualClock(), folder=folder, tenant="t")


def target(store: EstateStore, table: str, value: str, n: int | None = None) -> str | None:
    row = (store.at(n) if n else store.current()).row(table, value, on=ANY_DAY)
    return row.target if row else None


async def test_a_word_gets_the_meaning_of_another_word(storage: Storage, folder: Path) -> None:
    it = store(storage, folder)
    assert (await it.start()).version == 1
    assert await it.set_reference("product", "InsightPro", target="Insight Pro", actor="kim") == 2
    assert await it.set_reference("product", "IPro", target="INS-PRO", actor="kim") == 3
    model = it.current().row("product", "Insight Pro", on=ANY_DAY)
    for word in ("InsightPro", "IPro"):
        row = it.current().row("product", word, on=ANY_DAY)
        assert row is not None
        assert model is not None
        assert (row.target, row.attributes, row.owner) == (model.target, model.attributes, model.owner)
    assert load_estate(folder).tables == it.current().tables


async def test_a_pinned_version_does_not_move(storage: Storage, folder: Path) -> None:
    it = store(storage, folder)
    await it.start()
    await it.set_reference("product", "InsightPro", target="Insight Pro", actor="kim")
    assert [target(it, "product", "InsightPro", n) for n in (1, 2)] == [None, "INS-PRO"]
    again = store(storage, folder)
    await again.start()
    assert [target(again, "product", "InsightPro", n) for n in (1, 2)] == [None, "INS-PRO"]
    with pytest.raises(Refused) as unknown:
        again.at(3)
    assert unknown.value.code == "estate.unknown_version"


async def test_the_audit_tells_who_changed_what_from_what_to_what(storage: Storage, folder: Path) -> None:
    it = store(storage, folder)
    await it.start()
    await it.set_reference("country", "Korea", target="North Korea", actor="kim", terms=RowTerms(reason="asked"))
    entries = storage.database.read_now(lambda c: c.execute(select(audit_table).order_by(audit_table.c.n)).all())
    assert [(entry.action, entry.subject, entry.actor) for entry in entries] == [
        ("estate.applied", "estate version 1", "accordant"),
        ("reference.set", "country:Korea", "kim"),
    ]
    assert '"old":[{"attributes":{"legal_entity":"AP01"},' in entries[1].detail
    assert '"target":"KR"' in entries[1].detail
    assert '"target":"KP"' in entries[1].detail
    assert storage.database.read_now(verify_chain).valid
    (change,) = it.history("country")
    assert ([row.target for row in change.old], [row.target for row in change.new]) == (["KR"], ["KP"])
    assert (change.n, change.actor, change.reason) == (2, "kim", "asked")
    assert it.history("product") == []


async def test_an_unknown_target_is_refused_with_the_nearest(storage: Storage, folder: Path) -> None:
    it = store(storage, folder)
    await it.start()
    with pytest.raises(Refused) as refused:
        await it.set_reference("product", "X", target="Insigt Pro", actor="kim")
    assert refused.value.code == "reference.unknown_target"
    assert refused.value.detail["candidates"][0] == "Insight Pro"
    assert "'Insight Pro'" in refused.value.message
    assert it.current().version == 1


async def test_a_new_target_is_taken_when_everything_is_said_about_it(storage: Storage, folder: Path) -> None:
    it = store(storage, folder)
    await it.start()
    said = {"name": "New", "list_price": "10.00", "currency": "USD", "service_tier": "plus"}
    await it.set_reference("product", "New", target="NEW-1", actor="kim", terms=RowTerms(attributes=said))
    assert target(it, "product", "New") == "NEW-1"
    assert await it.set_reference("legal_entity", "ZA01", target="4", actor="kim") == 3
    assert target(it, "legal_entity", "ZA01") == "4"


@pytest.mark.parametrize(
    ("table", "value", "asked", "terms", "code"),
    [
        ("products", "X", "Insight Pro", RowTerms(), "reference.unknown_table"),
        ("../policies", "X", "Y", RowTerms(), "reference.unknown_table"),
        ("currency", "Dollar", "USDX", RowTerms(), "reference.invalid"),
        ("currency", "", "USD", RowTerms(), "reference.invalid"),
        ("currency", "Dol\nlar", "USD", RowTerms(), "reference.invalid"),
        ("product", "X", "Insight Pro", RowTerms(attributes={"list_price": "-1"}), "reference.invalid"),
        ("product", "X", "Insight Pro", RowTerms(attributes={"target": "Y"}), "reference.invalid"),
        (
            "currency",
            "Dollar",
            "USD",
            RowTerms(effective_from=date(2020, 1, 1), effective_to=date(2020, 1, 1)),
            "reference.invalid",
        ),
    ],
)
async def test_what_makes_no_sense_changes_nothing(
    storage: Storage, folder: Path, table: str, value: str, asked: str, terms: RowTerms, code: str
) -> None:
    it = store(storage, folder)
    await it.start()
    before = load_estate(folder)
    with pytest.raises(Refused) as refused:
        await it.set_reference(table, value, target=asked, actor="kim", terms=terms)
    assert refused.value.code == code
    assert it.current().version == 1
    assert load_estate(folder) == before


async def test_a_change_from_a_day_on_leaves_the_days_before(storage: Storage, folder: Path) -> None:
    it = store(storage, folder)
    await it.start()
    dearer = RowTerms(effective_from=date(2026, 1, 1), attributes={"list_price": "700.00"})
    await it.set_reference("product", "Ledger Start", target="Ledger Start", actor="kim", terms=dearer)
    prices = [
        row.attributes["list_price"]
        for day in (date(2025, 12, 31), date(2026, 1, 1))
        if (row := it.current().row("product", "Ledger Start", on=day))
    ]
    assert prices == ["600.00", "700.00"]
    await it.set_reference("product", "LStart", target="Ledger Start", actor="kim")
    assert len(it.current().tables["product"]["LStart"]) == 2
    assert load_estate(folder).tables == it.current().tables


async def test_saying_the_same_twice_makes_one_version(storage: Storage, folder: Path) -> None:
    it = store(storage, folder)
    await it.start()
    for _ in range(2):
        assert await it.set_reference("product", "InsightPro", target="Insight Pro", actor="kim") == 2
    stored = storage.database.read_now(lambda c: c.execute(select(estate_version_table.c.n)).all())
    assert len(stored) == 2


async def test_an_unchanged_folder_keeps_its_version_over_a_restart(database_url: str, folder: Path) -> None:
    async with opened(database_url) as first:
        it = store(first, folder)
        await it.start()
        await it.set_reference("product", "InsightPro", target="Insight Pro", actor="kim")
    async with opened(database_url) as second:
        it = store(second, folder)
        assert (await it.start()).version == 2
        assert [change.value for change in it.history("product")] == ["InsightPro"]


async def test_an_edited_folder_becomes_the_next_version(storage: Storage, folder: Path) -> None:
    await store(storage, folder).start()
    path = folder / "reference/legal_entity.csv"
    path.write_text(path.read_text().replace("EU01,2", "EU01,9"))
    it = store(storage, folder)
    assert (await it.start()).version == 2
    assert [target(it, "legal_entity", "EU01", n) for n in (1, 2)] == ["2", "9"]
    assert [change.value for change in it.history("legal_entity")] == ["EU01"]


async def test_a_faulty_folder_does_not_start_and_stores_nothing(storage: Storage, folder: Path) -> None:
    (folder / "policies.yaml").write_text("exceptions: {}\n")
    it = store(storage, folder)
    with pytest.raises(Misconfigured):
        await it.start()
    with pytest.raises(Refused):
        it.current()
    assert storage.database.read_now(lambda c: c.execute(select(estate_version_table.c.n)).all()) == []


class RefusingWriter:
    """Takes the first change and no other."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._taken = 0

    async def commit(self, changes: Changes, *, at: str) -> Committed:
        self._taken += 1
        if self._taken > 1:
            raise OSError("the disk is full")
        return await self._writer.commit(changes, at="test")


async def test_when_the_database_refuses_the_file_is_put_back(storage: Storage, folder: Path) -> None:
    it = store(storage, folder, writer=RefusingWriter(storage.writer))  # pyright: ignore[reportArgumentType]
    await it.start()
    before = (folder / "reference/product.csv").read_bytes()
    with pytest.raises(OSError, match="full"):
        await it.set_reference("product", "InsightPro", target="Insight Pro", actor="kim")
    assert (folder / "reference/product.csv").read_bytes() == before
    assert target(it, "product", "InsightPro") is None


async def test_two_platforms_on_one_database_do_not_overwrite_each_other(storage: Storage, folder: Path) -> None:
    first, second = store(storage, folder), store(storage, folder)
    await first.start()
    await second.start()
    await first.set_reference("product", "InsightPro", target="Insight Pro", actor="kim")
    with pytest.raises(Refused) as refused:
        await second.set_reference("product", "IPro", target="Insight Pro", actor="lee")
    assert refused.value.code == "estate.changed_meanwhile"
    assert load_estate(folder).tables == first.current().tables
    actions = storage.database.read_now(lambda c: c.execute(select(audit_table.c.action)).scalars().all())
    assert actions == ["estate.applied", "reference.set"]
    assert (await second.refresh()).version == 2
    assert await second.set_reference("product", "IPro", target="Insight Pro", actor="lee") == 3
    assert target(second, "product", "InsightPro") == "INS-PRO"


async def test_old_versions_leave_memory_and_come_back(storage: Storage, folder: Path) -> None:
    it = store(storage, folder)
    await it.start()
    for n in range(12):
        await it.set_reference("product", f"word {n}", target="Insight Pro", actor="kim")
    assert len(it._kept) == 8
    assert [target(it, "product", "word 0", n) for n in (1, 2, 13)] == [None, "INS-PRO", "INS-PRO"]
    assert len(it._kept) == 8
