"""An agent asks in one field and is answered in four, over HTTP: what is written, proved, refused and told."""

import time
from typing import Any

import msgspec
import pytest

from accordant.backbone.message import Ignored
from accordant.canonical.case import CaseOutcome, CreditRequested
from accordant.canonical.operation import Applied, Attempt, EffectClass, ReadRef, Receipt
from accordant.kernel.errors import Misconfigured, RateLimited, Rejected, Unknown
from accordant.kernel.money import Money
from accordant.systems.zendesk.client import Zendesk
from accordant.systems.zendesk.mapping import translate
from accordant.systems.zendesk.mapping.nouns import ANSWER, REQUEST
from accordant.systems.zendesk.sandbox import API_TOKEN, OAUTH_TOKEN
from accordant.systems.zendesk.sandbox.ticket_fields import AGENTS_FIELDS
from accordant.systems.zendesk.webhooks import verify
from tests.systems.zendesk.desk import Desk, Running, Start, basic, connected
from tests.systems.zendesk.test_mapping import message

ATTEMPT = Attempt(key="acc-1")
UPDATE = "ticket.update"
CREDITED = CaseOutcome(
    case_id="1",
    source_id="1",
    status="credited",
    credit=Money(12050, "USD"),
    reason="agreed by finance",
    transaction_id="tx-1",
)
IN_REVIEW = msgspec.structs.replace(CREDITED, status="in review", credit=None, reason="")
FACTS = {"status": "credited", "granted": "120.5", "note": "agreed by finance", "transaction": "tx-1"}
REF = ReadRef(kind="case", native_id="1", business_id="1")


@pytest.fixture
async def zendesk(start: Start) -> Running:
    """An account whose administrator made the fields, an agent, a customer, and an urgent ticket of that customer."""
    running = await start()
    await prepare(running)
    return running


async def prepare(zendesk: Running) -> None:
    await zendesk.admin(
        "POST",
        "load",
        {
            "ticket_fields": [{"title": "Environment", "type": "text"}, *AGENTS_FIELDS],
            "users": [
                {"name": "Ann", "email": "ann@desk.example", "role": "agent"},
                {"name": "Eve", "email": "eve@acme.example"},
            ],
            "organizations": [{"name": "Acme", "external_id": "customer-1"}],
        },
    )
    _, listed, _ = await zendesk.call("GET", "/api/v2/organizations")
    ticket = {"subject": "Printer", "comment": {"body": "It burns"}, "priority": "urgent"}
    ticket["organization_id"] = listed["organizations"][0]["id"]
    await zendesk.admin("POST", "load", {"tickets": [ticket, {"subject": "Other", "comment": {"body": "Help"}}]})


async def ids_of(zendesk: Running) -> dict[str, int]:
    _, body, _ = await zendesk.call("GET", "/api/v2/ticket_fields")
    return {row["title"]: row["id"] for row in body["ticket_fields"] if row["active"]}


async def fill(zendesk: Running, title: str, value: Any, **given: Any) -> int:
    """An agent writes one field of the first ticket."""
    fields = [{"id": (await ids_of(zendesk))[title], "value": value}]
    status, _, _ = await zendesk.call("PUT", "/api/v2/tickets/1", json={"ticket": {"custom_fields": fields}}, **given)
    return status


async def sent(client: Zendesk, outcome: CaseOutcome = CREDITED) -> Applied:
    return await client.answer_case(outcome).send(ATTEMPT)


async def found(client: Zendesk, outcome: CaseOutcome = CREDITED) -> Applied | None:
    look_up = client.answer_case(outcome).look_up
    assert look_up
    return await look_up(ATTEMPT)


def cases(zendesk: Running) -> list[str]:
    return [change for kind, change, _ in zendesk.changes() if kind == "case"]


async def test_the_answer_is_described_and_nothing_is_called(client: Zendesk, zendesk: Running) -> None:
    operation = client.answer_case(CREDITED)
    assert (operation.verb, operation.kind, operation.business_id) == ("answer_case", "case", "1")
    assert operation.effect_class is EffectClass.UPSERT
    assert operation.expected == FACTS
    assert not operation.master_data
    before = (await zendesk.admin("GET", "counters"))["requests"]
    assert "ticket_field.list" not in before


