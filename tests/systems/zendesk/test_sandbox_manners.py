"""What the sandbox promises beyond zenpy's reach: refusals, limits, idempotency, lag, faults, webhooks."""

import base64
import hashlib
import hmac
from typing import Any

import msgspec
import pytest

from accordant.systems.zendesk.sandbox import OAUTH_TOKEN
from accordant.systems.zendesk.sandbox.server import PLANS
from tests.systems.zendesk.desk import Desk, Running, Start, basic

ACME = {"name": "Acme", "organization_fields": {"legal_entity": "US01"}}
GOLD = {"entitlement_status": "active", "entitlement_tier": "plus", "entitlement_ends_on": "2027-01-31"}


async def test_without_sign_in_nothing_is_answered(zendesk: Running) -> None:
    for authorization in ("", "Basic", "Basic ?", "Digest x", basic("a/token", "b")):
        given = {"Authorization": authorization}
        status, body, _ = await zendesk.call("GET", "/api/v2/organizations", headers=given)
        assert (status, body) == (401, {"error": "Couldn't authenticate you"})


async def test_an_oauth_token_signs_in_until_it_is_revoked(zendesk: Running) -> None:
    bearer: dict[str, Any] = {"headers": {"Authorization": f"Bearer {OAUTH_TOKEN}"}}
    status, _, _ = await zendesk.call("GET", "/api/v2/users/me", **bearer)
    assert status == 200
    await zendesk.admin("POST", "expire-tokens")
    status, body, _ = await zendesk.call("GET", "/api/v2/users/me", **bearer)
    assert (status, body["error"]) == (401, "invalid_token")


async def test_refusals_are_worded_as_the_vendor_words_them(zendesk: Running) -> None:
    status, body, _ = await zendesk.call("GET", "/api/v2/organizations/1.json")
    assert (status, body) == (404, {"error": "RecordNotFound", "description": "Not found"})
    status, body, _ = await zendesk.call("GET", "/api/v2/nothing")
    assert (status, body["error"]) == (404, "InvalidEndpoint")
    ids = ",".join(str(n) for n in range(101))
    status, body, _ = await zendesk.call("GET", f"/api/v2/organizations/show_many?ids={ids}")
    assert (status, body) == (400, {"error": "TooManyValues", "max_count": 100})
    status, body, _ = await zendesk.call("GET", "/api/v2/organizations?page=101")
    assert (status, body["error"]) == (400, "InvalidPaginationDepth")
    status, body, _ = await zendesk.call("POST", "/api/v2/organizations", data=b"{")
    assert (status, body["error"]) == (422, "Unprocessable Entity")


async def test_an_entitlement_needs_its_organization(zendesk: Running) -> None:
    status, body = await zendesk.upsert("customer-1", organization_fields=GOLD)
    assert status == 422
    assert body["details"]["name"][0]["error"] == "BlankValue"
    assert zendesk.changes() == []


async def test_the_same_upsert_twice_creates_once(zendesk: Running) -> None:
    assert (await zendesk.upsert("customer-1", **ACME))[0] == 201
    assert (await zendesk.upsert("customer-1", **ACME))[0] == 200
    for _ in range(2):
        assert (await zendesk.upsert("customer-1", organization_fields=GOLD))[0] == 200
    assert zendesk.changes() == [
        ("customer", "create", "customer-1"),
        ("customer", "update", "customer-1"),
        ("entitlement", "create", "customer-1"),
        ("entitlement", "update", "customer-1"),
    ]
    state = await zendesk.admin("GET", "state")
    assert state["customer"] == [
        {"business_id": "customer-1", "name": "Acme", "parent_id": None, "legal_entity": "US01", "country": None}
    ]
    assert [row["ends_on"] for row in state["entitlement"]] == ["2027-01-31"]


async def test_the_state_does_not_tell_in_which_order_it_came_about(start: Start, tmp_path: Any) -> None:
    dumps: list[Any] = []
    for names in (["A", "B", "C"], ["C", "A", "B"]):
        zendesk = await start(seed=len(dumps))
        for name in names:
            await zendesk.upsert(f"customer-{name}", name=name)
        dumps.append(msgspec.json.encode(await zendesk.admin("GET", "state")))
    assert dumps[0] == dumps[1]


async def test_fields_the_account_does_not_have_are_passed_over(zendesk: Running) -> None:
    _, body = await zendesk.upsert("customer-1", name="Acme", organization_fields={"tier": "gold", "country": "US"})
    assert "tier" not in body["organization"]["organization_fields"]
    assert body["organization"]["organization_fields"]["country"] == "US"


