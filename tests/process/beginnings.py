"""How each shipped flow begins: what people have entered before, and the fact that begins it."""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

import aiohttp
from sqlalchemy import select

from accordant.backbone.message import Told
from accordant.canonical.account import CreditHold, CreditHoldPlaced
from accordant.canonical.case import CreditRequest, CreditRequested
from accordant.canonical.contract import ContractAmended, ContractAmendment
from accordant.canonical.credit_note import BalanceCredited, BilledCreditNote, CreditNoteIssued, CreditNoteVoided
from accordant.canonical.customer import CustomerIntroduced, SourceAccount
from accordant.canonical.dispute import DisputeClaim, DisputeRuled, DisputeRuling, InvoiceDisputed
from accordant.canonical.envelope import Fact
from accordant.canonical.invoice import BilledInvoice, BilledLine, InvoiceFinalized, InvoiceOverdue, InvoiceVoided
from accordant.canonical.opportunity import Opportunity, OpportunityCorrected, OpportunityWon
from accordant.canonical.payment import PaymentFailed, PaymentReceived
from accordant.canonical.refund import PaymentRefunded, RefundRequest, RefundRequested
from accordant.kernel.money import Money
from accordant.masterdata.crosswalk import crosswalk_table
from accordant.systems.stripe.sandbox import SECRET_KEY
from tests.experience.company import deal
from tests.process.bench import Bench

Beginning = Callable[[Bench, str], Awaitable[Fact]]
"""Makes ready what the flow needs for a subject (a number as text), and gives the fact that begins it."""


def account(number: str) -> SourceAccount:
    return SourceAccount(source_id=_account_id(number), name=f"Lone Star {number}", country_word="United States")


def won(number: str) -> Opportunity:
    return Opportunity(
        opportunity_id=number,
        source_id=str(deal(number)["Id"]),
        account=account(number),
        product_word="Ledger Start",
        amount_text="600.00",
        currency_word="USD",
        closed_on=date(2026, 3, 2),
    )


def _account_id(number: str) -> str:
    return f"001Kx00000{number:0>5}IAA"


def sold(bench: Bench, number: str) -> None:
    at = _account_id(number)
    bench.holds("crm", {"Account": [{"Id": at, "Name": f"Lone Star {number}", "BillingCountry": "United States"}]})
    bench.holds("crm", {"Opportunity": [deal(number, AccountId=at)]})


async def _onboarding(bench: Bench, number: str) -> Fact:
    sold(bench, number)
    return OpportunityWon(opportunity=won(number))


async def _customer(bench: Bench, number: str) -> None:
    row = await bench.play(await _onboarding(bench, number), number)
    assert row.state == "completed", bench.open_item(row)


async def _amendment(bench: Bench, number: str) -> Fact:
    await _customer(bench, number)
    return amended(bench, number)


def amended(bench: Bench, number: str) -> ContractAmended:
    """The customer that bought deal `number` doubles it, by a deal numbered 10,000 more."""
    changing = str(int(number) + 10_000)
    bench.holds("crm", {"Opportunity": [deal(changing, AccountId=_account_id(number))]})
    amendment = ContractAmendment(
        opportunity_id=changing,
        source_id=str(deal(changing)["Id"]),
        account=account(number),
        amends_opportunity_id=number,
        product_word="Ledger Start",
        quantity=2,
        amount_text="1200.00",
        currency_word="USD",
        effective_on=date(2026, 3, 9),
    )
    return ContractAmended(amendment=amendment)


async def _correction(bench: Bench, number: str) -> Fact:
    return OpportunityCorrected(opportunity=won(number))


async def _case(bench: Bench, number: str) -> str:
    """A customer has an open case."""
    await _customer(bench, number)
    bench.holds("support", {"tickets": [{"subject": "Down", "comment": {"body": "Since noon"}}]})
    return str(max(one["id"] for one in bench.world.vendor_of("support").tickets.store.values()))


def _invoiced(bench: Bench, number: str, **more: Any) -> str:
    """The customer that was opened last has an invoice; gives its number."""
    c = crosswalk_table.c
    query = select(c.canonical_id).where(c.noun == "customer", c.system == "billing").order_by(c.since_ms.desc())
    owner = bench.rig.database.read_now(lambda connection: connection.execute(query).scalars().first())
    invoice = {"customer_id": owner, "number": f"I-{number}", "total": 9_000, "currency": "usd", **more}
    bench.holds("billing", {"invoices": [invoice]})
    return f"I-{number}"


