"""SuiteQL and the concurrency limit of the offline account."""

import asyncio
from pathlib import Path

import pytest

from tests.systems.netsuite.account import CUSTOMER, Account, open_account, order


async def three_orders(account: Account) -> None:
    await account.call("PUT", "/record/v1/customer/eid:C-1", CUSTOMER)
    for number in (1, 2, 3):
        line = {"item": {"externalId": "SKU-1"}, "quantity": 1, "amount": number * 100.25}
        assert (await account.call("PUT", f"/record/v1/salesOrder/eid:O-{number}", order(line))).status == 204


async def test_prefer_transient_is_mandatory(account: Account) -> None:
    said = await account.call("POST", "/query/v1/suiteql", {"q": "SELECT id FROM customer"})
    assert (said.status, said.body["o:errorDetails"][0]["o:errorHeader"]) == (400, "Prefer")


async def test_rows_are_text_and_empty_columns_are_left_out(account: Account) -> None:
    await three_orders(account)
    said = await account.query(
        "SELECT externalid, foreigntotal, status, currency, memo FROM transaction WHERE externalid IN ('O-3','O-1','x')"
    )
    assert said.headers["Content-Type"] == "application/vnd.oracle.resource+json; type=collection"
    assert said.body["items"] == [
        {"links": [], "externalid": "O-3", "foreigntotal": "300.75", "status": "B", "currency": "1", "memo": "sub-1"},
        {"links": [], "externalid": "O-1", "foreigntotal": "100.25", "status": "B", "currency": "1", "memo": "sub-1"},
    ]
    rows = (await account.query("SELECT id, parent FROM customer")).body["items"]
    assert rows == [{"links": [], "id": "1001"}]


async def test_pages_go_on_by_offset(account: Account) -> None:
    await three_orders(account)
    seen: list[str] = []
    for offset in (0, 2):
        said = await account.query("SELECT externalid FROM transaction ORDER BY id DESC", limit=2, offset=offset)
        assert (said.body["totalResults"], said.body["hasMore"]) == (3, offset == 0)
        seen += [row["externalid"] for row in said.body["items"]]
    assert seen == ["O-3", "O-2", "O-1"]
    assert (await account.query("SELECT id FROM customer", limit=1001)).status == 400


async def test_what_changed_since_is_found_by_lastmodifieddate(account: Account) -> None:
    await three_orders(account)
    rows = (await account.query("SELECT id, lastmodifieddate FROM transaction ORDER BY lastmodifieddate, id")).body
    since = rows["items"][0]["lastmodifieddate"]
    text = (
        "SELECT id, TO_CHAR(lastmodifieddate, 'YYYY-MM-DD HH24:MI:SS') AS changed FROM transaction "
        f"WHERE lastmodifieddate >= TO_TIMESTAMP('{since}', 'YYYY-MM-DD HH24:MI:SS') AND status = 'B' ORDER BY id"
    )
    assert len((await account.query(text)).body["items"]) == 3
    assert (await account.query(text.replace(since, "2999-01-01 00:00:00"))).body["items"] == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "DELETE FROM customer",
        "SELECT shoe FROM customer",
        "SELECT id FROM shoes",
        "SELECT id FROM customer WHERE 1",
        "SELECT id FROM customer WHERE id = '1' OR id = '2'",
        "SELECT id FROM customer ORDER BY id SIDEWAYS",
        "SELECT id FROM customer WHERE id IN ()",
        "SELECT id FROM customer WHERE id = 'x",
    ],
)
async def test_what_is_not_understood_is_a_400(account: Account, text: str) -> None:
    said = await account.query(text)
    assert (said.status, said.code) == (400, "INVALID_PARAMETER")


async def test_quotes_in_values_are_doubled(account: Account) -> None:
    await account.call("PUT", "/record/v1/customer/eid:O'Hara", CUSTOMER)
    assert len((await account.query("SELECT id FROM customer WHERE externalid = 'O''Hara'")).body["items"]) == 1


async def test_the_sixth_request_at_a_time_is_refused_without_a_time_to_wait(tmp_path: Path) -> None:
    async with open_account(tmp_path, limits="real") as account:
        await account.admin("PUT", "faults", {"faults": [{"kind": "slow", "delay_s": 0.3}]})
        said = await asyncio.gather(*(account.query("SELECT id FROM customer") for _ in range(6)))
        refused = [answer for answer in said if answer.status != 200]
        assert [(answer.status, answer.code) for answer in refused] == [(429, "CONCURRENCY_LIMIT_EXCEEDED")]
        assert "Retry-After" not in refused[0].headers