@pytest.mark.parametrize(
    ("field", "value"), [("entitlement_ends_on", "soon"), ("entitlement_response_minutes", "fast")]
)
async def test_a_typed_field_takes_its_type_only(zendesk: Running, field: str, value: str) -> None:
    status, body = await zendesk.upsert("customer-1", name="Acme", organization_fields={field: value})
    assert status == 422
    assert field in body["details"]


@pytest.mark.parametrize("plan", ["team", "enterprise", "high_volume"])
async def test_the_account_has_so_many_calls_a_minute(start: Start, plan: str) -> None:
    zendesk = await start(limits="real", settings={"plan": plan})
    _, _, headers = await zendesk.call("GET", "/api/v2/users/me")
    assert headers["X-Rate-Limit"] == headers["ratelimit-limit"] == str(PLANS[plan])
    assert headers["X-Rate-Limit-Remaining"] == str(PLANS[plan] - 1)


async def test_over_the_limit_the_answer_says_how_long_to_wait(start: Start) -> None:
    zendesk = await start(limits="real", settings={"plan": "team"})
    answers = [await zendesk.call("GET", "/api/v2/users/me") for _ in range(205)]
    refused = [(body, headers) for status, body, headers in answers if status == 429]
    assert refused
    assert refused[0][0]["error"] == "APIRateLimitExceeded"
    assert int(refused[0][1]["Retry-After"]) >= 1


async def test_one_ticket_is_updated_thirty_times_in_ten_minutes(start: Start) -> None:
    zendesk = await start(limits="real")
    for _ in range(2):
        await zendesk.call("POST", "/api/v2/tickets", json={"ticket": {"comment": {"body": "Help"}}})
    change = {"ticket": {"status": "open"}}
    statuses = [(await zendesk.call("PUT", "/api/v2/tickets/1.json", json=change))[0] for _ in range(31)]
    assert statuses == [200] * 30 + [429]
    assert (await zendesk.call("PUT", "/api/v2/tickets/1", json=change))[0] == 429, "the suffix is the same ticket"
    assert (await zendesk.call("PUT", "/api/v2/tickets/2", json=change))[0] == 200


async def test_a_ticket_is_created_once_per_key_for_two_hours(zendesk: Running) -> None:
    async def create(text: str) -> tuple[int, Any, str | None]:
        ticket = {"ticket": {"subject": text, "comment": {"body": text}}}
        status, body, headers = await zendesk.call(
            "POST", "/api/v2/tickets", json=ticket, headers={"Idempotency-Key": "k-1"}
        )
        return status, body, headers.get("x-idempotency-lookup")

    first, second = await create("A"), await create("A")
    assert (first[0], first[2]) == (201, "miss")
    assert (second[0], second[2]) == (201, "hit")
    assert first[1]["ticket"]["id"] == second[1]["ticket"]["id"]
    status, body, _ = await create("B")
    assert (status, body["error"]) == (400, "IdempotentRequestError")
    assert [change for kind, change, _ in zendesk.changes() if kind == "ticket"] == ["create"]
    assert zendesk.ledger()[0]["key"] == "k-1"
    await zendesk.admin("POST", "clock", {"advance_s": 7201})
    assert (await create("A"))[1]["ticket"]["id"] != first[1]["ticket"]["id"]


async def test_an_outdated_safe_update_is_a_conflict(zendesk: Running) -> None:
    await zendesk.call("POST", "/api/v2/tickets", json={"ticket": {"comment": {"body": "Help"}}})
    stale = {"ticket": {"status": "open", "safe_update": True, "updated_stamp": "2020-01-01T00:00:00Z"}}
    status, body, _ = await zendesk.call("PUT", "/api/v2/tickets/1", json=stale)
    assert (status, body["error"]) == (409, "UpdateConflict")


async def test_a_search_lags_and_a_read_by_external_id_does_not(zendesk: Running) -> None:
    await zendesk.fault("index_lag", delay_s=60)
    await zendesk.upsert("customer-1", **ACME)
    for path in (
        "organizations/search?external_id=customer-1",
        "search?query=type:organization external_id:customer-1",
    ):
        assert (await zendesk.call("GET", f"/api/v2/{path}"))[1]["count"] == 0
    assert (await zendesk.call("GET", "/api/v2/organizations/show_many?external_ids=Customer-1"))[1]["count"] == 1
    await zendesk.admin("POST", "clock", {"advance_s": 61})
    assert (await zendesk.call("GET", "/api/v2/organizations/search?name=ACME"))[1]["count"] == 1


