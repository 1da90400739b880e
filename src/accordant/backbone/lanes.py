"""Lanes keep what concerns one customer in order: one transaction of a lane at a time, in the source's order."""

from accordant.kernel.database import Changes
from accordant.kernel.priority import AGEING_MS, Priority

WAITS, HAS_TURN, LEFT = 0, 1, 2
"""Values of `turn`."""

_AGEING = " ".join(f"WHEN {int(one)} THEN {AGEING_MS[one]}" for one in Priority)

WAKE_LANE = f"""
UPDATE business_transaction
SET turn = 1, state = 'running', waiting_for = '', due_rank = opened_at_ms + CASE priority {_AGEING} ELSE 0 END
WHERE transaction_id = (
    SELECT transaction_id FROM business_transaction
    WHERE lane = :p AND turn = 0 ORDER BY lane_seq, transaction_id LIMIT 1
) AND NOT EXISTS (SELECT 1 FROM business_transaction AS head WHERE head.lane = :p AND head.turn = 1)
"""
"""Gives the turn to the first that waits, unless somebody has it."""

FOLLOW_UPS = {"wake_lane": WAKE_LANE}


def wake(changes: Changes, lane: str) -> None:
    """After this commit, let the lane move on if nobody has the turn."""
    changes.follow_up("wake_lane", lane)
