"""Which work goes first when there is more work than budget."""

from enum import IntEnum


class Priority(IntEnum):
    """Priority classes. Waiting makes work older, and age beats class: nothing starves."""

    FINANCE = 1
    CUSTOMER = 2
    BACKGROUND = 3


AGEING_MS = {Priority.FINANCE: 0, Priority.CUSTOMER: 60_000, Priority.BACKGROUND: 600_000}
"""A class waits at most this much longer than finance work that arrived at the same moment."""


def rank(priority: Priority, *, arrived_ms: int) -> int:
    """Work is served in the order of this number: arrival time plus the head start of higher classes."""
    return arrived_ms + AGEING_MS[priority]
