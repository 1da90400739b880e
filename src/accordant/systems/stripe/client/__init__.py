"""The Billing port, spoken to Stripe."""

from accordant.systems.stripe.client.answers import alive, explain
from accordant.systems.stripe.client.billing import KEY_LIFE_S, StripeBilling

__all__ = ["KEY_LIFE_S", "StripeBilling", "alive", "explain"]
