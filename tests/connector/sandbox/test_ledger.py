"""The effect ledger names every applied write, once, in a form that a checker can rely on."""

from pathlib import Path
from typing import Any

FIELDS = [
    *("n", "at", "operation", "kind", "change", "native_id"),
    *("business_id", "amount_minor", "currency", "key", "body"),
]


async def test_a_line_has_exactly_the_agreed_fields(acme: Any) -> None:
    async with acme() as caller:
        sent = {"ref": "C-1", "amount_minor": 1200, "currency": "EUR"}
        _, created, _ = await caller.ask("POST", "/customers", body=sent, headers={"Idempotency-Key": "k-1"})
        (line,) = caller.ledger()
    assert list(line) == FIELDS
    assert line == {
        "n": 1,
        "at": "2027-01-15T08:00:00.000Z",
        "operation": "POST /customers",
        "kind": "customer",
        "change": "create",
        "native_id": created["id"],
        "business_id": "C-1",
        "amount_minor": 1200,
        "currency": "EUR",
        "key": "k-1",
        "body": created,
    }


async def test_only_applied_writes_are_in_it(acme: Any) -> None:
    async with acme() as caller:
        assert await caller.create("C-1", key="k-1") == 201
        assert await caller.create("C-1", key="k-1") == 201  # answered from memory
        assert (await caller.ask("POST", "/customers", body={}))[0] == 422
        assert (await caller.ask("GET", "/customers"))[0] == 200
        await caller.admin("POST", "load", {"customer": [{"id": "cus_0", "ref": "C-0"}]})
        assert [line["business_id"] for line in caller.ledger()] == ["C-1"]
        assert await caller.refs() == ["C-0", "C-1"]


async def test_numbers_go_on_after_a_restart_and_a_torn_line_is_cut(acme: Any, tmp_path: Path) -> None:
    async with acme() as caller:
        await caller.create("C-1")
        await caller.create("C-2")
    with (tmp_path / "ledger" / "billing.jsonl").open("a") as ledger:
        ledger.write('{"n":3,"at"')
    async with acme() as caller:
        await caller.create("C-3")
        assert [(line["n"], line["business_id"]) for line in caller.ledger()] == [(1, "C-1"), (2, "C-2"), (3, "C-3")]


async def test_the_same_seed_gives_the_same_ids(acme: Any) -> None:
    ids: list[str] = []
    for faults in ((), ({"kind": "slow", "delay_s": 0, "probability": 0.5},)):
        async with acme() as caller:
            await caller.admin("PUT", "faults", {"faults": faults})
            ids.append((await caller.ask("POST", "/customers", body={"ref": "C-1"}))[1]["id"])
    assert ids[0] == ids[1]
