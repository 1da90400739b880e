"""Asks NetSuite to keep a customer, its orders and its credits, each under our own id: asking twice changes nothing.

Here is only the list of what it can be asked: a module per noun says how, `calls` sends it, `readback` looks at it.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date
from typing import Any, cast

from accordant.canonical.account import CreditHold
from accordant.canonical.control import LedgerDocument
from accordant.canonical.credit import CreditMemo
from accordant.canonical.customer import Customer
from accordant.canonical.invoice import CreditNote, Invoice
from accordant.canonical.operation import Facts, Operation, ReadRef, Receipt
from accordant.canonical.order import Order
from accordant.canonical.payment import Payment
from accordant.canonical.refund import RefundEntry
from accordant.connector.capabilities import ConnectionSettings, Row
from accordant.connector.http import VendorHttp
from accordant.kernel.errors import Misconfigured
from accordant.systems.netsuite import mapping
from accordant.systems.netsuite.client import credit_memos, customers, holds, invoices, orders, refunds
from accordant.systems.netsuite.client.calls import Calls
from accordant.systems.netsuite.client.documents import Documents
from accordant.systems.netsuite.client.readback import ReadBack

CAPABILITIES = (
    *customers.CAPABILITIES,
    *orders.CAPABILITIES,
    *credit_memos.CAPABILITIES,
    *invoices.CAPABILITIES,
    *holds.CAPABILITIES,
    *refunds.CAPABILITIES,
)


class NetSuite:
    """The Erp role, kept by NetSuite."""

    def __init__(self, settings: ConnectionSettings, http: VendorHttp) -> None:
        self._currencies = _currencies(settings)
        self._http = http
        self._shown: set[str] = set()
        self._calls = Calls(settings.name, http)
        self._held = ReadBack(http, self._currencies)
        self._documents = Documents(http, self._currencies)

    def open_customer(self, customer: Customer, *, erp_entity: str) -> Operation:
        save = customers.open_customer(customer, erp_entity=erp_entity, currencies=self._currencies)
        return self._calls.operation(save)

    def place_order(self, order: Order) -> Operation:
        return self._calls.operation(orders.place_order(order, currencies=self._currencies))

    def amend_order(self, order: Order) -> Operation:
        """Replace the lines; an order that does not exist is refused, never made."""
        return self._calls.operation(orders.amend_order(order))

    def close_order(self, order: Order) -> Operation:
        """NetSuite closes an order by closing each of its lines.

        Source: http://mikebian.co/how-to-close-a-netsuite-salesorder-using-suitetalk/
        """
        return self._calls.operation(orders.close_order(order))

    def post_credit_memo(self, memo: CreditMemo) -> Operation:
        """Post it on its day; where the books are closed for it, the refusal's detail has `closed_period`, a month."""
        return self._calls.operation(credit_memos.post_credit_memo(memo, currencies=self._currencies))

    def post_invoice(self, invoice: Invoice) -> Operation:
        return self._calls.operation(invoices.post_invoice(invoice, currencies=self._currencies))

    def post_credit_note(self, note: CreditNote, *, invoice: Receipt) -> Operation:
        return self._calls.operation(invoices.post_credit_note(note, invoice=invoice, currencies=self._currencies))

    def post_payment(self, payment: Payment, *, invoice: Receipt) -> Operation:
        return self._calls.operation(invoices.post_payment(payment, invoice=invoice, currencies=self._currencies))

    async def documents(self, *, since: date, until: date, entities: Mapping[str, str]) -> tuple[LedgerDocument, ...]:
        return await self._documents.all(since=since, until=until, entities=entities)

    def place_hold(self, customer_id: str) -> Operation:
        """Hold On, with our mark; a customer that the books do not hold is refused, never made."""
        return self._calls.operation(holds.place_hold(customer_id))

    def release_hold(self, customer_id: str) -> Operation:
        """Hold Auto, without our mark."""
        return self._calls.operation(holds.release_hold(customer_id))

    async def credit_hold(self, account: Receipt) -> CreditHold:
        return await holds.credit_hold(self._http, account.business_id)

    def changed_holds(self, since: str) -> AsyncIterator[list[Row]]:
        return holds.changed_holds(self._http, since, shown=self._shown)

    def post_refund(self, entry: RefundEntry, *, memo: Receipt) -> Operation:
        """Pay a credit memo out on its day; closed books are named as for a credit memo."""
        return self._calls.operation(refunds.post_refund(entry, memo=memo, currencies=self._currencies))

    async def read_back(self, kind: str, refs: Sequence[ReadRef]) -> dict[str, Facts]:
        return await self._held.facts(kind, [ref.native_id for ref in refs])


def connect(settings: ConnectionSettings, http: VendorHttp) -> NetSuite:
    return NetSuite(settings, http)


def _currencies(settings: ConnectionSettings) -> mapping.Currencies:
    option = settings.options.get("currency_ids")
    if not isinstance(option, Mapping) or not option:
        raise Misconfigured(
            f"connection {settings.name} needs the option `currency_ids`: internal ids by ISO code, such as USD: 1",
            hint="NetSuite shows them under Lists > Accounting > Currencies",
        )
    return mapping.Currencies.read(cast("Mapping[str, Any]", option))
