"""Records of the offline account as a foreign integration sees them."""

from decimal import Decimal

import pytest

from tests.systems.netsuite.account import CUSTOMER, Account, order

LINE_1 = {"item": {"externalId": "SKU-1"}, "quantity": 2, "amount": 1054.5}
LINE_2 = {"item": {"externalId": "SKU-2"}, "quantity": 1, "amount": 99}


async def customer(account: Account, external_id: str = "C-1", **more: object) -> str:
    said = await account.call("PUT", f"/record/v1/customer/eid:{external_id}", {**CUSTOMER, **more})
    assert said.status == 204, said
    return said.headers["Location"].rsplit("/", 1)[1]


async def test_put_by_external_id_inserts_once_and_then_updates(account: Account) -> None:
    first = await customer(account)
    second = await customer(account, companyName="Acme AG")
    assert first == second
    said = await account.call("GET", "/record/v1/customer/eid:C-1")
    assert said.body["companyName"] == "Acme AG"
    assert said.body["subsidiary"]["externalId"] == "US01"
    assert [line["change"] for line in account.ledger()] == ["create", "update"]


async def test_post_answers_204_with_location_and_refuses_a_second_with_the_same_external_id(account: Account) -> None:
    said = await account.call("POST", "/record/v1/customer", {**CUSTOMER, "externalId": "C-9"})
    assert (said.status, said.body) == (204, None)
    native_id = said.headers["Location"].rsplit("/", 1)[1]
    assert (await account.call("GET", f"/record/v1/customer/{native_id}")).body["externalId"] == "C-9"
    again = await account.call("POST", "/record/v1/customer", {**CUSTOMER, "externalId": "C-9"})
    assert (again.status, again.code) == (400, "USER_ERROR")


async def test_an_order_carries_exact_amounts_into_record_and_ledger(account: Account) -> None:
    await customer(account)
    said = await account.call("PUT", "/record/v1/salesOrder/eid:O-1?replace=item", order(LINE_1, LINE_2))
    assert said.status == 204, said
    got = await account.call("GET", "/record/v1/salesOrder/eid:O-1?expandSubResources=true")
    assert got.body["total"] == Decimal("1153.5")
    assert got.body["orderStatus"] == {"id": "B", "refName": "Pending Fulfillment"}
    assert [line["amount"] for line in got.body["item"]["items"]] == [Decimal("1054.5"), 99]
    line = account.ledger()[-1]
    assert (line["kind"], line["business_id"], line["amount_minor"], line["currency"]) == (
        "order",
        "O-1",
        115350,
        "USD",
    )


async def test_sublists_are_links_unless_expanded(account: Account) -> None:
    await customer(account)
    await account.call("PUT", "/record/v1/salesOrder/eid:O-1", order(LINE_1))
    got = await account.call("GET", "/record/v1/salesOrder/eid:O-1")
    assert list(got.body["item"]) == ["links"]


async def test_lines_are_appended_unless_the_sublist_is_replaced(account: Account) -> None:
    await customer(account)
    for _ in range(2):
        await account.call("PUT", "/record/v1/salesOrder/eid:O-1", order(LINE_1))
    assert account.ledger()[-1]["amount_minor"] == 210900
    await account.call("PUT", "/record/v1/salesOrder/eid:O-1?replace=item", order(LINE_1))
    assert account.ledger()[-1]["amount_minor"] == 105450


async def test_an_order_whose_lines_are_all_closed_is_closed(account: Account) -> None:
    await customer(account)
    await account.call("PUT", "/record/v1/salesOrder/eid:O-1", order(LINE_1))
    closing = {"item": {"items": [{**LINE_1, "isClosed": True}]}}
    await account.call("PATCH", "/record/v1/salesOrder/eid:O-1?replace=item", closing)
    got = await account.call("GET", "/record/v1/salesOrder/eid:O-1")
    assert (got.body["orderStatus"]["id"], got.body["otherRefNum"]) == ("H", "OPP-1")


@pytest.mark.parametrize(
    ("change", "code", "path"),
    [
        ({"entity": {"externalId": "nobody"}}, "INVALID_CONTENT", "entity"),
        ({"subsidiary": {"externalId": "XX"}}, "INVALID_CONTENT", "subsidiary"),
        ({"subsidiary": {"externalId": "DE01"}}, "INVALID_CONTENT", "subsidiary"),
        ({"currency": {"id": "99"}}, "INVALID_CONTENT", "currency"),
        (
            {"item": {"items": [{"item": {"externalId": "SKU-9"}, "amount": 1}]}},
            "INVALID_CONTENT",
            "item.items[0].item",
        ),
        ({"item": {"items": [{"amount": 1}]}}, "USER_ERROR", "item.items[0]"),
        ({"item": {"items": [{**LINE_1, "amount": "1054"}]}}, "INVALID_CONTENT", "item.items[0].amount"),
        ({"item": {"items": []}}, "USER_ERROR", "item"),
        ({"entity": None}, "USER_ERROR", "entity"),
        ({"otherRefNum": "x" * 46}, "USER_ERROR", "otherRefNum"),
    ],
)
async def test_a_save_is_refused_where_netsuite_refuses_it(
    account: Account, change: dict[str, object], code: str, path: str
) -> None:
    await customer(account)
    said = await account.call("PUT", "/record/v1/salesOrder/eid:O-1", order(**change))
    assert (said.status, said.code, said.path) == (400, code, path)
    assert [line["kind"] for line in account.ledger()] == ["customer"]


