"""An offline double of Stripe Billing: same forms, same objects, same errors, same signed webhooks, in memory.

Source: https://docs.stripe.com/api/authentication, /api/idempotent_requests, /rate-limits (API version
2026-10-28.endive). What it assumes beyond the documents is listed in the vendor's `Connector.assumptions`.
"""

from accordant.systems.stripe.sandbox.door import SECRET_KEY, StripeSandbox

__all__ = ["SECRET_KEY", "StripeSandbox"]