async def test_tickets_are_exported_by_cursor(zendesk: Running) -> None:
    for n in range(3):
        ticket = {"subject": str(n), "comment": {"body": "Help"}}
        await zendesk.call("POST", "/api/v2/tickets", json={"ticket": ticket})
    now = int(zendesk.sandbox.kit.clock.now_s())
    status, body, _ = await zendesk.call("GET", f"/api/v2/incremental/tickets/cursor?start_time={now}")
    assert (status, body["error"]) == (400, "InvalidValue"), "less than a minute ago"
    _, page, _ = await zendesk.call("GET", f"/api/v2/incremental/tickets/cursor?start_time={now - 3600}")
    assert [row["subject"] for row in page["tickets"]] == ["0", "1", "2"]
    assert page["end_of_stream"]
    await zendesk.call("PUT", "/api/v2/tickets/2", json={"ticket": {"status": "open"}})
    _, page, _ = await zendesk.call("GET", f"/api/v2/incremental/tickets/cursor?cursor={page['after_cursor']}")
    assert [row["subject"] for row in page["tickets"]] == ["1"]


async def test_the_same_bulk_change_for_many(zendesk: Running) -> None:
    await zendesk.upsert("customer-1", name="A")
    await zendesk.upsert("customer-2", name="B")
    path = "/api/v2/organizations/update_many?external_ids=customer-1,customer-2,customer-3"
    _, queued, _ = await zendesk.call("PUT", path, json={"organization": {"notes": "seen"}})
    assert queued["job_status"]["status"] == "queued"
    _, done, _ = await zendesk.call("GET", f"/api/v2/job_statuses/{queued['job_status']['id']}.json")
    assert [result.get("success") for result in done["job_status"]["results"]] == [True, True, None]


async def test_a_fault_after_the_write_loses_the_answer_not_the_write(zendesk: Running) -> None:
    await zendesk.fault("error_after_apply", operation="organization.upsert", count=1)
    assert (await zendesk.upsert("customer-1", **ACME))[0] == 500
    assert (await zendesk.upsert("customer-1", **ACME))[0] == 200
    assert [change for _, change, _ in zendesk.changes()] == ["create", "update"]


async def test_events_are_told_and_signed(zendesk: Running) -> None:
    desk = Desk()
    await desk.register(zendesk, "zen:event-type:organization.*", "zen:event-type:ticket.created")
    await zendesk.upsert("customer-1", **ACME)
    await zendesk.upsert("customer-1", name="Acme Ltd", organization_fields={"legal_entity": "DE01"})
    await zendesk.call("POST", "/api/v2/tickets", json={"ticket": {"comment": {"body": "Help"}}})
    await zendesk.call("PUT", "/api/v2/tickets/1", json={"ticket": {"status": "open"}})
    await zendesk.deliveries_done()
    assert sorted(desk.types()) == [
        "organization.created",
        "organization.custom_field_changed",
        "organization.name_changed",
        "ticket.created",
    ]
    for headers, body in desk.received:
        signed = headers["x-zendesk-webhook-signature-timestamp"].encode() + body
        expected = base64.b64encode(hmac.new(b"s3cret", signed, hashlib.sha256).digest()).decode()
        assert headers["x-zendesk-webhook-signature"] == expected
        assert headers["x-zendesk-webhook-invocation-id"].isdigit()
    await desk.server.close()


async def test_a_busy_listener_is_told_again_with_the_same_ids(zendesk: Running) -> None:
    desk = Desk()
    desk.answers = [(409, {}), (429, {"Retry-After": "0"}), (503, {"Retry-After": "0"})]
    await desk.register(zendesk, "zen:event-type:organization.created")
    await zendesk.upsert("customer-1", **ACME)
    for _ in range(100):
        await zendesk.admin("POST", "clock", {"advance_s": 1})
        if len(desk.received) == 4:
            break
    report = await zendesk.deliveries_done()
    assert (report["attempts"], report["delivered"]) == (4, 1)
    assert len({body for _, body in desk.received}) == 1
    assert len({headers["x-zendesk-webhook-invocation-id"] for headers, _ in desk.received}) == 1
    await desk.server.close()


async def test_an_error_of_the_listener_is_final(zendesk: Running) -> None:
    desk = Desk()
    desk.answers = [(500, {})]
    await desk.register(zendesk, "zen:event-type:organization.created")
    await zendesk.upsert("customer-1", **ACME)
    report = await zendesk.deliveries_done()
    assert (report["attempts"], report["failed"]) == (1, 1)
    await desk.server.close()
