"""Lists, search by any id, paging, and the story of one transaction."""

import pytest

from accordant.kernel.errors import Malformed
from accordant.operations.transactions import Listed, Search, find, story
from tests.operations import stored
from tests.operations.stored import TENANT, Storage


def found(storage: Storage, **narrowed: str | int) -> list[str]:
    search = Search(tenant=TENANT, **narrowed)  # pyright: ignore[reportArgumentType]
    return [one.subject for one in storage.database.read_now(lambda c: find(c, search)).transactions]


@pytest.fixture
async def three(storage: Storage) -> Storage:
    await storage.put(
        stored.transaction(1, party="Acme Corporation"),
        stored.transaction(2, party="Zottö 100% Ltd", state="exception", flow="contract_amendment"),
        stored.transaction(3, party="acme subsidiary", state="running"),
        *(stored.event(n) for n in (1, 2, 3)),
        stored.effect(tx=1),
        stored.item(2),
        stored.item(3, state="released"),
    )
    return storage


async def test_the_newest_comes_first(three: Storage) -> None:
    assert found(three) == ["DEAL-3", "DEAL-2", "DEAL-1"]


@pytest.mark.parametrize(
    ("narrowed", "expected"),
    [
        ({"state": "exception"}, ["DEAL-2"]),
        ({"flow": "contract_amendment"}, ["DEAL-2"]),
        ({"party": "ACME"}, ["DEAL-3", "DEAL-1"]),
        ({"party": "100%"}, ["DEAL-2"]),
        ({"party": "%"}, ["DEAL-2"]),
        ({"cause_group": "cause-gtx"}, ["DEAL-2"]),
        ({"about": "DEAL-1"}, ["DEAL-1"]),
        ({"about": "billing_NATIVE1"}, ["DEAL-1"]),
        ({"about": "start subscription-1"}, ["DEAL-1"]),
        ({"about": "006NATIVE3"}, ["DEAL-3"]),
        ({"about": "acme corporation"}, ["DEAL-1"]),
        ({"about": "acme"}, []),
        ({"about": "cor-0002"}, ["DEAL-2"]),
        ({"about": "tx-" + "0" * 23 + "2"}, ["DEAL-2"]),
        ({"about": "0" * 8}, ["DEAL-3", "DEAL-2", "DEAL-1"]),
        ({"about": "tx-"}, []),
        ({"about": "%"}, []),
        ({"about": "DEAL"}, []),
    ],
)
async def test_what_narrows_a_list(three: Storage, narrowed: dict[str, str], expected: list[str]) -> None:
    assert found(three, **narrowed) == expected


async def test_another_tenants_transactions_are_not_there(three: Storage) -> None:
    search = Search(tenant="other", about="DEAL-1")
    assert three.database.read_now(lambda c: find(c, search)).transactions == ()


async def test_pages_meet_without_gap_or_repeat_at_equal_instants(storage: Storage) -> None:
    await storage.put(*(stored.transaction(n, opened_at_ms=stored.NOW_MS) for n in range(1, 8)))
    seen: list[str] = []
    cursor = ""
    while True:
        search = Search(tenant=TENANT, limit=3, after=cursor)
        page = storage.database.read_now(lambda c, search=search: find(c, search))
        seen += [one.subject for one in page.transactions]
        cursor = page.next
        if not cursor:
            break
    assert seen == [f"DEAL-{n}" for n in range(7, 0, -1)]


@pytest.mark.parametrize("limit", [0, 1001])
async def test_a_limit_out_of_bounds_is_malformed(storage: Storage, limit: int) -> None:
    with pytest.raises(Malformed, match="expected 1 to 1000"):
        found(storage, limit=limit)


@pytest.mark.parametrize("cursor", ["x", "12", "12.", ".tx-1", "1 OR 1.tx"])
async def test_a_cursor_that_is_none_is_malformed(storage: Storage, cursor: str) -> None:
    with pytest.raises(Malformed, match="is not a cursor"):
        found(storage, after=cursor)


@pytest.mark.parametrize(
    ("checked", "waivers", "green"),
    [
        (["verified", "verified"], "", True),
        (["verified", "superseded"], "", True),
        (["verified", ""], "", False),
        (["verified", "different"], "", False),
        (["superseded"], "", False),
        (["verified"], "raise entitlement: not needed\n", False),
        ([], "", False),
    ],
)
async def test_only_what_is_verified_and_not_waived_is_green(
    storage: Storage, checked: list[str], waivers: str, *, green: bool
) -> None:
    effects = [stored.effect(f"step {n}", checked=word) for n, word in enumerate(checked)]
    await storage.put(stored.transaction(1, waivers=waivers), *effects)
    one = storage.database.read_now(lambda c: find(c, Search(tenant=TENANT))).transactions[0]
    assert isinstance(one, Listed)
    assert one.is_green is green


async def test_a_story_holds_every_version_and_nothing_of_others(storage: Storage) -> None:
    await storage.put(
        stored.message(1),
        stored.event(1),
        stored.transaction(1),
        stored.transaction(2),
        stored.effect(version=1, state="rejected"),
        stored.effect(version=2),
        stored.effect(tx=2),
        stored.memo(),
        stored.item(1),
        stored.item(2),
        audit=[stored.entry("transaction.opened"), stored.entry("transaction.opened", 2)],
    )
    told = storage.database.read_now(lambda c: story(c, f"tx-{1:024x}"))
    assert told is not None
    assert [one.version for one in told.effects] == [1, 2]
    assert [len(part) for part in (told.decisions, told.exceptions, told.audit)] == [1, 1, 1]
    assert told.message is not None
    assert told.message.delivery_id == "0061@1"


async def test_no_story_of_what_is_not_there(storage: Storage) -> None:
    assert storage.database.read_now(lambda c: story(c, "tx-none")) is None
