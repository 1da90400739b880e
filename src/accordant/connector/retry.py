"""How long to wait before asking again."""

import random
from collections.abc import Mapping

RETRY_AFTER_MAX_S = 3600.0


def full_jitter_s(attempt: int, rng: random.Random, *, base_s: float = 0.1, cap_s: float = 10.0) -> float:
    """Somewhere between 0 and the doubled wait of the `attempt`-th failure (1, 2, 3 …)."""
    raise NotImplementedError


def retry_after_s(headers: Mapping[str, str], *, now_ms: int) -> float | None:
    """What `Retry-After` asks for, in seconds up to an hour; None where it says nothing usable."""
    raise NotImplementedError
