"""Our client against the sandbox: every verb, every repeat, every kind of failure, and the proof by reading back."""

from typing import Any

import msgspec
import pytest

from accordant.canonical.operation import Applied, Attempt, EffectClass, Operation, ReadRef
from accordant.connector.http import Answer
from accordant.kernel.errors import AccordantError, Busy, Misconfigured, RateLimited, Rejected, Unavailable, Unknown
from accordant.systems.zendesk import connector
from accordant.systems.zendesk.client import Zendesk, explain
from tests.systems.zendesk.desk import Running, Start, connected, settings_of
from tests.systems.zendesk.test_mapping import CUSTOMER, ENTITLEMENT

ATTEMPT = Attempt(key="acc-1")
UPSERT = "organization.upsert"


async def opened_account(client: Zendesk) -> Applied:
    return await client.open_customer(CUSTOMER).send(ATTEMPT)


async def refs(client: Zendesk) -> list[ReadRef]:
    account = await opened_account(client)
    return [ReadRef(kind="customer", native_id=account.receipt.native_id, business_id=CUSTOMER.customer_id)]


async def test_a_verb_describes_and_calls_nothing(client: Zendesk, zendesk: Running) -> None:
    opening, setting = client.open_customer(CUSTOMER), client.set_entitlement(ENTITLEMENT)
    assert (opening.effect_class, setting.effect_class) == (EffectClass.UPSERT, EffectClass.UPSERT)
    assert (opening.kind, setting.kind) == ("customer", "entitlement")
    assert opening.business_id == setting.business_id == CUSTOMER.customer_id
    assert opening.master_data
    assert not setting.master_data
    assert zendesk.changes() == []


async def test_a_customer_is_opened_with_our_id_in_it(client: Zendesk, zendesk: Running) -> None:
    applied = await opened_account(client)
    assert applied.status == 201
    assert not applied.already
    assert applied.receipt.business_id == CUSTOMER.customer_id
    assert applied.request_sha256
    assert applied.response_sha256
    assert zendesk.changes() == [("customer", "create", CUSTOMER.customer_id)]
    assert zendesk.ledger()[0]["native_id"] == applied.receipt.native_id


async def test_repeats_create_nothing_more(client: Zendesk, zendesk: Running) -> None:
    first, again = await opened_account(client), await opened_account(client)
    assert first.receipt == again.receipt
    assert again.already
    for _ in range(2):
        await client.set_entitlement(ENTITLEMENT).send(ATTEMPT)
    creates = [line for line in zendesk.changes() if line[1] == "create"]
    assert creates == [("customer", "create", CUSTOMER.customer_id), ("entitlement", "create", CUSTOMER.customer_id)]


async def test_an_entitlement_leaves_everything_else_alone(client: Zendesk, zendesk: Running) -> None:
    theirs: dict[str, Any] = {"notes": "call Ann", "tags": ["vip"], "domain_names": ["acme.example"]}
    await zendesk.upsert(CUSTOMER.customer_id, name="Acme", **theirs)
    await opened_account(client)
    applied = await client.set_entitlement(ENTITLEMENT).send(ATTEMPT)
    row = zendesk.ledger()[-1]["body"]
    assert {name: row[name] for name in theirs} == theirs
    assert row["name"] == "Acme"
    assert row["organization_fields"]["legal_entity"] == "US01"
    assert applied.receipt.kind == "entitlement"
    await opened_account(client)
    assert zendesk.ledger()[-1]["body"]["organization_fields"]["entitlement_status"] == "active"


async def test_setting_an_entitlement_sets_the_whole_state(client: Zendesk, zendesk: Running) -> None:
    await opened_account(client)
    await client.set_entitlement(ENTITLEMENT).send(ATTEMPT)
    await client.set_entitlement(msgspec.structs.replace(ENTITLEMENT, status="suspended")).send(ATTEMPT)
    (held,) = (await zendesk.admin("GET", "state"))["entitlement"]
    assert held == {
        "business_id": CUSTOMER.customer_id,
        "status": "suspended",
        "service_tier": "plus",
        "ends_on": "2027-01-31",
        "response_minutes": 60,
    }