async def _refund(bench: Bench, number: str) -> Fact:
    case = await _case(bench, number)
    request = RefundRequest(
        case_id=case,
        source_id=case,
        customer_source_id=_native(bench, "support"),
        subject="Down",
        amount_text="40.00",
        invoice_number=_invoiced(bench, number, status="paid", paid_on="2026-03-18"),
        reason="outage",
        requested_by="7",
        requested_on=date(2026, 3, 20),
    )
    return RefundRequested(request=request)


async def _dispute(bench: Bench, number: str) -> Fact:
    """The ruling overtakes the dispute that it is about, as deliveries do."""
    case = await _case(bench, number)
    said: Any = {"case_id": case, "source_id": case, "customer_source_id": _native(bench, "support")}
    ruling = DisputeRuling(**said, outcome="credited", amount_text="40.00", ruled_by="7", ruled_on=date(2026, 3, 20))
    told = Told(
        fact=DisputeRuled(ruling=ruling),
        source_record=f"zendesk/ticket/{number}/ruling",
        subject=number,
        orderingkey=number,
        happened_at_ms=bench.rig.clock.now_ms() + 60_000,
        sequence="1",
        content=number,
    )
    await bench.rig.told(told)
    claim = DisputeClaim(
        **said,
        subject="Down",
        invoice_number=_invoiced(bench, number),
        claimed_by="7",
        claimed_on=date(2026, 3, 20),
    )
    return InvoiceDisputed(claim=claim)


async def _refund_outside(bench: Bench, number: str) -> Fact:
    amount = Money(500, "USD")
    return PaymentRefunded(
        source_id=f"re_{number}", payment_source_id="pi_1", amount=amount, refunded_on=date(2026, 3, 20)
    )


async def _credit(bench: Bench, number: str) -> Fact:
    case = await _case(bench, number)
    request = CreditRequest(
        case_id=case,
        source_id=case,
        customer_source_id=_native(bench, "support"),
        severity="high",
        subject="Down",
        amount_text="400.00",
        reason="outage",
        requested_by="7",
        requested_on=date(2026, 3, 20),
    )
    return CreditRequested(request=request)


def _native(bench: Bench, system: str) -> str:
    """How a system calls the customer that was opened last."""
    c = crosswalk_table.c
    query = select(c.native_id).where(c.noun == "customer", c.system == system).order_by(c.since_ms.desc())
    found: Any = bench.rig.database.read_now(lambda connection: connection.execute(query).scalars().first())
    return found


async def _introduced(bench: Bench, number: str) -> Fact:
    return CustomerIntroduced(account=account(number), currency_word="USD", introduced_on=date(2026, 3, 2))


async def _note(bench: Bench, number: str) -> Fact:
    invoice = await _posted(bench, number)
    note = BilledCreditNote(
        number=f"CN-{number}",
        source_id=f"cn_{number}",
        customer_source_id=invoice.customer_source_id,
        invoice_source_id=invoice.source_id,
        total=Money(2_000, "USD"),
        off_invoice=Money(2_000, "USD"),
        issued_on=date(2026, 3, 20),
    )
    return CreditNoteIssued(credit_note=note)


async def _balance(bench: Bench, number: str) -> Fact:
    """Somebody in billing enters a credit by hand."""
    await _customer(bench, number)
    customer, base = _native(bench, "billing"), json.loads((bench.world.company.folder / "sandboxes.json").read_text())
    url = f"{base['stripe']}/v1/customers/{customer}/balance_transactions"
    headers = {"Authorization": f"Bearer {SECRET_KEY}"}
    body = {"amount": "-2000", "currency": "usd"}
    async with aiohttp.ClientSession(headers=headers) as session, session.post(url, data=body) as answer:
        assert answer.status == 200, await answer.text()
    today = datetime.fromtimestamp(bench.world.clock.now_ms() / 1000, UTC).date()
    return BalanceCredited(customer_source_id=customer, amount=Money(2_000, "USD"), credited_on=today)