async def test_an_answer_sets_four_fields_and_nothing_beside_them(client: Zendesk, zendesk: Running) -> None:
    await fill(zendesk, REQUEST.title, "120.50 outage")
    _, before, _ = await zendesk.call("GET", "/api/v2/tickets/1")
    applied = await sent(client)
    assert applied.receipt == Receipt(kind="case", native_id="1", business_id="1")
    assert (applied.status, applied.already) == (200, False)
    _, after, _ = await zendesk.call("GET", "/api/v2/tickets/1")
    titles = {field_id: title for title, field_id in (await ids_of(zendesk)).items()}
    values = {titles[row["id"]]: row["value"] for row in after["ticket"].pop("custom_fields")}
    assert values == {
        "Environment": None,
        **{field["title"]: None for field in AGENTS_FIELDS if "dispute" in field["title"]},
        "Accordant credit request": "120.50 outage",
        "Accordant credit status": "credited",
        "Accordant credit granted": "120.50",
        "Accordant credit note": "agreed by finance",
        "Accordant transaction": "tx-1",
    }
    moved = {"custom_fields", "updated_at", "generated_timestamp"}
    assert {name: value for name, value in before["ticket"].items() if name not in moved} == {
        name: value for name, value in after["ticket"].items() if name not in moved
    }
    _, comments, _ = await zendesk.call("GET", "/api/v2/tickets/1/comments")
    assert len(comments["comments"]) == 1
    assert zendesk.ledger()[-1]["body"] == {"request": "120.50 outage", **FACTS}
    assert (await zendesk.admin("GET", "state"))["case"] == [{"business_id": "1", "request": "120.50 outage", **FACTS}]


async def test_the_fields_are_looked_up_once(client: Zendesk, zendesk: Running) -> None:
    await sent(client, IN_REVIEW)
    await sent(client)
    await client.read_back("case", [REF])
    assert (await zendesk.admin("GET", "counters"))["requests"]["ticket_field.list"] == 1
    assert cases(zendesk) == ["create", "update"]


async def test_repeats_leave_the_same_state(client: Zendesk, zendesk: Running) -> None:
    first, again = await sent(client), await sent(client)
    assert first.receipt == again.receipt
    lines = [line for line in zendesk.ledger() if line["kind"] == "case"]
    assert lines[0]["body"] == lines[1]["body"]
    assert cases(zendesk).count("create") == 1


async def test_the_whole_state_is_set_and_what_is_empty_is_emptied(client: Zendesk, zendesk: Running) -> None:
    await sent(client)
    await sent(client, IN_REVIEW)
    assert await client.read_back("case", [REF]) == {
        "1": {"status": "in review", "granted": None, "note": None, "transaction": "tx-1"}
    }
    assert await found(client) is None
    assert await found(client, IN_REVIEW)


@pytest.mark.parametrize(
    ("money", "written", "granted"),
    [
        (Money(1000, "JPY"), "1000", "1000"),
        (Money(1250, "KWD"), "1.250", "1.25"),
        (Money(100_00, "USD"), "100.00", "100"),
    ],
)
async def test_a_granted_amount_is_plain_decimal_text(
    client: Zendesk, zendesk: Running, money: Money, written: str, granted: str
) -> None:
    outcome = msgspec.structs.replace(CREDITED, credit=money)
    await sent(client, outcome)
    _, body, _ = await zendesk.call("GET", "/api/v2/tickets/1")
    assert written in [row["value"] for row in body["ticket"]["custom_fields"]]
    assert client.answer_case(outcome).expected["granted"] == granted
    assert (await client.read_back("case", [REF]))["1"]["granted"] == granted


async def test_a_long_note_is_cut_and_still_verified(client: Zendesk) -> None:
    outcome = msgspec.structs.replace(CREDITED, reason="x" * 300)
    await sent(client, outcome)
    assert await client.read_back("case", [REF]) == {"1": client.answer_case(outcome).expected}
    assert client.answer_case(outcome).expected["note"] == "x" * 255


async def test_read_back_finds_the_difference(client: Zendesk, zendesk: Running) -> None:
    await sent(client)
    await fill(zendesk, ANSWER["granted"].title, "999")
    facts = (await client.read_back("case", [REF]))["1"]
    assert {name for name, value in facts.items() if FACTS[name] != value} == {"granted"}


async def test_read_back_asks_for_a_hundred_at_a_time(client: Zendesk, zendesk: Running) -> None:
    fields = [{"id": (await ids_of(zendesk))[ANSWER["status"].title], "value": "in review"}]
    rows = [{"subject": str(n), "comment": {"body": "x"}, "custom_fields": fields} for n in range(248)]
    await zendesk.admin("POST", "load", {"tickets": rows})
    refs = [ReadRef(kind="case", native_id=str(n), business_id=str(n)) for n in range(1, 252)]
    assert sorted(await client.read_back("case", refs), key=int) == [str(n) for n in range(3, 251)]
    assert (await zendesk.admin("GET", "counters"))["requests"]["ticket.show_many"] == 3
    assert await client.read_back("case", []) == {}


