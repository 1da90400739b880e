"""The sandbox satisfies a client that its authors did not write: zenpy, the community's Python client of Zendesk."""

import asyncio
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import requests
from requests.adapters import HTTPAdapter
from zenpy import Zenpy
from zenpy.lib.api_objects import Comment, CustomField, Organization, Ticket, TicketField, User
from zenpy.lib.exception import APIException, RecordNotFoundException

from accordant.systems.zendesk.sandbox import API_TOKEN, EMAIL
from tests.systems.zendesk.desk import Running, Start


class _ToSandbox(HTTPAdapter):
    """Carries what is meant for zendesk.com to the sandbox."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._netloc = urlsplit(url).netloc

    def send(self, request: Any, *args: Any, **kwargs: Any) -> requests.Response:
        meant = request.url
        parts = urlsplit(meant)
        request.url = urlunsplit(("http", self._netloc, parts.path, parts.query, ""))
        answer = super().send(request, *args, **kwargs)
        answer.request.url = answer.url = meant  # zenpy reads the kind of record from the address
        return answer


def client_of(url: str, token: str = API_TOKEN) -> Any:
    session = requests.Session()
    session.mount("https://", _ToSandbox(url))
    session.mount("http://", _ToSandbox(url))
    return Zenpy(subdomain="accordant", email=EMAIL, token=token, session=session)


async def drive(work: Callable[[], Any]) -> Any:
    """Zenpy blocks; the sandbox serves meanwhile."""
    return await asyncio.to_thread(work)


async def test_an_organization_is_created_then_updated_by_its_external_id(zendesk: Running) -> None:
    zenpy = client_of(zendesk.url)
    fields = {"legal_entity": "US01", "entitlement_response_minutes": 60, "entitlement_ends_on": "2027-01-31"}

    def work() -> Any:
        made = zenpy.organizations.create_or_update(
            Organization(name="Acme", external_id="customer-1", organization_fields=fields)
        )
        again = zenpy.organizations.create_or_update(
            Organization(name="Acme Ltd", external_id="CUSTOMER-1", organization_fields={"country": "US"})
        )
        return made, again, zenpy.organizations(id=made.id)

    made, again, read = await drive(work)
    assert made.id == again.id == read.id
    assert read.name == "Acme Ltd"
    assert read.organization_fields["legal_entity"] == "US01", "a field that is not named keeps its value"
    assert read.organization_fields["country"] == "US"
    assert read.organization_fields["entitlement_ends_on"] == "2027-01-31T00:00:00+00:00"
    assert read.organization_fields["entitlement_response_minutes"] == 60
    assert [change for _, change, _ in zendesk.changes()] == ["create", "create", "update"]


async def test_a_name_is_given_once_whatever_its_case(zendesk: Running) -> None:
    zenpy = client_of(zendesk.url)

    def work() -> None:
        zenpy.organizations.create(Organization(name="Acme", external_id="customer-1"))
        with pytest.raises(APIException) as refused:
            zenpy.organizations.create_or_update(Organization(name="ACME", external_id="customer-2"))
        details = refused.value.response.json()["details"]
        assert details["name"][0]["error"] == "DuplicateValue"

    await drive(work)
    assert zendesk.changes() == [("customer", "create", "customer-1")]


async def test_organizations_are_updated_found_exported_and_deleted(zendesk: Running) -> None:
    zenpy = client_of(zendesk.url)

    def first() -> Any:
        made = zenpy.organizations.create(Organization(name="Blue Sky", external_id="customer-1"))
        made.notes = "Priority"
        zenpy.organizations.update(made)
        assert [row.id for row in zenpy.search(type="organization", external_id="customer-1")] == [made.id]
        assert [row.notes for row in zenpy.organizations(ids=[made.id])] == ["Priority"]
        return made

    made = await drive(first)
    await zendesk.admin("POST", "clock", {"advance_s": 90})

    def second() -> None:
        since = int(time.time()) - 60
        assert [row.name for row in zenpy.organizations.incremental(start_time=since)] == ["Blue Sky"]
        zenpy.organizations.delete(made)
        with pytest.raises(RecordNotFoundException):
            zenpy.organizations(id=made.id)

    await drive(second)


async def test_bulk_work_is_a_job_in_which_each_row_stands_for_itself(zendesk: Running) -> None:
    zenpy = client_of(zendesk.url)

    def work() -> Any:
        job = zenpy.organizations.create([Organization(name=name, external_id=name) for name in ("A", "B", "A")])
        return zenpy.job_status(id=job.id)

    job = await drive(work)
    assert job.status == "completed"
    assert [getattr(result, "error", None) for result in job.results] == [None, None, "RecordInvalid"]
    assert zendesk.changes() == [("customer", "create", "A"), ("customer", "create", "B")]


async def test_a_list_is_paged_by_cursor_and_by_offset(zendesk: Running) -> None:
    await zendesk.admin("POST", "load", {"organizations": [{"name": f"N{n}"} for n in range(250)]})
    zenpy = client_of(zendesk.url)

    def work() -> tuple[list[str], list[str]]:
        by_offset = [row.name for row in zenpy.organizations()]
        by_cursor = [row.name for row in zenpy.organizations(cursor_pagination=100)]
        return by_offset, by_cursor

    by_offset, by_cursor = await drive(work)
    assert by_offset == by_cursor == [f"N{n}" for n in range(250)]


async def test_a_ticket_is_opened_commented_and_solved(zendesk: Running) -> None:
    zenpy = client_of(zendesk.url)

    def work() -> Any:
        organization = zenpy.organizations.create(Organization(name="Acme", external_id="customer-1"))
        audit = zenpy.tickets.create(
            Ticket(
                subject="Printer",
                comment=Comment(body="It burns"),
                external_id="case-1",
                organization_id=organization.id,
                requester=User(name="Ann", email="ann@acme.example"),
            )
        )
        ticket = audit.ticket
        ticket.comment = Comment(body="Use water", public=False)
        ticket.status = "solved"
        zenpy.tickets.update(ticket)
        read = zenpy.tickets(id=ticket.id)
        assert [comment.body for comment in zenpy.tickets.comments(ticket=read)] == ["It burns", "Use water"]
        assert [row.id for row in zenpy.tickets(external_id="case-1")] == [ticket.id]
        assert zenpy.users(id=read.requester_id).email == "ann@acme.example"
        return read

    read = await drive(work)
    assert read.status == "solved"
    state = await zendesk.admin("GET", "state")
    assert state["ticket"] == [
        {
            "business_id": "case-1",
            "subject": "Printer",
            "status": "solved",
            "priority": None,
            "customer_id": "customer-1",
        }
    ]
    assert [(kind, change) for kind, change, _ in zendesk.changes()] == [
        ("customer", "create"),
        ("ticket", "create"),
        ("comment", "create"),
        ("ticket", "update"),
        ("comment", "create"),
    ]


async def test_ticket_fields_are_made_filled_in_and_closed_with_their_ticket(zendesk: Running) -> None:
    zenpy = client_of(zendesk.url)

    def work() -> Any:
        request = zenpy.ticket_fields.create(TicketField(title="Accordant credit request", type="text"))
        status = zenpy.ticket_fields.create(TicketField(title="Accordant credit status", type="text"))
        assert {row.title: row.id for row in zenpy.ticket_fields()} == {
            request.title: request.id,
            status.title: status.id,
        }
        asked = [CustomField(id=request.id, value="120.00 outage")]
        made = zenpy.tickets.create(
            Ticket(subject="Printer", comment=Comment(body="It burns"), priority="urgent", custom_fields=asked)
        ).ticket
        zenpy.tickets.update(Ticket(id=made.id, custom_fields=[CustomField(id=status.id, value="in review")]))
        read = zenpy.tickets(id=made.id)
        assert read.priority == "urgent"
        assert {row["id"]: row["value"] for row in read.custom_fields} == {
            request.id: "120.00 outage",
            status.id: "in review",
        }
        zenpy.tickets.update(Ticket(id=made.id, status="closed"))
        with pytest.raises(APIException) as refused:
            zenpy.tickets.update(Ticket(id=made.id, custom_fields=[CustomField(id=status.id, value="credited")]))
        return refused.value.response

    refused = await drive(work)
    assert refused.status_code == 422
    assert refused.json()["details"] == {"status": [{"description": "Status: closed prevents ticket update"}]}
    (case,) = (await zendesk.admin("GET", "state"))["case"]
    assert (case["request"], case["status"]) == ("120.00 outage", "in review")
    assert [(kind, change) for kind, change, _ in zendesk.changes()] == [
        ("ticket", "create"),
        ("comment", "create"),
        ("case", "create"),
        ("ticket", "update"),
    ]


async def test_a_wrong_token_is_refused(zendesk: Running) -> None:
    zenpy = client_of(zendesk.url, token="guess")

    def work() -> None:
        with pytest.raises(APIException) as refused:
            zenpy.users.me()
        assert refused.value.response.status_code == 401

    await drive(work)


async def test_over_the_limit_zenpy_waits_as_told(start: Start) -> None:
    zendesk = await start(limits="real", settings={"plan": "enterprise"})
    await zendesk.fault("rate_limited", count=1, retry_after_s=1)
    zenpy = client_of(zendesk.url)
    me = await drive(lambda: zenpy.users.me())
    assert me.email == EMAIL
    assert (await zendesk.admin("GET", "counters"))["problems"]["rate_limited"] == 1
