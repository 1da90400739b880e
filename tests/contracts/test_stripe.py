"""What the sandbox answers, and what the client sends, against Stripe's published contract."""

import json
import os
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any, cast

import pytest
import stripe

from accordant.canonical.operation import Attempt
from accordant.canonical.settlement import Paid, Settlement
from accordant.connector.sandbox import SandboxOptions, serve
from accordant.kernel.money import Money
from accordant.systems.stripe.client.entries import COUNTER, GRANT, credit_form
from accordant.systems.stripe.mapping import customer_form, terms_form
from accordant.systems.stripe.mapping.disputes import dispute_form
from accordant.systems.stripe.mapping.refunds import refund_form
from accordant.systems.stripe.sandbox.door import StripeSandbox
from accordant.systems.stripe.sandbox.wire import unfold
from tests.systems.stripe.account import CUSTOMER, Running, a_credit, a_customer, a_subscription, connected, terms
from tests.systems.stripe.test_refunds import a_dispute, a_refund

CONTRACTS = os.environ.get("ACCORDANT_CONTRACTS")
pytestmark = pytest.mark.skipif(CONTRACTS is None, reason="ACCORDANT_CONTRACTS names no folder of vendor contracts")
OLD = "2023-08-16"
NOT_KEPT = {
    "invoice": {
        *("account_country", "account_name", "account_tax_ids", "amount_paid_off_stripe", "application"),
        *("custom_fields", "customer_account", "customer_phone", "customer_shipping", "customer_tax_exempt"),
        *("customer_tax_ids", "default_payment_method", "default_source", "description", "effective_at"),
        *("ending_balance", "footer", "from_invoice", "hosted_invoice_url", "invoice_pdf", "last_finalization_error"),
        *("latest_revision", "next_payment_attempt", "on_behalf_of", "receipt_number", "rendering", "shipping_cost"),
        *("shipping_details", "statement_descriptor", "subscription", "subtotal_excluding_tax"),
        *("total_excluding_tax", "total_pretax_credit_amounts", "webhooks_delivered_at"),
    },
    "charge": {"refunds"},
    "subscription": {"billing_schedules", "customer_account", "managed_payments"},
    "subscription_item": {"plan"},
}
"""Members of the newest example that the sandbox leaves out: features that nobody here uses."""
ENTRIES = "/v1/customers/{}/balance_transactions"
OUTSIDE_THE_SUBSET = {
    ENTRIES: {"get", "post"},
    f"{ENTRIES}/{{}}": {"get"},
    "/v1/invoices/{}/add_lines": {"post"},
    "/v1/invoices/create_preview": {"post"},
    "/v1/invoice_payments": {"get"},
}
"""Paths that the kept part of the old contract leaves out: https://docs.stripe.com/api/customer_balance_transactions,
https://docs.stripe.com/api/invoices/add_lines, https://docs.stripe.com/api/invoices/create_preview, and
https://docs.stripe.com/api/invoice-payment, which came in 2025."""

_PAID = Paid(source_id="pi_1", amount=Money(700, "USD"), refunded=Money(0, "USD"), paid_on=date(2026, 11, 20))
_SETTLED = Settlement(
    number="INV-1",
    source_id="in_1",
    status="paid",
    total=_PAID.amount,
    remaining=_PAID.refunded,
    is_collected=False,
    payments=(_PAID,),
)
A_REFUND, A_DISPUTE = a_refund(_SETTLED, 700), a_dispute(_SETTLED)


def _contract(name: str) -> Any:
    return json.loads((Path(cast(str, CONTRACTS)) / "stripe" / name).read_text())


@asynccontextmanager
async def _running(folder: Path) -> AsyncGenerator[Running]:
    import aiohttp

    options = SandboxOptions(system="billing", state_dir=folder, admin_token="open sesame")
    async with serve(StripeSandbox, options) as serving, aiohttp.ClientSession() as session:
        running = Running(serving, session, folder / "ledger" / "billing.jsonl")
        await running.admin("POST", "load", {"products": [{"id": "GTXB", "name": "GTX Basic"}]})
        yield running


