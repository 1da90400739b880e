"""A change of one ticket field asks for a credit, echoes our answer, is nothing of ours, or is refused by name."""

from datetime import date
from typing import Any

import msgspec
import pytest

from accordant.backbone.message import Ignored, Told
from accordant.canonical.case import CreditRequest, CreditRequested
from accordant.kernel.clock import parse_utc_ms
from accordant.kernel.errors import Malformed
from accordant.systems.zendesk.mapping import translate
from accordant.systems.zendesk.mapping.nouns import ANSWER, REQUEST
from tests.systems.zendesk.test_mapping import message

AT = "2026-11-21T23:59:59.456789012Z"
DETAIL = {
    "actor_id": "8447388090494",
    "assignee_id": "8447388090495",
    "brand_id": "8447346621310",
    "created_at": "2026-11-20T10:12:07Z",
    "custom_status": "8447320465790",
    "description": "It burns",
    "external_id": None,
    "form_id": "8646151517822",
    "group_id": "8447320466430",
    "id": "5158",
    "is_public": True,
    "organization_id": "8447346622462",
    "priority": "URGENT",
    "requester_id": "8447388090496",
    "status": "OPEN",
    "subject": "Cannot log in",
    "submitter_id": "8447388090496",
    "tags": ["mobile"],
    "type": "PROBLEM",
    "updated_at": "2026-11-21T23:59:59Z",
    "via": {"channel": "web_service"},
}
"""The properties that Zendesk's page on ticket events lists."""


def event(value: Any = "120.00 outage", *, title: str = REQUEST.title, time: str = AT, **detail: Any) -> dict[str, Any]:
    return {
        "type": "zen:event-type:ticket.custom_field_changed",
        "account_id": 22129848,
        "id": "b7c8d9e0-1f2a-3b4c-5d6e-7f8a9b0c1d2e",
        "time": time,
        "zendesk_event_version": "2022-11-06",
        "subject": "zen:ticket:5158",
        "detail": DETAIL | detail,
        "event": {
            "custom_field": {"id": "21938362", "title": title, "type": "text"},
            "current": {"value": value},
            "previous": {"value": None},
            "meta": {"sequence": {"id": "01GX", "position": 1}},
        },
    }


def heard(body: dict[str, Any] | bytes) -> list[Told] | Ignored:
    received = parse_utc_ms("2026-11-22T00:00:01Z")
    return translate(msgspec.structs.replace(message(body), received_at_ms=received))


def told(body: dict[str, Any]) -> Told:
    found = heard(body)
    assert isinstance(found, list)
    (one,) = found
    return one


def asked(body: dict[str, Any]) -> CreditRequest:
    fact = told(body).fact
    assert isinstance(fact, CreditRequested)
    return fact.request


def test_a_request_is_told_with_all_that_the_event_knows() -> None:
    one = told(event())
    assert one.fact == CreditRequested(
        request=CreditRequest(
            case_id="5158",
            source_id="5158",
            customer_source_id="8447346622462",
            severity="critical",
            subject="Cannot log in",
            amount_text="120.00",
            reason="outage",
            requested_by="8447388090494",
            requested_on=date(2026, 11, 21),
        )
    )
    assert (one.source_record, one.subject, one.orderingkey) == ("zendesk/ticket/5158", "5158", "8447346622462")
    assert one.happened_at_ms == parse_utc_ms("2026-11-21T23:59:59.456Z")
    assert one.sequence == "2026-11-21T23:59:59.456Z"


@pytest.mark.parametrize("absent", [None, "", "0"])
def test_a_ticket_of_no_organization_is_a_lane_of_its_own(absent: str | None) -> None:
    one = told(event(organization_id=absent))
    assert one.orderingkey == "5158"
    assert asked(event(organization_id=absent)).customer_source_id == ""


@pytest.mark.parametrize(
    ("priority", "severity"),
    [
        ("URGENT", "critical"),
        ("urgent", "critical"),
        ("HIGH", "high"),
        ("NORMAL", "medium"),
        ("LOW", "low"),
        (None, "medium"),
        ("", "medium"),
    ],
)
def test_priority_says_how_severe_it_is(priority: str | None, severity: str) -> None:
    assert asked(event(priority=priority)).severity == severity


@pytest.mark.parametrize(
    ("value", "amount", "reason"),
    [
        ("0.01 outage", "0.01", "outage"),
        ("120 outage", "120", "outage"),
        ("120.125 outage", "120.125", "outage"),
        ("999999999999999.12345678 late_delivery_2", "999999999999999.12345678", "late_delivery_2"),
    ],
)
def test_amounts_are_taken_as_written(value: str, amount: str, reason: str) -> None:
    request = asked(event(value))
    assert (request.amount_text, request.reason) == (amount, reason)


def test_the_same_request_told_again_is_the_same_content() -> None:
    content = told(event()).content
    for again in (
        event("120 outage"),
        event(subject="Still burning", priority="LOW", actor_id="7", time="2026-11-21T12:00:00Z"),
    ):
        assert told(again).content == content
    for other in (event("120.01 outage"), event("120.00 delay"), event(organization_id="9")):
        assert told(other).content != content


def test_times_compare_as_text_whatever_their_fraction() -> None:
    times = ["2026-11-21T12:00:00Z", "2026-11-21T12:00:00.5Z", "2026-11-21T12:00:00.512345678Z", "2026-11-21T12:00:01Z"]
    sequences = [told(event(time=time)).sequence for time in times]
    assert sequences == sorted(sequences)


