"""An offline double of Stripe Billing: same forms, same objects, same errors, same signed webhooks, in memory.

Source: https://docs.stripe.com/api/authentication, /api/idempotent_requests, /rate-limits (API version
2026-10-28.endive). What it assumes beyond the documents is listed in the vendor's `Connector.assumptions`.
"""

import asyncio

from accordant.connector.sandbox import SandboxOptions, serve
from accordant.systems.stripe.sandbox.door import SECRET_KEY, WEBHOOK_SECRET, StripeSandbox

__all__ = ["SECRET_KEY", "WEBHOOK_SECRET", "StripeSandbox", "serve_sandbox"]


async def serve_sandbox(options: SandboxOptions) -> None:
    """Serve until cancelled."""
    async with serve(StripeSandbox, options):
        await asyncio.Event().wait()
