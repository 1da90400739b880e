"""Our client against the offline account, over real HTTP: every verb, every repeat, every way to fail."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from accordant.canonical.operation import Applied, EffectClass, ReadRef
from accordant.connector.http import Answer
from accordant.kernel.errors import Busy, Malformed, Misconfigured, RateLimited, Rejected, Retryable, Unknown, Unmapped
from accordant.systems.netsuite import connector
from accordant.systems.netsuite.client import NetSuite
from accordant.systems.netsuite.client.manners import explain
from tests.systems.netsuite.account import Account, open_account
from tests.systems.netsuite.connected import ATTEMPT, connected, fault, problem, verified
from tests.systems.netsuite.sold import customer, order


async def sold(erp: NetSuite) -> Applied:
    await erp.open_customer(customer(), erp_entity="US01").send(ATTEMPT)
    return await erp.place_order(order()).send(ATTEMPT)


async def test_a_customer_is_opened_once_however_often_it_is_sent(account: Account, erp: NetSuite) -> None:
    operation = erp.open_customer(customer(), erp_entity="US01")
    first, second = await operation.send(ATTEMPT), await operation.send(ATTEMPT)
    assert (operation.effect_class, operation.master_data) == (EffectClass.UPSERT, True)
    assert first.receipt == second.receipt
    assert first.receipt.business_id == "customer-1"
    assert [line["change"] for line in account.ledger()] == ["create", "update"]
    assert await verified(erp, operation, first)
    state = await account.admin("GET", "state")
    assert [(c["subsidiary"], c["country"], c["currency"]) for c in state["customer"]] == [("US01", "US", "USD")]


async def test_sending_a_customer_again_does_not_pile_up_addresses(account: Account, erp: NetSuite) -> None:
    operation = erp.open_customer(customer(), erp_entity="US01")
    for _ in range(2):
        await operation.send(ATTEMPT)
    got = await account.call("GET", "/record/v1/customer/eid:customer-1?expandSubResources=true")
    assert got.body["addressBook"]["totalResults"] == 1


async def test_a_child_names_its_parent_by_our_id(account: Account, erp: NetSuite) -> None:
    await erp.open_customer(customer("customer-0"), erp_entity="1").send(ATTEMPT)
    operation = erp.open_customer(customer(parent_id="customer-0"), erp_entity="US01")
    assert await verified(erp, operation, await operation.send(ATTEMPT))
    orphan = erp.open_customer(customer("customer-2", parent_id="nobody"), erp_entity="US01")
    with pytest.raises(Rejected) as raised:
        await orphan.send(ATTEMPT)
    assert raised.value.detail["field"] == "parent"


async def test_an_order_sent_twice_is_one_order_of_the_same_amount(account: Account, erp: NetSuite) -> None:
    await sold(erp)
    operation = erp.place_order(order())
    applied = await operation.send(ATTEMPT)
    lines = [line for line in account.ledger() if line["kind"] == "order"]
    assert [(line["change"], line["amount_minor"], line["currency"]) for line in lines] == [
        ("create", 105450, "USD"),
        ("update", 105450, "USD"),
    ]
    assert await verified(erp, operation, applied)
    assert len(applied.request_sha256) == len(applied.response_sha256) == 64


async def test_an_amendment_replaces_the_lines(account: Account, erp: NetSuite) -> None:
    placed = await sold(erp)
    operation = erp.amend_order(order(200000, 99))
    applied = await operation.send(ATTEMPT)
    assert applied.receipt.native_id == placed.receipt.native_id
    assert await verified(erp, operation, applied)
    assert not await verified(erp, erp.place_order(order()), placed)
    (record,) = (await account.admin("GET", "state"))["order"]
    assert [(line["product"], line["amount_minor"]) for line in record["lines"]] == [("SKU-1", 200000), ("SKU-2", 99)]
    assert (record["opportunity"], record["subscription"], record["date"]) == ("OPP-1", "subscription-1", "2026-03-31")


async def test_an_amendment_never_makes_an_order(account: Account, erp: NetSuite) -> None:
    await erp.open_customer(customer(), erp_entity="US01").send(ATTEMPT)
    with pytest.raises(Rejected) as raised:
        await erp.amend_order(order()).send(ATTEMPT)
    assert raised.value.code == "netsuite.nonexistent_id"
    assert [line["kind"] for line in account.ledger()] == ["customer"]


async def test_a_closed_order_stays_in_the_books(account: Account, erp: NetSuite) -> None:
    await sold(erp)
    operation = erp.close_order(order())
    assert await verified(erp, operation, await operation.send(ATTEMPT))
    assert [record["status"] for record in (await account.admin("GET", "state"))["order"]] == ["closed"]


async def test_the_books_refuse_an_amendment_until_the_item_is_active_again(account: Account, erp: NetSuite) -> None:
    await sold(erp)
    await account.admin("POST", "load", {"items": [{"external_id": "SKU-2", "inactive": True}]})
    operation = erp.amend_order(order(105450, 99))
    with pytest.raises(Rejected) as raised:
        await operation.send(ATTEMPT)
    assert raised.value.code == "netsuite.invalid_content"
    assert raised.value.detail["field"] == "item.items[1].item"
    assert "SKU-2" in raised.value.message
    await account.admin("POST", "load", {"items": [{"external_id": "SKU-2"}]})
    assert await verified(erp, operation, await operation.send(ATTEMPT))


@pytest.mark.parametrize(
    ("change", "field"),
    [({"erp_entity": "NOWHERE"}, "subsidiary"), ({"customer_id": "nobody"}, "entity")],
)
async def test_what_the_books_do_not_know_is_refused_with_its_place(
    erp: NetSuite, change: dict[str, str], field: str
) -> None:
    await sold(erp)
    with pytest.raises(Rejected) as raised:
        await erp.place_order(order(order_id="order-2", **change)).send(ATTEMPT)
    assert raised.value.detail["field"] == field


async def test_what_cannot_be_mapped_is_refused_before_anything_is_sent(account: Account, erp: NetSuite) -> None:
    with pytest.raises(Unmapped):
        await erp.open_customer(customer(currency="NOK"), erp_entity="US01").send(ATTEMPT)
    with pytest.raises(Malformed):
        await erp.open_customer(customer("a b"), erp_entity="US01").send(ATTEMPT)
    assert (await account.admin("GET", "counters"))["requests"] == {}


@pytest.mark.parametrize(
    ("kind", "error", "applied"),
    [
        ("rate_limited", Retryable, False),
        ("token_expired", Retryable, False),
        ("error_before_apply", Unknown, False),
        ("error_after_apply", Unknown, True),
        ("timeout_after_apply", Unknown, True),
        ("reset_after_apply", Unknown, True),
        ("down", Unknown, False),
    ],
)
async def test_each_fault_of_a_write_becomes_the_right_kind_of_error(
    account: Account, erp: NetSuite, kind: str, error: type[Exception], applied: bool
) -> None:
    await erp.open_customer(customer(), erp_entity="US01").send(ATTEMPT)
    operation = erp.place_order(order())
    assert operation.look_up
    await fault(account, kind, operation="*" if kind == "down" else "record.upsert")
    with pytest.raises(error):
        await operation.send(ATTEMPT)
    await account.admin("DELETE", "faults")
    found = await operation.look_up(ATTEMPT)
    assert (found is not None) is applied
    again = await operation.send(ATTEMPT)
    assert found is None or found.receipt == again.receipt
    orders = [line for line in account.ledger() if line["kind"] == "order"]
    assert [line["change"] for line in orders] == (["create", "update"] if applied else ["create"])


async def test_success_that_was_a_lie_is_found_by_reading_back(account: Account, erp: NetSuite) -> None:
    await erp.open_customer(customer(), erp_entity="US01").send(ATTEMPT)
    operation = erp.place_order(order())
    await fault(account, "ok_without_apply")
    applied = await operation.send(ATTEMPT)
    assert not await verified(erp, operation, applied)
    assert operation.look_up
    assert await operation.look_up(ATTEMPT) is None


async def test_reads_outlast_trouble_that_passes(account: Account, erp: NetSuite) -> None:
    operation = erp.place_order(order())
    applied = await sold(erp)
    for kind in ("error_before_apply", "rate_limited", "truncated_answer", "down"):
        await fault(account, kind, count=1)
        assert await verified(erp, operation, applied), kind


async def test_a_lookup_counts_an_order_only_in_the_state_of_this_operation(erp: NetSuite) -> None:
    await sold(erp)
    amend, close = erp.amend_order(order(200000)), erp.close_order(order(200000))
    assert amend.look_up
    assert close.look_up
    assert await amend.look_up(ATTEMPT) is None
    sent = await amend.send(ATTEMPT)
    found = await amend.look_up(ATTEMPT)
    assert found is not None
    assert found.receipt == sent.receipt
    assert await close.look_up(ATTEMPT) is None
    await close.send(ATTEMPT)
    assert await close.look_up(ATTEMPT) is not None


async def test_reading_back_shows_what_somebody_changed_in_the_books(account: Account, erp: NetSuite) -> None:
    placed = await sold(erp)
    changed = {"item": {"items": [{"item": {"externalId": "SKU-1"}, "quantity": 1, "amount": 1}]}}
    await account.call("PATCH", "/record/v1/salesOrder/eid:order-1?replace=item", changed)
    ref = ReadRef(kind="order", native_id=placed.receipt.native_id, business_id="order-1")
    facts = (await erp.read_back("order", [ref]))[ref.native_id]
    assert facts == {**erp.place_order(order()).expected, "amount_minor": 100}


async def test_reading_back_goes_by_hundreds_and_leaves_out_what_is_not_there(account: Account, erp: NetSuite) -> None:
    await erp.open_customer(customer(), erp_entity="US01").send(ATTEMPT)
    refs: list[ReadRef] = []
    for number in range(130):
        applied = await erp.place_order(order(number + 1, order_id=f"order-{number}")).send(ATTEMPT)
        refs.append(ReadRef(kind="order", native_id=applied.receipt.native_id, business_id=f"order-{number}"))
    refs += [ReadRef(kind="order", native_id=wrong, business_id="x") for wrong in ("99999", "", "1 OR 1=1", "٣")]
    facts = await erp.read_back("order", refs)
    assert [facts[ref.native_id]["amount_minor"] for ref in refs[:130]] == list(range(1, 131))
    assert len(facts) == 130
    assert (await account.admin("GET", "counters"))["requests"]["query.suiteql"] == 4
    assert await erp.read_back("ticket", refs) == {}


async def test_a_certificate_buys_a_token_that_is_renewed_when_it_is_refused(account: Account) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    certificate = {"certificate_id": "cert-1", "client_id": "client-1", "public_key": public.decode()}
    await account.admin("POST", "load", {"certificates": [certificate]})
    credentials = {"client_id": "client-1", "certificate_id": "cert-1", "private_key_pem": private.decode()}
    async with connected(account, credentials=credentials) as erp:
        await erp.open_customer(customer(), erp_entity="US01").send(ATTEMPT)
        await account.admin("POST", "expire-tokens")
        await erp.place_order(order()).send(ATTEMPT)
    assert (await account.admin("GET", "counters"))["requests"]["oauth2.token"] == 2
    async with connected(account, credentials={**credentials, "client_id": "somebody"}) as stranger:
        with pytest.raises(Retryable):
            await stranger.open_customer(customer(), erp_entity="US01").send(ATTEMPT)


async def test_wrong_keys_park_the_work_and_show_no_secret(account: Account) -> None:
    wrong = {**connector.sandbox_seed.credentials, "token_secret": "not-the-secret"}
    async with connected(account, credentials=wrong) as erp:
        with pytest.raises(Retryable) as raised:
            await erp.open_customer(customer(), erp_entity="US01").send(ATTEMPT)
    assert raised.value.code == "vendor.credentials_refused"
    assert "not-the-secret" not in str(raised.value.as_dict())
    assert account.ledger() == []


@pytest.mark.parametrize(
    "changes",
    [{"credentials": {}}, {"options": {}}, {"options": {"account_id": "X"}}, {"options": {"currency_ids": {}}}],
)
async def test_a_connection_that_lacks_something_is_refused_at_once(account: Account, changes: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured):
        async with connected(account, **changes):
            pass


async def test_the_accounts_five_places_are_shared_without_a_single_429(tmp_path: Path) -> None:
    async with open_account(tmp_path, limits="real") as account, connected(account, concurrency=5) as erp:
        await erp.open_customer(customer(), erp_entity="US01").send(ATTEMPT)
        await fault(account, "slow", delay_s=0.02)
        orders = [order(order_id=f"order-{number}") for number in range(40)]
        await asyncio.gather(*(erp.place_order(one).send(ATTEMPT) for one in orders))
        limits = (await account.admin("GET", "counters"))["limits"]
        assert (limits["refused"], len((await account.admin("GET", "state"))["order"])) == (0, 40)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, problem("RCRD_HAS_BEEN_CHANGED", "Record has been changed"), Busy),
        (400, problem("SSS_REQUEST_LIMIT_EXCEEDED", "Request Limit Exceeded"), RateLimited),
        (400, problem("USER_ERROR", "Please enter value(s) for: Customer."), Rejected),
        (403, b"<html>not for you</html>", Rejected),
        (400, b"", Rejected),
        (400, b'{"o:errorDetails": [null]}', Rejected),
        (400, b'{"o:errorDetails": {}, "title": 7}', Rejected),
        (400, b"[[]]", Rejected),
    ],
)
def test_refusals_are_told_apart(status: int, body: bytes, error: type[Exception]) -> None:
    assert type(explain(Answer(status=status, headers={}, body=body, wrote=True))) is error
