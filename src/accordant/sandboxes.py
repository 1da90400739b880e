"""Every vendor's sandbox, and what a company brings into it. The platform itself loads none of this."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from accordant.connector.capabilities import World
from accordant.connector.sandbox import Kit, Record, Sandbox
from accordant.systems.netsuite.sandbox import furnish as netsuite_furnish
from accordant.systems.netsuite.sandbox.account import NetSuite
from accordant.systems.salesforce.sandbox.accounts import customer_accounts
from accordant.systems.salesforce.sandbox.export import records_from_export
from accordant.systems.salesforce.sandbox.server import SalesforceSandbox
from accordant.systems.stripe.sandbox import clerk as stripe_clerk
from accordant.systems.stripe.sandbox import furnish as stripe_furnish
from accordant.systems.stripe.sandbox.door import StripeSandbox
from accordant.systems.stripe.sandbox.shop import Shop
from accordant.systems.zendesk.sandbox import agent as zendesk_agent
from accordant.systems.zendesk.sandbox import furnish as zendesk_furnish
from accordant.systems.zendesk.sandbox.server import ZendeskSandbox

SANDBOXES: Mapping[str, Callable[[Kit], Sandbox]] = {
    "salesforce": SalesforceSandbox,
    "stripe": StripeSandbox,
    "netsuite": NetSuite,
    "zendesk": ZendeskSandbox,
}
FURNISH: Mapping[str, Callable[[World], Record]] = {
    "stripe": stripe_furnish.furnish,
    "netsuite": netsuite_furnish.furnish,
    "zendesk": zendesk_furnish.furnish,
}
"""Catalogues, legal entities and webhooks, as a company would have set them up long ago."""
READ_EXPORT: Mapping[str, Callable[[Path], dict[str, list[dict[str, Any]]]]] = {"salesforce": records_from_export}
"""A company's export of its CRM as records that a sandbox loads."""
ASK_FOR_CREDIT: Mapping[str, Callable[..., Awaitable[str]]] = {"zendesk": zendesk_agent.ask_for_credit}
ASK_AGAIN: Mapping[str, Callable[..., Awaitable[None]]] = {"zendesk": zendesk_agent.ask_again}
DISPUTE_INVOICE: Mapping[str, Callable[..., Awaitable[str]]] = {"zendesk": zendesk_agent.dispute_invoice}
RULE_DISPUTE: Mapping[str, Callable[..., Awaitable[None]]] = {"zendesk": zendesk_agent.rule_dispute}
"""What an agent of support does by hand on a case."""
PAY_INVOICE: Mapping[str, Callable[..., Awaitable[None]]] = {"stripe": stripe_clerk.pay_invoice}
VOID_INVOICE: Mapping[str, Callable[..., Awaitable[None]]] = {"stripe": stripe_clerk.void_invoice}
ENTER_CUSTOMER: Mapping[str, Callable[..., Awaitable[str]]] = {"stripe": stripe_clerk.enter_customer}
CUSTOMERS: Mapping[str, Callable[..., dict[str, list[dict[str, Any]]]]] = {"salesforce": customer_accounts}
"""Customers without a deal as records that a sandbox loads."""
SHOP: Mapping[str, Callable[..., Shop]] = {"stripe": Shop}
"""What a company's own shop does in billing."""
BILL: Mapping[str, Callable[..., Awaitable[tuple[str, str]]]] = {"stripe": stripe_clerk.bill}
PAY: Mapping[str, Callable[..., Awaitable[None]]] = {"stripe": stripe_clerk.pay}
REFUND_BY_HAND: Mapping[str, Callable[..., Awaitable[str]]] = {"stripe": stripe_clerk.refund_by_hand}
PAY_BY_CARD: Mapping[str, Callable[..., Awaitable[None]]] = {"stripe": stripe_clerk.pay_by_card}
"""What somebody does by hand in billing, or a customer on the invoice's page."""