async def test_a_closed_ticket_cannot_be_answered(client: Zendesk, zendesk: Running) -> None:
    await sent(client, IN_REVIEW)
    await zendesk.call("PUT", "/api/v2/tickets/1", json={"ticket": {"status": "closed"}})
    with pytest.raises(Rejected) as refused:
        await sent(client)
    assert refused.value.code == "zendesk.ticket_closed"
    assert "follow-up" in refused.value.hint
    assert cases(zendesk) == ["create"]


async def test_a_ticket_that_is_not_there_is_refused(client: Zendesk) -> None:
    with pytest.raises(Rejected) as refused:
        await sent(client, msgspec.structs.replace(CREDITED, source_id="77"))
    assert refused.value.detail["vendor_code"] == "RecordNotFound"
    assert await found(client, msgspec.structs.replace(CREDITED, source_id="77")) is None


@pytest.mark.parametrize("missing", ANSWER.values(), ids=ANSWER)
async def test_a_field_that_nobody_made_is_named(client: Zendesk, zendesk: Running, missing: Any) -> None:
    field_id = (await ids_of(zendesk))[missing.title]
    path = f"/api/v2/ticket_fields/{field_id}"
    await zendesk.call("PUT", path, json={"ticket_field": {"active": False}})
    with pytest.raises(Misconfigured) as misconfigured:
        await sent(client)
    assert misconfigured.value.code == "zendesk.field_missing"
    assert misconfigured.value.detail["fields"] == [missing.title]
    assert f"{missing.title!r} ({missing.type})" in misconfigured.value.message
    assert cases(zendesk) == []
    await zendesk.call("PUT", path, json={"ticket_field": {"active": True}})
    await sent(client)


async def test_all_missing_fields_are_named_at_once(start: Start) -> None:
    bare = await start()
    await bare.admin("POST", "load", {"tickets": [{"comment": {"body": "x"}}]})
    async with connected(bare) as client:
        with pytest.raises(Misconfigured) as misconfigured:
            await sent(client)
    assert misconfigured.value.detail["fields"] == [field.title for field in ANSWER.values()]


async def test_two_fields_of_one_title_are_not_guessed_between(client: Zendesk, zendesk: Running) -> None:
    await zendesk.call("POST", "/api/v2/ticket_fields", json={"ticket_field": {"title": ANSWER["note"].title}})
    with pytest.raises(Misconfigured) as misconfigured:
        await sent(client)
    assert misconfigured.value.code == "zendesk.field_twice"
    assert ANSWER["note"].title in misconfigured.value.message


async def test_a_field_made_anew_is_found_again(client: Zendesk, zendesk: Running) -> None:
    await sent(client, IN_REVIEW)
    title = ANSWER["status"].title
    path = f"/api/v2/ticket_fields/{(await ids_of(zendesk))[title]}"
    await zendesk.call("PUT", path, json={"ticket_field": {"active": False}})
    await zendesk.call("POST", "/api/v2/ticket_fields", json={"ticket_field": {"title": title}})
    with pytest.raises(Unknown):
        await sent(client)
    assert await found(client) is None
    await sent(client)
    assert await client.read_back("case", [REF]) == {"1": FACTS}


@pytest.mark.parametrize(
    ("fault", "error", "applied"),
    [
        ("rate_limited", RateLimited, False),
        ("error_before_apply", Unknown, False),
        ("error_after_apply", Unknown, True),
        ("timeout_after_apply", Unknown, True),
        ("reset_after_apply", Unknown, True),
        ("truncated_answer", Unknown, True),
    ],
)
async def test_each_fault_tells_whether_it_was_applied(
    client: Zendesk, zendesk: Running, fault: str, error: type[Exception], applied: bool
) -> None:
    await zendesk.fault(fault, operation=UPDATE, delay_s=1.0)
    with pytest.raises(error):
        await sent(client)
    await zendesk.admin("DELETE", "faults")
    assert bool(cases(zendesk)) is applied
    assert bool(await found(client)) is applied
    await sent(client)
    assert cases(zendesk).count("create") == 1


async def test_a_lie_is_found_by_reading_back(client: Zendesk, zendesk: Running) -> None:
    await zendesk.fault("ok_without_apply", operation=UPDATE, count=1)
    await sent(client)
    assert await client.read_back("case", [REF]) == {}
    assert await found(client) is None


