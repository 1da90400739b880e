"""A transaction may wait: for an instant, for an event that should come, for a vendor; waiting survives restarts."""

from accordant.kernel.errors import AccordantError, Terminal


class Pause(Exception):
    """The drive ends here and the transaction goes on later; not an error."""

    def __init__(self, waiting_for: str, *, wake_at_ms: int | None, expects: tuple[str, str] = ("", "")) -> None:
        super().__init__(waiting_for)
        self.waiting_for = waiting_for
        self.wake_at_ms = wake_at_ms
        self.expects = expects
        """Type and subject of the event that should come."""


_WAKE = "UPDATE business_transaction SET due_rank = opened_at_ms, wake_at_ms = NULL, state = 'running' "
_CAME = (
    "state = 'waiting' AND EXISTS (SELECT 1 FROM event WHERE event.subject = expects_subject"
    " AND event.type = expects_type AND event.published_at_ms >= business_transaction.opened_at_ms)"
)
FOLLOW_UPS = {
    "wake_expecting": f"{_WAKE} WHERE expects_subject = :p AND expects_subject <> '' AND {_CAME}",
    "wake_if_it_came": f"{_WAKE} WHERE transaction_id = :p AND {_CAME}",
}
"""An event wakes who expects it; and whoever falls asleep looks once more, in the same commit, so that an event that
came in between is not missed."""


def never_came(event_type: str, within_s: float) -> AccordantError:
    """The problem of an expected event whose time is over."""
    return Terminal(
        f"{event_type} was expected within {within_s:.0f} s and did not come",
        code="promise.broken",
        hint="ask the system that should have told it; retrying waits once more",
        detail={"cause": f"{event_type} did not come in time"},
    )
