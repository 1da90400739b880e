"""The Billing port, spoken to Stripe."""

from accordant.systems.stripe.client.answers import alive, explain
from accordant.systems.stripe.client.billing import StripeBilling
from accordant.systems.stripe.client.calls import KEY_LIFE_S

__all__ = ["KEY_LIFE_S", "StripeBilling", "alive", "explain"]
