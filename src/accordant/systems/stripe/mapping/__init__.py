"""Stripe's words for our nouns, and ours for its events; API version 2026-10-28.endive."""

from accordant.systems.stripe.mapping.event import translate
from accordant.systems.stripe.mapping.invoices import Line, billed_lines
from accordant.systems.stripe.mapping.money import from_stripe, to_stripe
from accordant.systems.stripe.mapping.nouns import (
    Fields,
    customer_expected,
    customer_facts,
    customer_form,
    owner_of,
    subscription_expected,
    subscription_facts,
    terms_form,
    unit_split,
)
from accordant.systems.stripe.mapping.prorations import delta_of, item_of, preview_form, proration_form, running_period

__all__ = [
    "Fields",
    "Line",
    "billed_lines",
    "customer_expected",
    "customer_facts",
    "customer_form",
    "delta_of",
    "from_stripe",
    "item_of",
    "owner_of",
    "preview_form",
    "proration_form",
    "running_period",
    "subscription_expected",
    "subscription_facts",
    "terms_form",
    "to_stripe",
    "translate",
    "unit_split",
]