async def test_a_name_that_is_taken_is_a_clear_refusal(client: Zendesk, zendesk: Running) -> None:
    await zendesk.upsert("customer-other", name="ACME")
    with pytest.raises(Rejected) as refused:
        await opened_account(client)
    assert refused.value.code == "zendesk.name_taken"
    assert refused.value.detail["vendor_code"] == "DuplicateValue"
    assert refused.value.detail["field"] == "name"
    assert "already been taken" in refused.value.message


async def test_an_entitlement_without_customer_is_refused(client: Zendesk, zendesk: Running) -> None:
    with pytest.raises(Rejected) as refused:
        await client.set_entitlement(ENTITLEMENT).send(ATTEMPT)
    assert "open the customer first" in refused.value.message
    assert zendesk.changes() == []


@pytest.mark.parametrize(
    ("fault", "error", "applied"),
    [
        ("rate_limited", RateLimited, False),
        ("error_before_apply", Unknown, False),
        ("down", Unknown, False),
        ("error_after_apply", Unknown, True),
        ("timeout_after_apply", Unknown, True),
        ("reset_after_apply", Unknown, True),
        ("truncated_answer", Unknown, True),
    ],
)
async def test_each_fault_tells_whether_it_was_applied(
    client: Zendesk, zendesk: Running, fault: str, error: type[AccordantError], applied: bool
) -> None:
    await zendesk.fault(fault, operation=UPSERT, delay_s=1.0)
    operation = client.open_customer(CUSTOMER)
    with pytest.raises(error):
        await operation.send(ATTEMPT)
    assert bool(zendesk.changes()) is applied
    await zendesk.admin("DELETE", "faults")
    assert operation.look_up
    assert bool(await operation.look_up(ATTEMPT)) is applied
    await operation.send(ATTEMPT)
    assert [change for _, change, _ in zendesk.changes()].count("create") == 1


async def test_nobody_there_is_surely_not_applied(zendesk: Running) -> None:
    async with connected(zendesk, base_url="http://127.0.0.1:9") as client:
        with pytest.raises(Unavailable):
            await opened_account(client)


async def test_wrong_credentials_are_not_the_deals_fault(zendesk: Running) -> None:
    async with connected(zendesk, credentials={"oauth_token": "guess"}) as client:
        with pytest.raises(AccordantError) as refused:
            await opened_account(client)
        assert not isinstance(refused.value, Rejected | Unknown)


@pytest.mark.parametrize(
    ("status", "body", "error", "vendor_code"),
    [
        (409, b'{"error":"DatabaseConflict","description":"Database collision"}', Busy, None),
        (400, b'{"error":"TooManyValues","max_count":100}', Rejected, "TooManyValues"),
        (403, b'{"error":{"title":"Forbidden","message":"You do not have access"}}', Rejected, "Forbidden"),
        (429, b'{"errors":[{"code":"TooManyRequests","title":"Too many"}]}', Rejected, "TooManyRequests"),
        (422, b'{"error":"RecordInvalid","details":{"name":"odd"}}', Rejected, "RecordInvalid"),
        (422, b'{"error":"RecordInvalid","details":{"name":["odd"]}}', Rejected, "RecordInvalid"),
        (400, b"<html>Bad gateway", Rejected, "400"),
        (400, b"[]", Rejected, "400"),
        (400, b'{"errors":["odd"],"error":[1]}', Rejected, "400"),
    ],
)
def test_each_form_of_refusal_is_read(status: int, body: bytes, error: type[AccordantError], vendor_code: str) -> None:
    told = explain(Answer(status=status, headers={}, body=body))
    assert isinstance(told, error)
    assert told.detail.get("vendor_code") == vendor_code


