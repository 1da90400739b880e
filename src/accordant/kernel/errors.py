"""What can go wrong, in the three words that tell the engine what to do.

AccordantError
├── Retryable          nothing was applied; the same call may succeed later
│   ├── RateLimited      the vendor asked us to slow down (retry_after_s)
│   ├── Unavailable      the vendor cannot be reached, or its breaker is open
│   └── Busy             the record is locked by somebody else for a moment
├── Terminal           repeating the same call can never succeed
│   ├── Rejected         the vendor understood and said no
│   ├── Unmapped         a reference value has no row in its table
│   ├── Malformed        a value cannot be read as what it should be
│   ├── Unverified       a delivery or a credential is not authentic
│   ├── Refused          a command is not allowed in this state
│   ├── NonDeterministic a flow asked for something else than last time
│   └── Misconfigured    the estate or the settings are wrong
└── Unknown            it was sent, and nobody can say whether it was applied
"""

from typing import Any

Detail = dict[str, Any]


class AccordantError(Exception):
    """Something went wrong; the sentence says what, where, what was expected and what to do next."""

    code = "accordant.error"

    def __init__(self, message: str, *, code: str | None = None, hint: str = "", detail: Detail | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.hint = hint
        self.detail: Detail = detail or {}

    def as_dict(self) -> Detail:
        """The error as kept in the ledger and shown to people."""
        return {"code": self.code, "message": self.message, "hint": self.hint, "detail": self.detail}


class Retryable(AccordantError):
    """Nothing was applied; the same call may succeed later."""

    code = "vendor.retryable"
    retry_after_s: float | None = None


class RateLimited(Retryable):
    """The vendor asked us to slow down."""

    code = "vendor.rate_limited"

    def __init__(self, message: str, *, retry_after_s: float | None = None, detail: Detail | None = None) -> None:
        super().__init__(message, detail=detail)
        self.retry_after_s = retry_after_s


class Unavailable(Retryable):
    """The vendor cannot be reached, or its circuit breaker is open."""

    code = "vendor.unavailable"

    def __init__(self, message: str, *, retry_after_s: float | None = None, detail: Detail | None = None) -> None:
        super().__init__(message, detail=detail)
        self.retry_after_s = retry_after_s


class Busy(Retryable):
    """The record is locked by somebody else for a moment."""

    code = "vendor.busy"


class Terminal(AccordantError):
    """Repeating the same call can never succeed."""

    code = "terminal"


class Rejected(Terminal):
    """The vendor understood the request and said no."""

    code = "vendor.rejected"


class Unmapped(Terminal):
    """A reference value has no row in its table."""

    code = "map.missing"


class Malformed(Terminal):
    """A value cannot be read as what it should be."""

    code = "value.malformed"


class Unverified(Terminal):
    """A delivery or a credential is not authentic."""

    code = "security.unverified"


class Refused(Terminal):
    """A command is not allowed in the present state."""

    code = "command.refused"


class NonDeterministic(Terminal):
    """A flow asked for something else under a name it had used before."""

    code = "flow.non_deterministic"


class Misconfigured(Terminal):
    """The estate or the settings are wrong."""

    code = "config.invalid"


class Unknown(AccordantError):
    """It was sent, and nobody can say whether it was applied."""

    code = "vendor.unknown_outcome"