async def _examples(running: Running, version: str | None) -> dict[str, Any]:
    """One object of each kind, as the sandbox shows it."""

    def story(client: Any) -> dict[str, Any]:
        customer = client.v1.customers.create(CUSTOMER)
        started = client.v1.subscriptions.create(terms(customer.id))
        entry = {"amount": -500, "currency": "usd", "metadata": {"credit_id": "credit-1"}}
        bill = {"customer_id": "customer-1", "total": 700, "currency": "usd", "status": "paid", "paid_on": "2026-11-20"}
        running.sandbox.load({"invoices": [bill]})
        charge = client.v1.charges.list().data[0]
        hook = client.v1.webhook_endpoints.create({"url": "http://127.0.0.1:9/", "enabled_events": ["charge.failed"]})
        billed = client.v1.invoices.finalize_invoice(started.latest_invoice)
        return {
            "customer": customer,
            "subscription": started,
            "subscription_item": started["items"].data[0],
            "price": started["items"].data[0].price,
            "product": client.v1.products.retrieve("GTXB"),
            "invoice": client.v1.invoices.retrieve(started.latest_invoice),
            "customer_balance_transaction": client.v1.customers.balance_transactions.create(customer.id, entry),
            "credit_note": client.v1.credit_notes.create({"invoice": billed.id, "amount": 700}),
            "charge": charge,
            "invoice_payment": client.v1.invoice_payments.list().data[0],
            "refund": client.v1.refunds.create({"charge": charge.id, "amount": 100}),
            "event": client.v1.events.list().data[0],
            "webhook_endpoint": client.v1.webhook_endpoints.retrieve(hook.id),
        }

    options = {} if version is None else {"stripe_version": version}
    return {kind: one.to_dict() for kind, one in (await running.ask(story, **options)).items()}


async def test_every_required_member_of_the_old_contract_is_there(tmp_path: Path) -> None:
    schemas = _contract("subset-noexpand.2023-08-16.openapi.json")["components"]["schemas"]
    async with _running(tmp_path) as running:
        for kind, example in (await _examples(running, OLD)).items():
            missing = set(schemas.get(kind, {}).get("required", ())) - example.keys()
            assert not missing, (kind, missing)


async def test_every_member_of_the_newest_example_is_there(tmp_path: Path) -> None:
    resources = _contract("fixtures3.2026-08-21.json")["resources"]
    async with _running(tmp_path) as running:
        for kind, example in (await _examples(running, None)).items():
            missing = resources[kind].keys() - example.keys() - NOT_KEPT.get(kind, set())
            assert not missing, (kind, missing)


def _known(schema: Any, value: Any, place: str) -> None:
    """Every parameter of a request exists in the contract."""
    schema = next((one for one in schema.get("anyOf", ()) if one.get("type") in ("object", "array")), schema)
    if schema.get("type") == "array":
        for index, member in value.items():
            assert re.fullmatch("[0-9]+", index), place
            _known(schema["items"], member, f"{place}[{index}]")
    elif isinstance(value, dict) and "properties" in schema:
        for name, member in cast(dict[str, Any], value).items():
            assert name in schema["properties"], f"{place}[{name}]"
            _known(schema["properties"][name], member, f"{place}[{name}]")


async def test_the_client_sends_only_parameters_that_exist(tmp_path: Path) -> None:
    paths = _contract("subset-noexpand.2023-08-16.openapi.json")["paths"]

    def parameters(path: str, method: str = "post") -> Any:
        return paths[path][method]["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]

    _known(parameters("/v1/customers"), unfold(customer_form(a_customer(), email="a@b.example")), "customer")
    fixed = [("customer", "c"), ("collection_method", "send_invoice"), ("days_until_due", "30")]
    start = [*fixed, ("proration_behavior", "none"), *terms_form(a_subscription())]
    _known(parameters("/v1/subscriptions"), unfold(start), "subscription")
    amend = [("items[0][id]", "si"), ("proration_behavior", "none"), *terms_form(a_subscription())]
    one = "/v1/subscriptions/{subscription_exposed_id}"
    _known(parameters(one), unfold(amend), "subscription")
    _known(parameters(one, "delete"), unfold([("invoice_now", "false"), ("prorate", "false")]), "subscription")
    _known(parameters("/v1/refunds"), unfold(refund_form(A_REFUND)), "refund")
    _known(parameters("/v1/invoices/{invoice}"), unfold(dispute_form(A_DISPUTE, collects=False)), "invoice")
    async with _running(tmp_path) as running, connected(running) as billing:
        account = (await billing.open_customer(a_customer()).send(Attempt(key="c"))).receipt
        await billing.start_subscription(a_subscription(), account=account).send(Attempt(key="s"))
        sent = running.ledger("subscription")[0]
    assert sent["business_id"] == "subscription-1"


def test_an_entry_has_only_parameters_that_the_official_client_knows() -> None:
    taken = stripe.params.CustomerBalanceTransactionCreateParams.__annotations__
    for entry in (GRANT, COUNTER):
        assert unfold(credit_form(a_credit(), entry)).keys() <= taken.keys()


async def test_every_path_of_the_sandbox_is_in_the_contract(tmp_path: Path) -> None:
    paths = _contract("subset-noexpand.2023-08-16.openapi.json")["paths"]
    known = {re.sub(r"{[^}]*}", "{}", path): methods for path, methods in paths.items()} | OUTSIDE_THE_SUBSET
    async with _running(tmp_path) as running:
        for route in running.sandbox.routes():
            assert route.method.lower() in known[re.sub(r"{[^}]*}", "{}", route.path)], route
