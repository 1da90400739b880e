"""How long to wait before asking again.

Twenty lines of our own: retry libraries sleep by themselves and take randomness and time from the air, while here all
three are arguments, the budget does the waiting, and what may be repeated is decided by what was sent.
"""

import math
import random
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

RETRY_AFTER_MAX_S = 3600.0


def full_jitter_s(attempt: int, rng: random.Random, *, base_s: float = 0.1, cap_s: float = 10.0) -> float:
    """Somewhere between 0 and the doubled wait of the `attempt`-th failure (1, 2, 3 …)."""
    return rng.uniform(0.0, min(cap_s, base_s * 2.0 ** min(attempt, 32)))


def retry_after_s(headers: Mapping[str, str], *, now_ms: int) -> float | None:
    """What `Retry-After` asks for (RFC 9110 §10.2.3: seconds or a date), at most an hour; None where unusable."""
    text = headers.get("retry-after")
    if text is None or len(text) > 64:
        return None
    try:
        wait_s = float(text) if text[:1] in "-+.0123456789" else parsedate_to_datetime(text).timestamp() - now_ms / 1000
    except (ValueError, OverflowError, TypeError):
        return None
    if math.isnan(wait_s) or wait_s < 0:
        return 0.0 if wait_s < 0 and text[0].isalpha() else None
    return min(wait_s, RETRY_AFTER_MAX_S)