async def test_a_lie_is_found_by_reading_back(client: Zendesk, zendesk: Running) -> None:
    (ref,) = await refs(client)
    await zendesk.fault("ok_without_apply", operation=UPSERT, count=1)
    await client.set_entitlement(ENTITLEMENT).send(ATTEMPT)
    assert await client.read_back("entitlement", [ref]) == {}
    assert await lookup(client.set_entitlement(ENTITLEMENT)) is None


async def lookup(operation: Operation) -> Applied | None:
    assert operation.look_up
    return await operation.look_up(ATTEMPT)


async def test_a_lookup_sees_what_a_lagging_search_does_not(client: Zendesk, zendesk: Running) -> None:
    await zendesk.fault("index_lag", delay_s=600)
    assert await lookup(client.open_customer(CUSTOMER)) is None
    account = await opened_account(client)
    found = await lookup(client.open_customer(CUSTOMER))
    assert found
    assert found.receipt == account.receipt
    assert await lookup(client.set_entitlement(ENTITLEMENT)) is None
    await client.set_entitlement(ENTITLEMENT).send(ATTEMPT)
    assert await lookup(client.set_entitlement(ENTITLEMENT))


async def test_read_back_verifies_and_finds_the_difference(client: Zendesk, zendesk: Running) -> None:
    (ref,) = await refs(client)
    await client.set_entitlement(ENTITLEMENT).send(ATTEMPT)
    opening, setting = client.open_customer(CUSTOMER), client.set_entitlement(ENTITLEMENT)
    assert await client.read_back("customer", [ref]) == {ref.native_id: opening.expected}
    assert await client.read_back("entitlement", [ref]) == {ref.native_id: setting.expected}
    await zendesk.upsert(CUSTOMER.customer_id, organization_fields={"entitlement_tier": "premium"})
    facts = (await client.read_back("entitlement", [ref]))[ref.native_id]
    different = {name for name, value in facts.items() if setting.expected[name] != value}
    assert different == {"service_tier"}


async def test_read_back_asks_for_a_hundred_at_a_time(client: Zendesk, zendesk: Running) -> None:
    rows = [{"name": f"N{n}", "external_id": f"customer-{n}"} for n in range(250)]
    await zendesk.admin("POST", "load", {"organizations": rows})
    held = zendesk.sandbox.organizations.store.values()  # pyright: ignore[reportAttributeAccessIssue]
    many = [ReadRef(kind="customer", native_id=str(row["id"]), business_id=row["external_id"]) for row in held]
    gone = ReadRef(kind="customer", native_id="1", business_id="customer-gone")
    assert len(await client.read_back("customer", [*many, gone])) == 250
    assert (await zendesk.admin("GET", "counters"))["requests"]["organization.show_many"] == 3
    assert await client.read_back("invoice", many) == {}
    assert await client.read_back("customer", []) == {}


async def test_another_record_under_our_id_is_not_taken_for_ours(client: Zendesk) -> None:
    (ref,) = await refs(client)
    assert await client.read_back("customer", [msgspec.structs.replace(ref, native_id="1")]) == {}


async def test_credentials_are_needed(zendesk: Running) -> None:
    with pytest.raises(Misconfigured):
        connector.manners(settings_of(zendesk, credentials={"email": "a@b.example"}))


async def test_the_quota_is_read_from_the_answer(start: Start) -> None:
    zendesk = await start(limits="real")
    _, _, headers = await zendesk.call("GET", "/api/v2/users/me")
    manners = connector.manners(settings_of(zendesk))
    assert manners.rate_headers
    quota = manners.rate_headers({name.lower(): value for name, value in headers.items()})
    assert quota
    assert (quota.limit, quota.remaining) == (700, 699)
    assert manners.rate_headers({}) is None
    assert manners.rate_headers({"x-rate-limit": "many", "x-rate-limit-remaining": "1"}) is None
