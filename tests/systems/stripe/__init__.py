"""Stripe Billing: sandbox, client, mapping and webhooks."""
