"""How an account stands is decided by what is so now; a late fact, a growing contract and two writers do no harm."""

from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from accordant.canonical.account import CreditHold
from accordant.canonical.customer import Address, Customer
from accordant.canonical.dispute import Dispute
from accordant.canonical.invoice import OpenInvoice
from accordant.canonical.operation import Attempt, Receipt
from accordant.canonical.payment import PaymentFailed, PaymentReceived
from accordant.governance.collections import Collections, Ladder, Step
from accordant.governance.estate import Estate
from accordant.governance.policies import Policies
from accordant.kernel.errors import Terminal
from accordant.kernel.money import Money
from accordant.masterdata import standing
from accordant.masterdata.standing import Seen, decide
from accordant.process.account import holder_of
from accordant.process.collections import Owed, ladder_of
from accordant.systems.stripe.sandbox import clerk
from tests.process.beginnings import BEGINNINGS, amended
from tests.process.bench import Bench, benched

DAY_MS = 86_400_000
NOW_MS = 1_780_000_000_000
RULES = Collections(
    support={
        "current": "as contracted",
        "past due": "as contracted",
        "on hold": "limited",
        "suspended": "suspended",
    },
    ladders=(
        Ladder(
            business_days=False,
            steps=(
                Step(name="first reminder", after="1h", remind=True),
                Step(name="hold", after="480h", standing="on hold"),
                Step(name="suspension", after="720h", standing="suspended"),
            ),
        ),
    ),
)
ESTATE = Estate(version=1, tables={}, policies=Policies(exceptions={}), ownership={}, collections=RULES)
HERE = Address(country="US")
CUSTOMER = Customer(
    customer_id="customer-1", name="Acme", legal_entity="US01", currency="USD", bill_to=HERE, ship_to=HERE
)
FREE = CreditHold(is_on=False, is_ours=False, is_waived=False)
OURS = CreditHold(is_on=True, is_ours=True, is_waived=False)
BY_HAND = CreditHold(is_on=True, is_ours=False, is_waived=False)
TAKEN_BACK = CreditHold(is_on=False, is_ours=True, is_waived=True)
NEVER = CreditHold(is_on=False, is_ours=False, is_waived=True)


def owed(days: float, *, is_disputed: bool = False) -> OpenInvoice:
    return OpenInvoice(
        number="F-1",
        source_id="in_1",
        remaining=Money(5_000, "USD"),
        due_at_ms=NOW_MS - round(days * DAY_MS),
        attempts=0,
        is_disputed=is_disputed,
    )


@pytest.mark.parametrize(
    ("days", "hold", "expected"),
    [
        (None, FREE, ("current", "none", "")),
        (19.9, FREE, ("past due", "none", "")),
        (20, FREE, ("on hold", "ours", "places")),
        (29.9, OURS, ("on hold", "ours", "")),
        (30, OURS, ("suspended", "ours", "")),
        (30, FREE, ("suspended", "ours", "places")),
        (30, BY_HAND, ("suspended", "by hand", "")),
        (30, TAKEN_BACK, ("past due", "waived", "")),
        (30, NEVER, ("past due", "waived", "")),
        (None, OURS, ("current", "none", "releases")),
        (None, TAKEN_BACK, ("current", "none", "releases")),
        (None, NEVER, ("current", "waived", "")),
        (None, BY_HAND, ("on hold", "by hand", "")),
        (1, BY_HAND, ("on hold", "by hand", "")),
    ],
)
def test_what_is_owed_and_held_decides(days: float | None, hold: CreditHold, expected: tuple[str, str, str]) -> None:
    invoices = () if days is None else (owed(days),)
    found = decide(Seen(invoices=invoices, hold=hold, at_ms=NOW_MS), CUSTOMER, None, estate=ESTATE)
    does = "places" if found.places_hold else "releases" if found.releases_hold else ""
    assert (found.status, found.hold, does) == expected
    assert found.is_paused == (found.status == "suspended")
    assert bool(found.reason) == (found.status != "current")
    assert found.support == RULES.support[found.status]
    assert found.overdue == found.balance == Money(5_000 * len(invoices), "USD")


def test_what_is_disputed_leads_to_nothing() -> None:
    seen = Seen(invoices=(owed(99, is_disputed=True),), hold=FREE, at_ms=NOW_MS)
    found = decide(seen, CUSTOMER, None, estate=ESTATE)
    assert (found.status, found.balance) == ("current", Money(5_000, "USD"))


def test_a_ladder_begins_where_the_invoice_was_due() -> None:
    known = Owed(invoice=owed(2), at_ms=NOW_MS)
    steps = ladder_of(known, CUSTOMER, "", ESTATE)
    assert [(one.name, one.at_ms - NOW_MS + 2 * DAY_MS) for one in steps] == [
        ("first reminder", 3_600_000),
        ("hold", 20 * DAY_MS),
        ("suspension", 30 * DAY_MS),
    ]
    assert ladder_of(Owed(invoice=None, at_ms=NOW_MS), CUSTOMER, "", ESTATE) == []
    charged = msgspec.structs.replace(owed(2), due_at_ms=None)
    assert ladder_of(Owed(invoice=charged, at_ms=NOW_MS), CUSTOMER, "", ESTATE) == []


@pytest.mark.parametrize("accounts", [{}, {"billing": "cus_1"}, {"erp": "1001"}])
def test_who_is_not_ours_is_named(accounts: dict[str, str]) -> None:
    known = msgspec.json.encode(CUSTOMER).decode() if accounts else ""
    with pytest.raises(Terminal) as stopped:
        holder_of(known, accounts, "billing/cus_1", ESTATE)
    assert (stopped.value.code, bool(stopped.value.hint)) == ("account.unknown", True)