async def test_an_inactive_item_stops_an_amendment_until_it_is_activated(account: Account) -> None:
    await customer(account)
    await account.call("PUT", "/record/v1/salesOrder/eid:O-1", order(LINE_1))
    await account.admin("POST", "load", {"items": [{"external_id": "SKU-2", "inactive": True}]})
    amended = {"item": {"items": [LINE_2]}}
    said = await account.call("PATCH", "/record/v1/salesOrder/eid:O-1?replace=item", amended)
    assert (said.status, said.path) == (400, "item.items[0].item")
    await account.admin("POST", "load", {"items": [{"external_id": "SKU-2"}]})
    assert (await account.call("PATCH", "/record/v1/salesOrder/eid:O-1?replace=item", amended)).status == 204


async def test_an_inactive_customer_or_subsidiary_takes_no_order(account: Account) -> None:
    await customer(account)
    await account.call("PATCH", "/record/v1/customer/eid:C-1", {"isInactive": True})
    assert (await account.call("PUT", "/record/v1/salesOrder/eid:O-1", order())).path == "entity"
    await account.call("PATCH", "/record/v1/customer/eid:C-1", {"isInactive": False})
    await account.admin("POST", "load", {"subsidiaries": [{"external_id": "US01", "inactive": True}]})
    assert (await account.call("PUT", "/record/v1/salesOrder/eid:O-1", order())).path == "subsidiary"


async def test_a_closed_period_takes_no_order_until_it_is_opened(account: Account) -> None:
    await customer(account)
    await account.admin("POST", "load", {"periods": [{"starts_on": "2026-03-01", "ends_on": "2026-03-31"}]})
    said = await account.call("PUT", "/record/v1/salesOrder/eid:O-1", order())
    assert (said.status, said.path) == (400, "tranDate")
    assert (await account.call("PUT", "/record/v1/salesOrder/eid:O-1", order(tranDate="2026-04-01"))).status == 204
    await account.admin("POST", "load", {"periods": []})
    assert (await account.call("PUT", "/record/v1/salesOrder/eid:O-2", order())).status == 204


async def test_texts_are_kept_as_they_came(account: Account) -> None:
    name = "  Ünï‑cøde \u0000 <b>&amp; 'x' \U0001f4b6  "
    await customer(account, companyName=name)
    assert (await account.call("GET", "/record/v1/customer/eid:C-1")).body["companyName"] == name


async def test_what_does_not_exist_is_said_so(account: Account) -> None:
    for path in ("/record/v1/customer/eid:none", "/record/v1/customer/1", "/record/v1/salesOrder/eid:none"):
        said = await account.call("GET", path)
        assert (said.status, said.code) == (404, "NONEXISTENT_ID")
    assert (await account.call("PATCH", "/record/v1/salesOrder/eid:none", {})).status == 404
    assert (await account.call("GET", "/record/v1/spaceship/1")).status == 404
    assert (await account.call("GET", "/nowhere")).status == 404
    assert (await account.call("PUT", "/record/v1/customer/1001", CUSTOMER)).status == 400


async def test_deleting_needs_that_nothing_depends_on_it(account: Account) -> None:
    await customer(account)
    await account.call("PUT", "/record/v1/salesOrder/eid:O-1", order())
    assert (await account.call("DELETE", "/record/v1/customer/eid:C-1")).status == 400
    assert (await account.call("DELETE", "/record/v1/salesOrder/eid:O-1")).status == 204
    assert (await account.call("DELETE", "/record/v1/customer/eid:C-1")).status == 204
    assert [line["change"] for line in account.ledger()][-2:] == ["delete", "delete"]


@pytest.mark.parametrize("body", ["[]", "null", "{", '{"companyName": 1e999999999}', "\ud800"])
async def test_an_unreadable_body_is_a_400(account: Account, body: str) -> None:
    url = f"{account.url}/services/rest/record/v1/customer/eid:C-1"
    _, headers, _ = account.signer().sign(url, "PUT")
    async with account.session.put(
        url, data=body.encode("utf-8", "surrogatepass"), headers={**headers, "Content-Type": "application/json"}
    ) as answer:
        assert answer.status == 400


async def test_the_dump_speaks_in_business_ids(account: Account) -> None:
    await customer(account, "C-0", companyName="Parent")
    await customer(account, parent={"externalId": "C-0"})
    await account.call("PUT", "/record/v1/salesOrder/eid:O-1", order(LINE_1))
    state = await account.admin("GET", "state")
    assert state == {
        "customer": [
            {"business_id": "C-0", "name": "Parent", "subsidiary": "US01", "parent": None}
            | {"country": "US", "currency": "USD", "hold": "AUTO"},
            {"business_id": "C-1", "name": "Acme GmbH", "subsidiary": "US01", "parent": "C-0"}
            | {"country": "US", "currency": "USD", "hold": "AUTO"},
        ],
        "order": [
            {
                "business_id": "O-1",
                "customer": "C-1",
                "subsidiary": "US01",
                "currency": "USD",
                "amount_minor": 105450,
                "lines": [{"product": "SKU-1", "quantity": "2", "amount_minor": 105450}],
                "opportunity": "OPP-1",
                "subscription": "sub-1",
                "date": "2026-03-31",
                "status": "open",
            }
        ],
        "credit_memo": [],
        "invoice": [],
        "payment": [],
        "customer_refund": [],
    }
