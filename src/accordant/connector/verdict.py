"""What an answer, or the lack of one, means for the work that asked."""

from collections.abc import Callable
from typing import Any

from accordant.connector.exchange import Answer, Request
from accordant.connector.signin import credentials_refused
from accordant.connector.wire import Lost
from accordant.kernel.errors import AccordantError, Misconfigured, Rejected, Unavailable, Unknown

_MOVED = frozenset({301, 307, 308})
"""Redirects that say that nothing was done here (RFC 9110 §15.4); 302 and 303 may follow a write that was."""


class Verdict:
    """Turns answers into the errors of the kernel, without a secret in them."""

    def __init__(self, connection: str, explain: Callable[[Answer], AccordantError]) -> None:
        self._name = connection
        self._explain = explain

    def of(self, request: Request, answer: Answer) -> AccordantError:
        """The error for an answer that is neither a success nor expected."""
        status = answer.status
        if status == 401:
            error: AccordantError = credentials_refused(self._name, answer.excerpt)
        elif 300 <= status < 400 and (status in _MOVED or not answer.wrote):
            message = f"{self._name} redirects to another address, and redirects are never followed"
            hint = f"Set the base_url of connection {self._name} to the address of the API itself."
            error = Misconfigured(message, code="vendor.redirected", hint=hint, detail=self._detail(request, answer))
        elif answer.wrote and (status >= 500 or status < 400 or status == 408):
            message = f"{self._name} answered {status} to a write; nobody can say whether it was applied"
            error = Unknown(message, detail=self._detail(request, answer))
        elif status >= 500:
            error = self.unread(request, f"answered {status}", answer=answer)
        else:
            error = self._explained(request, answer)
        return _scrubbed(error, answer)

    def unread(
        self, request: Request, what: str, *, answer: Answer | None = None, retry_after_s: float | None = None
    ) -> Unavailable:
        """A read that got no usable answer."""
        message = f"{self._name} {what}"
        return Unavailable(message, retry_after_s=retry_after_s, detail=self._detail(request, answer))

    def unwritten(self, request: Request, lost: Lost) -> Unavailable | Unknown:
        """A write that got no usable answer."""
        detail = self._detail(request, None)
        if not lost.sent:
            return Unavailable(f"{self._name}: {lost.what}; nothing was sent", detail=detail)
        detail["request_sha256"] = lost.request_sha256
        message = f"{self._name} {lost.what} after a write was sent; nobody can say whether it was applied"
        return Unknown(message, detail=detail)

    def _explained(self, request: Request, answer: Answer) -> AccordantError:
        """The vendor's own words, through its `explain`; an answer unlike any it knows is still a refusal."""
        try:
            return self._explain(answer)
        except AccordantError as error:
            return error
        except (LookupError, TypeError, ValueError, AttributeError):
            message = f"{self._name} refused with status {answer.status}: {answer.excerpt}"
            return Rejected(message, detail=self._detail(request, answer))

    def _detail(self, request: Request, answer: Answer | None) -> dict[str, Any]:
        detail: dict[str, Any] = {"connection": self._name, "method": request.method, "path": request.path}
        if answer is not None:
            detail |= {"status": answer.status, "excerpt": answer.excerpt, "request_sha256": answer.request_sha256}
        return detail


def _scrubbed(error: AccordantError, answer: Answer) -> AccordantError:
    """Without what a vendor repeats of our credentials."""
    blot = answer.without_secrets
    error.message = blot(error.message)
    error.hint = blot(error.hint)
    error.detail = {name: blot(value) if isinstance(value, str) else value for name, value in error.detail.items()}
    error.args = (error.message,)
    return error
