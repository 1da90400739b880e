"""Who is asked when something goes wrong, how urgent it is, and whether a flow holds or undoes its steps."""

from collections.abc import Iterator
from typing import Literal

import msgspec

FALLBACK = "*"


class ExceptionPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How one kind of exception is handled."""

    cause_class: Literal["technical", "data", "process"]
    owner: str
    severity: Literal["critical", "high", "medium", "low"]
    deadline_h: int
    """Hours until it is overdue."""
    runbook: str
    """Where the steps to take are written."""


class FlowPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What a flow does when it cannot go on."""

    on_failure: Literal["hold", "compensate"] = "hold"
    """`hold`: what was done stands and is shown; `compensate`: it is undone in reverse."""
    sla_s: int = 86_400
    """A transaction older than this is late."""
    not_after_days: int = 0
    """Days after the money came within which a refund may be asked for; 0 sets no limit."""
    answer_within_h: int = 336
    """How long the flow waits for somebody's word before it asks its owner."""


class Policies(msgspec.Struct, frozen=True, kw_only=True):
    """Every policy of the estate. `exceptions` always has the row `*`; loading refuses an estate without it."""

    exceptions: dict[str, ExceptionPolicy]
    flows: dict[str, FlowPolicy] = {}

    def for_exception(self, code: str) -> ExceptionPolicy:
        """The row with the longest part of the code: `vendor.rejected.erp`, `vendor.rejected`, `vendor`, `*`."""
        return next(self.exceptions[name] for name in _names(code) if name in self.exceptions)

    def for_flow(self, name: str) -> FlowPolicy:
        """The flow's own row, else `*`, else hold."""
        return self.flows.get(name) or self.flows.get(FALLBACK) or FlowPolicy()


def _names(code: str) -> Iterator[str]:
    parts = code.split(".")
    for length in range(len(parts), 0, -1):
        prefix = ".".join(parts[:length])
        yield prefix
        yield f"{prefix}.*"
    yield FALLBACK