async def test_what_is_so_now_counts_whatever_comes_late(sqlite_template: Path, tmp_path: Path) -> None:
    async with benched(tmp_path, sqlite_template) as bench:
        failed: Any = await BEGINNINGS["payment_status"](bench, "100")
        assert (await bench.play(failed, "100")).state == "completed"
        assert shown(bench) == ("suspended", "ON", "paused", "suspended")
        assert (await bench.play(amended(bench, "100"), "10100")).state == "completed"
        assert shown(bench) == ("suspended", "ON", "paused", "suspended"), "who buys more is not let in again"

        await paid(bench, failed.invoice.source_id)
        received = PaymentReceived(invoice=failed.invoice, amount=Money(5_000, "USD"), paid_on=date(2026, 3, 21))
        assert (await bench.play(received, "101", flow="payment_status")).state == "completed"
        assert shown(bench) == ("active", "AUTO", "running", "current")

        again = PaymentFailed(invoice=failed.invoice, attempt=2, failed_on=date(2026, 3, 20))
        late = await bench.play(again, "102")
        assert (late.state, bench.effects_of(late)) == ("completed", []), "a late failure undoes nothing"
        assert shown(bench) == ("active", "AUTO", "running", "current")


async def test_what_changes_while_it_is_carried_out_is_seen(sqlite_template: Path, tmp_path: Path) -> None:
    """The money comes after billing was asked and before support is told: the second look puts it right."""
    async with benched(tmp_path, sqlite_template) as bench:
        failed: Any = await BEGINNINGS["payment_status"](bench, "100")
        support = bench.world.clients["support"]
        limited, pays = support.set_entitlement, [True]

        def at_this_moment(entitlement: Any) -> Any:
            operation = limited(entitlement)

            async def send(attempt: Attempt) -> Any:
                if pays:
                    pays.clear()
                    await paid(bench, failed.invoice.source_id)
                return await operation.send(attempt)

            return msgspec.structs.replace(operation, send=send)

        support.set_entitlement = at_this_moment
        row = await bench.play(failed, "100")
        assert (row.state, pays) == ("completed", [])
        assert shown(bench) == ("active", "AUTO", "running", "current")


async def test_each_reminder_is_sent_once_and_a_ladder_that_is_late_sends_the_last(
    sqlite_template: Path, tmp_path: Path
) -> None:
    async with benched(tmp_path, sqlite_template) as bench:
        overdue = await BEGINNINGS["collections"](bench, "100")
        row = await bench.play(overdue, "100", flow="collections")
        assert row.state == "completed"
        sent = [one.name for one in bench.effects_of(row) if one.kind == "reminder"]
        assert sent == ["send second reminder"]
        assert [one["times"] for one in bench.world.company.held()["billing"]["reminder"]] == [1]
        assert shown(bench) == ("suspended", "ON", "paused", "suspended")
        kept = bench.rig.database.read_now(
            lambda c: standing.kept_of(c, row.tenant, customer_ids=[owner(bench)])[owner(bench)]
        )
        assert (kept.status, kept.settled, kept.hold) == ("suspended", "yes", "ours")


async def test_what_the_flow_of_disputes_writes_on_an_invoice_stops_its_ladder(
    sqlite_template: Path, tmp_path: Path
) -> None:
    async with benched(tmp_path, sqlite_template) as bench:
        overdue: Any = await BEGINNINGS["collections"](bench, "100")
        invoice = overdue.invoice
        disputed = Dispute(
            dispute_id="dispute-1",
            customer_id=owner(bench),
            case_id="4711",
            invoice_number=invoice.number,
            invoice_source_id=invoice.source_id,
            disputed=invoice.remaining,
            status="open",
            opened_at_ms=1,
        )
        await bench.world.done(bench.world.clients["billing"].stop_collecting(disputed))
        row = await bench.play(overdue, "100", flow="collections")
        assert [one.name for one in bench.effects_of(row) if one.kind == "reminder"] == []
        held = bench.world.company.held()
        assert [one["status"] for one in held["support"]["entitlement"]] == ["active"]
        assert held["crm"].get("account_standing", []) == [], "nothing changed, so that sales hears nothing"


async def paid(bench: Bench, invoice_id: str) -> None:
    base = msgspec.json.decode((bench.world.company.folder / "sandboxes.json").read_bytes())["stripe"]
    await clerk.pay(base, invoice_id)


def owner(bench: Bench) -> str:
    (one,) = bench.world.company.held()["support"]["customer"]
    return one["business_id"]


def shown(bench: Bench) -> tuple[str, str, str, str]:
    """Support, the books, billing and the CRM, of the one customer."""
    held = bench.world.company.held()
    (entitlement,) = held["support"]["entitlement"]
    (customer,) = held["erp"]["customer"]
    (collection,) = {one["collection"] for one in held["billing"]["subscription"]}
    (account,) = held["crm"]["account_standing"]
    return entitlement["status"], customer["hold"], collection, account["status"]


def test_a_receipt_names_the_customer_in_each_system() -> None:
    known = msgspec.json.encode(CUSTOMER).decode()
    holder = holder_of(known, {"billing": "cus_1", "erp": "1001"}, "billing/cus_1", ESTATE)
    assert holder.account("crm") is None
    assert holder.held_in("erp") == Receipt(kind="customer", native_id="1001", business_id="customer-1")