def _owes(bench: Bench, number: str) -> BilledInvoice:
    """The customer that was opened last has not paid an invoice for years."""
    c = crosswalk_table.c
    query = select(c.canonical_id).where(c.noun == "customer", c.system == "billing").order_by(c.since_ms.desc())
    customer_id = bench.rig.database.read_now(lambda connection: connection.execute(query).scalars().first())
    owed = {"customer_id": customer_id, "total": 5_000, "currency": "usd", "due_on": "2020-01-31"}
    bench.holds("billing", {"invoices": [owed]})
    books = bench.world.vendor_of("billing").books
    *_, invoice = books.invoices.group(_native(bench, "billing"))
    return BilledInvoice(
        number=f"F-{number}",
        source_id=str(invoice["id"]),
        customer_source_id=_native(bench, "billing"),
        lines=(),
        tax=Money(0, "USD"),
        total=Money(5_000, "USD"),
        covered=Money(0, "USD"),
        remaining=Money(5_000, "USD"),
        status="open",
        issued_on=date(2020, 1, 1),
        due_on=date(2020, 1, 31),
    )


async def _payment(bench: Bench, number: str) -> Fact:
    await _customer(bench, number)
    return PaymentFailed(invoice=_owes(bench, number), attempt=1, failed_on=date(2026, 3, 20))


async def _overdue(bench: Bench, number: str) -> Fact:
    await _customer(bench, number)
    return InvoiceOverdue(invoice=_owes(bench, number))


async def _held_by_hand(bench: Bench, number: str) -> Fact:
    await _customer(bench, number)
    books = bench.world.vendor_of("erp").books
    native_id = _native(bench, "erp")
    bench.holds("erp", {"holds": [{"external_id": books.get("customer", native_id)["externalId"], "hold": "ON"}]})
    hold = CreditHold(is_on=True, is_ours=False, is_waived=False)
    return CreditHoldPlaced(customer_source_id=native_id, name=f"Lone Star {number}", hold=hold)


async def _billed(bench: Bench, number: str) -> BilledInvoice:
    await _customer(bench, number)
    line = BilledLine(
        line_id="il_1", product_word="LDG-START", description="Seats", quantity=1, total=Money(5_000, "USD")
    )
    return BilledInvoice(
        number=f"N-{number}",
        source_id=f"in_{number}",
        customer_source_id=_native(bench, "billing"),
        lines=(line,),
        tax=Money(400, "USD"),
        total=Money(5_400, "USD"),
        covered=Money(0, "USD"),
        remaining=Money(5_400, "USD"),
        status="open",
        issued_on=date(2026, 3, 20),
        due_on=None,
    )


async def _finalized(bench: Bench, number: str) -> Fact:
    return InvoiceFinalized(invoice=await _billed(bench, number))


async def _posted(bench: Bench, number: str) -> BilledInvoice:
    """In the books, before anything is refused."""
    invoice = await _billed(bench, number)
    row = await bench.play(InvoiceFinalized(invoice=invoice), number)
    assert row.state == "completed", bench.open_item(row)
    return invoice


async def _voided(bench: Bench, number: str) -> Fact:
    return InvoiceVoided(invoice=await _posted(bench, number), voided_on=date(2026, 3, 21))


async def _paid(bench: Bench, number: str) -> Fact:
    return PaymentReceived(invoice=await _posted(bench, number), amount=Money(5_400, "USD"), paid_on=date(2026, 3, 21))


async def _taken_back(bench: Bench, number: str) -> Fact:
    """A note that lowered a posted invoice, and is in the books."""
    invoice = await _posted(bench, number)
    note = BilledCreditNote(
        number=f"CN-{number}",
        source_id=f"cn_{number}",
        customer_source_id=invoice.customer_source_id,
        invoice_source_id=invoice.source_id,
        total=Money(2_000, "USD"),
        off_invoice=Money(2_000, "USD"),
        issued_on=date(2026, 3, 20),
    )
    row = await bench.play(CreditNoteIssued(credit_note=note), number)
    assert row.state == "completed", bench.open_item(row)
    return CreditNoteVoided(credit_note=note, voided_on=date(2026, 3, 22))


BEGINNINGS: Mapping[str, Beginning] = {
    "customer_onboarding": _onboarding,
    "contract_amendment": _amendment,
    "deal_correction": _correction,
    "invoice_dispute": _dispute,
    "refund": _refund,
    "refund_outside": _refund_outside,
    "service_credit": _credit,
    "customer_opening": _introduced,
    "credit_note": _note,
    "credit_note_void": _taken_back,
    "balance_credit": _balance,
    "invoice_posting": _finalized,
    "invoice_voiding": _voided,
    "invoice_settlement": _paid,
    "payment_status": _payment,
    "collections": _overdue,
    "credit_hold": _held_by_hand,
}
