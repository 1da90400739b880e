"""What the kit must know of a vendor to behave well there: how to sign in, and how to read a refusal."""

from collections.abc import Callable, Mapping

import msgspec

from accordant.connector.auth import Auth
from accordant.connector.budget import Quota
from accordant.connector.exchange import Answer
from accordant.kernel.errors import AccordantError


class Manners(msgspec.Struct, frozen=True, kw_only=True):
    """How one vendor wants to be spoken to."""

    auth: Auth
    explain: Callable[[Answer], AccordantError]
    """Builds (does not raise) the error for a 4xx other than 401 and 429: Rejected, Busy, RateLimited, Unknown …"""
    rate_headers: Callable[[Mapping[str, str]], Quota | None] | None = None
    """Learns what is left of the vendor's budget from an answer's headers (lower-case names)."""
    alive: Callable[[Answer], bool] = lambda answer: answer.status < 500
    """Whether an answer shows that the vendor works; the breaker counts those that do not."""
    headers: Mapping[str, str] = {}
    """Sent with every call, such as `Stripe-Version`."""
