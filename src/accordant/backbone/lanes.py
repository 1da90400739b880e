"""Lanes keep what concerns one customer in order: one transaction of a lane at a time, in the source's order."""

from accordant.kernel.database import Changes
from accordant.kernel.priority import AGEING_MS, Priority

WAITS, HAS_TURN, LEFT = 0, 1, 2
"""Values of `turn`."""

WOKEN = "lane again"
"""`waiting_for` of a transaction that left its lane to wait, has been woken, and queues for its turn once more."""

_AGEING = " ".join(f"WHEN {int(one)} THEN {AGEING_MS[one]}" for one in Priority)
_RANK = f"opened_at_ms + CASE priority {_AGEING} ELSE 0 END"

GO_ON = f"""
    wake_at_ms = NULL,
    due_rank = CASE WHEN state = 'exception' THEN wake_at_ms + {AGEING_MS[Priority.BACKGROUND]}
                    WHEN turn = {LEFT} THEN NULL ELSE {_RANK} END,
    waiting_for = CASE WHEN state = 'exception' THEN waiting_for WHEN turn = {LEFT} THEN '{WOKEN}' ELSE '' END,
    turn = CASE WHEN state <> 'exception' AND turn = {LEFT} THEN {WAITS} ELSE turn END,
    state = CASE WHEN state = 'waiting' AND turn <> {LEFT} THEN 'running' ELSE state END
"""
"""What waking changes: who kept the turn goes on at once; who left the lane to wait queues again, in its old place, so
that two transactions of one lane never run side by side."""

_SEATED = f"turn = {HAS_TURN}, state = 'running', waiting_for = '', due_rank = {_RANK}"
_SEAT = f"UPDATE business_transaction SET {_SEATED}"  # noqa: S608 - our own names and numbers; the lane is a parameter
_MAY_SIT = (
    "transaction_id = (SELECT transaction_id FROM business_transaction AS queued"
    " WHERE queued.lane = {lane} AND queued.turn = 0 ORDER BY lane_seq, transaction_id LIMIT 1)"
    " AND NOT EXISTS (SELECT 1 FROM business_transaction AS head WHERE head.lane = {lane} AND head.turn = 1)"
)
WAKE_LANE = f"{_SEAT} WHERE {_MAY_SIT.format(lane=':p')}"
"""Gives the turn to the first that waits, unless somebody has it."""

SEAT_WOKEN = (
    f"{_SEAT} WHERE turn = 0 AND waiting_for = '{WOKEN}' AND {_MAY_SIT.format(lane='business_transaction.lane')}"
)
"""The same for the lanes of those that have just been woken; the parameter is not used."""

FOLLOW_UPS = {"wake_lane": WAKE_LANE, "seat_woken": SEAT_WOKEN}


def wake(changes: Changes, lane: str) -> None:
    """After this commit, let the lane move on if nobody has the turn."""
    changes.follow_up("wake_lane", lane)


def seat_woken(changes: Changes) -> None:
    """After this commit, let those that were woken go on where their lane is free."""
    changes.follow_up("seat_woken", "")