async def told_of(zendesk: Running, desk: Desk) -> list[Any]:
    """What each delivery means, proved and translated as the platform does it."""
    await zendesk.deliveries_done()
    now_ms = round(time.time() * 1000)
    found: list[Any] = []
    for headers, body in desk.received:
        verify(headers, body, ("s3cret",), now_ms // 1000)
        found.append(translate(msgspec.structs.replace(message(body), received_at_ms=now_ms)))
    await desk.server.close()
    return found


async def test_what_an_agent_asks_arrives_signed_and_whole(zendesk: Running) -> None:
    desk = Desk()
    await desk.register(zendesk, "zen:event-type:ticket.custom_field_changed")
    ann = {"headers": {"Authorization": basic("ann@desk.example/token", API_TOKEN)}}
    assert await fill(zendesk, REQUEST.title, "120.00 outage", **ann) == 200
    ((told,),) = await told_of(zendesk, desk)
    assert isinstance(told.fact, CreditRequested)
    request = told.fact.request
    _, me, _ = await zendesk.call("GET", "/api/v2/users/me", **ann)
    _, listed, _ = await zendesk.call("GET", "/api/v2/organizations")
    assert request.requested_by == str(me["user"]["id"])
    assert me["user"]["name"] == "Ann"
    assert request.customer_source_id == told.orderingkey == str(listed["organizations"][0]["id"])
    assert (request.case_id, request.amount_text, request.reason) == ("1", "120.00", "outage")
    assert (request.severity, request.subject) == ("critical", "Printer")


async def test_answers_are_told_as_echoes_and_a_repeat_tells_nothing(client: Zendesk, zendesk: Running) -> None:
    desk = Desk()
    await desk.register(zendesk, "zen:event-type:*")
    await sent(client)
    await sent(client)
    assert await told_of(zendesk, desk) == [Ignored(reason="echo")] * 4


async def test_one_write_of_several_fields_is_one_sequence_of_events(zendesk: Running) -> None:
    desk = Desk()
    await desk.register(zendesk, "zen:event-type:ticket.*")
    ids = await ids_of(zendesk)
    fields = [{"id": ids[REQUEST.title], "value": "5 outage"}, {"id": ids["Environment"], "value": "live"}]
    ticket = {"custom_fields": fields, "priority": "high"}
    await zendesk.call("PUT", "/api/v2/tickets/1", json={"ticket": ticket})
    await zendesk.deliveries_done()
    events = [msgspec.json.decode(body) for _, body in desk.received]
    assert sorted(event["type"].rpartition(".")[2] for event in events) == [
        "custom_field_changed",
        "custom_field_changed",
        "priority_changed",
    ]
    assert {event["detail"]["priority"] for event in events} == {"HIGH"}
    assert len({event["event"]["meta"]["sequence"]["id"] for event in events}) == 1
    changed = {event["event"]["custom_field"]["title"]: event["event"] for event in events if "custom" in event["type"]}
    assert changed["Environment"]["previous"] == {"value": None}
    assert changed["Environment"]["current"] == {"value": "live"}
    assert changed["Environment"]["custom_field"]["id"] == str(ids["Environment"])
    await desk.server.close()


async def test_fields_filled_in_while_creating_are_told_too(zendesk: Running) -> None:
    desk = Desk()
    await desk.register(zendesk, "zen:event-type:*")
    fields = [{"id": (await ids_of(zendesk))[REQUEST.title], "value": "5 outage"}]
    await zendesk.call("POST", "/api/v2/tickets", json={"ticket": {"comment": {"body": "x"}, "custom_fields": fields}})
    told = await told_of(zendesk, desk)
    facts = [one[0].fact for one in told if isinstance(one, list)]
    assert [fact.request.case_id for fact in facts] == ["3"]
    assert Ignored(reason="not_used") in told


async def test_values_follow_the_type_and_unknown_ids_are_passed_over(zendesk: Running) -> None:
    assert await fill(zendesk, ANSWER["granted"].title, "a lot") == 422
    assert await fill(zendesk, ANSWER["granted"].title, True) == 422
    body = {"ticket": {"custom_fields": [{"id": 5, "value": "x"}, "odd", {"value": "y"}]}}
    status, answer, _ = await zendesk.call("PUT", "/api/v2/tickets/1", json=body)
    assert status == 200
    assert {row["value"] for row in answer["ticket"]["custom_fields"]} == {None}


@pytest.mark.parametrize(
    "authorization",
    [
        basic("eve@acme.example/token", API_TOKEN),
        basic("nobody@desk.example/token", API_TOKEN),
        basic("ann@desk.example", API_TOKEN),
        basic("ann@desk.example/token", API_TOKEN + "x"),
    ],
)
async def test_only_agents_sign_in_with_the_token(zendesk: Running, authorization: str) -> None:
    status, _, _ = await zendesk.call("GET", "/api/v2/users/me", headers={"Authorization": authorization})
    assert status == 401


async def test_the_integration_acts_by_its_own_name(zendesk: Running) -> None:
    bearer = {"headers": {"Authorization": f"Bearer {OAUTH_TOKEN}"}}
    names = [(await zendesk.call("GET", "/api/v2/users/me", **given))[1]["user"]["name"] for given in ({}, bearer)]
    assert names == ["Accordant", "Accordant"]
