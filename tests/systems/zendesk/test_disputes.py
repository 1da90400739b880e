"""A refund, a dispute and what came of it, as agents write them; and what the ticket shows of a dispute."""

from typing import Any

import msgspec
import pytest

from accordant.backbone.message import Ignored
from accordant.canonical.dispute import DisputeRuled, DisputeStanding, InvoiceDisputed
from accordant.canonical.operation import Attempt, ReadRef
from accordant.canonical.refund import RefundRequested
from accordant.kernel.errors import Malformed, Misconfigured
from accordant.kernel.money import Money
from accordant.systems.zendesk.mapping.nouns import DISPUTE_ANSWER, DISPUTED, REQUEST, RULING
from accordant.systems.zendesk.sandbox.ticket_fields import AGENTS_FIELDS
from tests.systems.zendesk.desk import Running, Start, connected
from tests.systems.zendesk.test_cases import CREDITED, prepare
from tests.systems.zendesk.test_credit_requests import event, heard, told

STANDING = DisputeStanding(
    case_id="1",
    source_id="1",
    dispute_id="dispute-1",
    status="credited",
    credited=Money(12_050, "USD"),
    reason="agreed by finance",
    transaction_id="tx-1",
)


def test_a_refund_names_its_invoice() -> None:
    one = told(event("refund 120.00 ABC-0001 overcharge"))
    assert isinstance(one.fact, RefundRequested)
    asked = one.fact.request
    assert (asked.amount_text, asked.invoice_number, asked.reason) == ("120.00", "ABC-0001", "overcharge")
    assert (asked.case_id, asked.customer_source_id, asked.requested_by) == ("5158", "8447346622462", "8447388090494")


def test_a_refund_and_a_credit_of_one_ticket_answer_for_one_field() -> None:
    refund, same = told(event("refund 120.00 ABC-0001 outage")), told(event("refund 120 ABC-0001 outage"))
    credit, other = told(event("120.00 outage")), told(event("refund 120.00 ABC-0002 outage"))
    assert refund.source_record == credit.source_record
    assert refund.content == same.content
    assert len({refund.content, credit.content, other.content}) == 3


@pytest.mark.parametrize(
    ("title", "value", "code"),
    [
        (REQUEST.title, "refund 120.00 ABC-0001", "refund.format"),
        (REQUEST.title, "refund  120.00 ABC-0001 outage", "refund.format"),
        (REQUEST.title, "refund 120,00 ABC-0001 outage", "money.format"),
        (REQUEST.title, "refund -1 ABC-0001 outage", "money.negative"),
        (REQUEST.title, "refund 0 ABC-0001 outage", "money.zero"),
        (REQUEST.title, "refund 1 ABC#1 outage", "invoice.format"),
        (REQUEST.title, "refund 1 ABC-0001 Outage!", "reason.format"),
        (DISPUTED.title, "number ABC", "invoice.format"),
        (DISPUTED.title, 12, "invoice.format"),
        (DISPUTED.title, "ABC-٣", "invoice.format"),
        (RULING.title, "credited", "ruling.format"),
        (RULING.title, "confirmed 12", "ruling.format"),
        (RULING.title, "credit", "ruling.format"),
        (RULING.title, "credit 1e3", "money.format"),
        (RULING.title, "credit 0.00", "money.zero"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(title: str, value: Any, code: str) -> None:
    with pytest.raises(Malformed) as refused:
        heard(event(value, title=title))
    assert refused.value.code == code
    assert repr(title) in refused.value.hint
    assert refused.value.detail["record"] == "5158"


def test_a_dispute_and_its_ruling_are_records_of_their_own() -> None:
    claim, ruling = told(event("ABC-0001", title=DISPUTED.title)), told(event("credit 12.50", title=RULING.title))
    assert isinstance(claim.fact, InvoiceDisputed)
    assert isinstance(ruling.fact, DisputeRuled)
    assert claim.fact.claim.invoice_number == "ABC-0001"
    assert (ruling.fact.ruling.outcome, ruling.fact.ruling.amount_text) == ("credited", "12.50")
    assert claim.subject == ruling.subject == "5158"
    assert len({claim.source_record, ruling.source_record, told(event()).source_record}) == 3
    confirmed = told(event("confirmed", title=RULING.title)).fact
    assert isinstance(confirmed, DisputeRuled)
    assert (confirmed.ruling.outcome, confirmed.ruling.amount_text) == ("confirmed", "")


def test_what_we_write_ourselves_is_an_echo_and_an_emptied_field_is_nothing() -> None:
    for field in DISPUTE_ANSWER.values():
        assert heard(event("open", title=field.title)) == Ignored(reason="echo")
    for field in (DISPUTED, RULING):
        assert heard(event("", title=field.title)) == Ignored(reason="cleared")


async def test_a_ticket_shows_where_its_dispute_stands_beside_its_credit(start: Start) -> None:
    zendesk = await start()
    await prepare(zendesk)
    async with connected(zendesk) as support:
        await support.answer_case(CREDITED).send(Attempt(key="k1"))
        showing = support.show_dispute(STANDING)
        assert showing.look_up is not None
        assert await showing.look_up(Attempt(key="k2")) is None
        receipt = (await showing.send(Attempt(key="k2"))).receipt
        assert (await showing.look_up(Attempt(key="k2"))) is not None
        ref = ReadRef(kind="dispute", native_id=receipt.native_id, business_id=receipt.business_id)
        assert await support.read_back("dispute", [ref]) == {receipt.native_id: showing.expected}
        ref = msgspec.structs.replace(ref, kind="case")
        assert await support.read_back("case", [ref]) == {receipt.native_id: support.answer_case(CREDITED).expected}
    assert [kind for kind, _, _ in zendesk.changes()][-2:] == ["case", "dispute"]


async def test_credits_need_no_fields_of_disputes(start: Start) -> None:
    zendesk = await start()
    await only_credits(zendesk)
    async with connected(zendesk) as support:
        await support.answer_case(CREDITED).send(Attempt(key="k1"))
        with pytest.raises(Misconfigured, match="where a dispute stands") as missing:
            await support.show_dispute(STANDING).send(Attempt(key="k2"))
        assert missing.value.code == "zendesk.field_missing"


async def only_credits(zendesk: Running) -> None:
    fields = [field for field in AGENTS_FIELDS if "dispute" not in field["title"]]
    ticket = {"subject": "Printer", "comment": {"body": "It burns"}}
    await zendesk.admin("POST", "load", {"ticket_fields": fields, "tickets": [ticket]})