@pytest.mark.parametrize("value", [None, ""])
def test_a_cleared_field_asks_for_nothing(value: str | None) -> None:
    assert heard(event(value)) == Ignored(reason="cleared")


@pytest.mark.parametrize("field", ANSWER.values(), ids=ANSWER)
def test_our_own_answer_comes_back_as_an_echo(field: Any) -> None:
    assert heard(event("in review", title=field.title)) == Ignored(reason="echo")


def test_other_fields_of_a_ticket_are_not_read() -> None:
    """Whatever they hold, and whoever changed them."""
    assert heard(event("x", title="Environment", actor_id="-1", priority="?")) == Ignored(reason="not_used")
    assert heard(event("120.00 outage", title="accordant credit request")) == Ignored(reason="not_used")


MALFORMED = [
    ("-120.00 outage", "money.negative"),
    ("-0 outage", "money.negative"),
    ("0 outage", "money.zero"),
    ("0.00 outage", "money.zero"),
    ("1" + "0" * 15 + " outage", "money.format"),
    ("9" * 5000 + " outage", "money.format"),
    ("1e3 outage", "money.format"),
    ("1,200.00 outage", "money.format"),
    ("120,00 outage", "money.format"),
    ("120. outage", "money.format"),
    (".5 outage", "money.format"),
    ("0120 outage", "money.format"),
    ("+120 outage", "money.format"),
    ("$120 outage", "money.format"),
    ("120.123456789 outage", "money.format"),
    ("\uff11\uff12\uff10 outage", "money.format"),
    ("1\uff12\uff10 outage", "money.format"),
    ("\u0661\u0662\u0660 outage", "money.format"),
    ("NaN outage", "money.format"),
    ("outage 120.00", "money.format"),
    ("120.00\u00a0outage", "credit.format"),
    ("120.00", "credit.format"),
    ("120.00 ", "credit.format"),
    (" 120.00 outage", "credit.format"),
    ("outage", "credit.format"),
    (" ", "credit.format"),
    ("120.00\toutage", "credit.format"),
    ("120.00  outage", "reason.format"),
    ("120.00 outage ", "reason.format"),
    ("120.00 outage\n", "reason.format"),
    ("120.00 Outage", "reason.format"),
    ("120.00 late delivery", "reason.format"),
    ("120.00 USD outage", "reason.format"),
    ("120.00 o\u00fctage", "reason.format"),
    ("120.00 " + "o" * 41, "reason.format"),
    ("120.00 \x01", "reason.format"),
    (120, "credit.format"),
    (True, "credit.format"),
    (["120.00 outage"], "credit.format"),
    ({"amount": "120.00"}, "credit.format"),
]


@pytest.mark.parametrize(("value", "code"), MALFORMED, ids=[f"{str(value)[:20]!a}" for value, _ in MALFORMED])
def test_a_request_that_cannot_be_meant_is_refused_by_name(value: Any, code: str) -> None:
    with pytest.raises(Malformed) as malformed:
        translate(msgspec.structs.replace(message(b""), body=msgspec.json.encode(event(value))))
    wrong = malformed.value
    assert wrong.code == code
    assert wrong.detail["pointer"] == "/event/current/value"
    assert wrong.detail["record"] == "5158"
    assert wrong.detail["value"] == str(value)[:100]
    assert REQUEST.title in wrong.hint


@pytest.mark.parametrize(
    ("wrong", "code", "pointer"),
    [
        ({"actor_id": "-1"}, "id.format", "/detail/actor_id"),
        ({"actor_id": ""}, "id.format", "/detail/actor_id"),
        ({"actor_id": "1\uff12"}, "id.format", "/detail/actor_id"),
        ({"actor_id": None}, "zendesk.event_malformed", "/detail/actor_id"),
        ({"id": "0"}, "id.format", "/detail/id"),
        ({"id": "1/../2"}, "id.format", "/detail/id"),
        ({"id": 5158}, "zendesk.event_malformed", "/detail/id"),
        ({"organization_id": "none"}, "id.format", "/detail/organization_id"),
        ({"priority": "SOON"}, "priority.unknown", "/detail/priority"),
        ({"priority": 3}, "zendesk.event_malformed", "/detail/priority"),
        ({"subject": ["x"]}, "zendesk.event_malformed", "/detail/subject"),
        ({"time": ""}, "time.syntax", "/time"),
        ({"time": "2026-11-21T12:00:00"}, "time.zone_missing", "/time"),
        ({"time": "1970-01-01T00:00:00Z"}, "time.suspicious", "/time"),
        ({"time": "2026-11-25T12:00:00Z"}, "time.future", "/time"),
    ],
)
def test_what_surrounds_a_request_is_read_strictly(wrong: dict[str, Any], code: str, pointer: str) -> None:
    with pytest.raises(Malformed) as malformed:
        heard(event(**wrong))
    assert malformed.value.code == code
    assert malformed.value.detail["pointer"] == pointer


def test_an_event_without_its_actor_is_refused() -> None:
    body = event()
    del body["detail"]["actor_id"]
    with pytest.raises(Malformed) as malformed:
        heard(body)
    assert malformed.value.detail["pointer"] == "/detail/actor_id"
