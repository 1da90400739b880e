"""The sandbox's front door: who may enter, which version they see, how often, and what a repeated key answers.

Source: https://docs.stripe.com/api/authentication, /api/idempotent_requests, /api/versioning, /rate-limits
(API version 2026-10-28.endive).
"""

import asyncio
import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from accordant.connector.sandbox import (
    Call,
    KeyConflict,
    Kit,
    Limit,
    Problem,
    Record,
    Refused,
    Reply,
    ReplyMemo,
    Route,
    Sandbox,
    Write,
)
from accordant.connector.sandbox.faults import FaultKind
from accordant.systems.stripe.sandbox import SECRET_KEY, reads
from accordant.systems.stripe.sandbox.books import REQUEST_ID, Books, canonical_dump
from accordant.systems.stripe.sandbox.catalog import Catalog, endpoint_shape
from accordant.systems.stripe.sandbox.credit_notes import CreditNotes, note_lines
from accordant.systems.stripe.sandbox.credits import Credits
from accordant.systems.stripe.sandbox.disputed import disputed_lines
from accordant.systems.stripe.sandbox.drafts import Drafts
from accordant.systems.stripe.sandbox.dunning import Dunning, happen, sent_lines
from accordant.systems.stripe.sandbox.invoices import Invoices
from accordant.systems.stripe.sandbox.one_off import advance, load_invoice
from accordant.systems.stripe.sandbox.prorations import Previews
from accordant.systems.stripe.sandbox.refunds import Refunds, refund_lines
from accordant.systems.stripe.sandbox.shapes import API_VERSION, as_of, product_shape
from accordant.systems.stripe.sandbox.subscriptions import Subscriptions
from accordant.systems.stripe.sandbox.wire import Invalid, Params, error_reply, typed_error, unfold

KEY_LIFE_S = 86_400.0
KEY_CHARS_MAX = 255
ENTRIES = "/v1/customers/{id}/balance_transactions"
_VERSION = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}(\.[a-z]+)?", re.ASCII)

Handler = Callable[[Call, Params], Reply | Write]


class StripeSandbox(Sandbox):
    """Settings: `secret_key`, `search_lag_s`, and `processing_s` (how long a write takes, for concurrent keys)."""

    system = "billing"

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self.books = Books(kit)
        self._keys = frozenset({kit.settings.get("secret_key", SECRET_KEY)})
        self._processing_s = float(kit.settings.get("processing_s", 0))
        self._memo = ReplyMemo(clock=kit.clock, ttl_s=KEY_LIFE_S)
        self._in_use: set[str] = set()

    def routes(self) -> Iterable[Route]:
        catalog, subscriptions = Catalog(self.books), Subscriptions(self.books)
        entries, invoices = Credits(self.books), Invoices(self.books)
        drafts, notes, dunning = Drafts(self.books), CreditNotes(self.books), Dunning(self.books)
        previews = Previews(self.books, subscriptions.changed)
        writes: tuple[tuple[str, str, str, Handler], ...] = (
            ("POST", "/v1/customers", "customer.create", catalog.create_customer),
            ("POST", "/v1/customers/{id}", "customer.update", catalog.update_customer),
            ("POST", ENTRIES, "customer_balance_transaction.create", entries.create),
            ("POST", "/v1/credit_notes", "credit_note.create", notes.create),
            ("POST", "/v1/credit_notes/{id}/void", "credit_note.void", notes.void),
            ("POST", "/v1/invoices", "invoice.create", drafts.create),
            ("POST", "/v1/invoices/create_preview", "invoice.create_preview", previews.create),
            ("POST", "/v1/invoices/{id}/add_lines", "invoice.add_lines", drafts.add_lines),
            ("POST", "/v1/invoices/{id}", "invoice.update", invoices.update),
            ("POST", "/v1/invoices/{id}/finalize", "invoice.finalize", invoices.finalize),
            ("POST", "/v1/invoices/{id}/mark_uncollectible", "invoice.mark_uncollectible", invoices.mark_uncollectible),
            ("POST", "/v1/invoices/{id}/pay", "invoice.pay", invoices.pay),
            ("POST", "/v1/invoices/{id}/send", "invoice.send", dunning.send),
            ("POST", "/v1/invoices/{id}/void", "invoice.void", invoices.void),
            ("POST", "/v1/refunds", "refund.create", Refunds(self.books).create),
            ("POST", "/v1/products", "product.create", catalog.create_product),
            ("POST", "/v1/products/{id}", "product.update", catalog.update_product),
            ("POST", "/v1/prices", "price.create", catalog.create_price),
            ("POST", "/v1/subscriptions", "subscription.create", subscriptions.create),
            ("POST", "/v1/subscriptions/{id}", "subscription.update", subscriptions.update),
            ("DELETE", "/v1/subscriptions/{id}", "subscription.cancel", subscriptions.cancel),
            ("POST", "/v1/subscription_items/{id}", "subscription_item.update", subscriptions.update_item),
            ("POST", "/v1/webhook_endpoints", "webhook_endpoint.create", catalog.create_endpoint),
            ("POST", "/v1/webhook_endpoints/{id}", "webhook_endpoint.update", catalog.update_endpoint),
            ("DELETE", "/v1/webhook_endpoints/{id}", "webhook_endpoint.delete", catalog.delete_endpoint),
        )
        for method, path, operation, handler in writes:
            yield Route(method, path, operation, self._keyed(handler))
        for path, operation, handler in reads.routes(self.books, subscriptions):
            yield Route("GET", path, operation, self._reading(handler))

    def authenticate(self, call: Call) -> Problem | None:
        call.request[REQUEST_ID] = self.books.new_id("req_")
        return None if _key_of(call) in self._keys else Problem("unauthenticated", 401, None, _key_of(call))

    def render(self, problem: Problem) -> Reply:
        match problem.kind:
            case "unauthenticated":
                return error_reply(_stranger(problem.limit or ""), status=401)
            case "token_expired":
                return error_reply("Expired API Key provided: sk_test_****", status=401, code="api_key_expired")
            case "rate_limited":
                message = "Request rate limit exceeded. Learn more at https://stripe.com/docs/rate-limits."
                reply = error_reply(message, status=problem.status, code="rate_limit")
                reason = (problem.limit or "global-rate").partition(":")[0]
                return Reply(reply.status, reply.body, {"Stripe-Rate-Limited-Reason": reason})
            case "not_found" | "method_not_allowed":
                return error_reply("Unrecognized request URL. Please see https://stripe.com/docs.", status=404)
            case "too_large":
                return error_reply("Request entity too large.", status=413)
            case "malformed":
                return error_reply("Invalid request body: it cannot be read as a form.")
            case _:
                return typed_error("api_error", "An unexpected error occurred. Try again later.", status=problem.status)

    def limits(self) -> Iterable[Limit]:
        """100 requests a second in all, 25 for each endpoint, 20 for search, 200 quantity updates an hour each."""
        yield Limit(name="global-rate", calls=100)
        for route in self.routes():
            calls = 20 if route.operation.endswith(".search") else 25
            yield Limit(name=f"endpoint-rate:{route.operation}", calls=calls, operations=(route.operation,))
        changes = ("subscription.update", "subscription_item.update")
        yield Limit(name="resource-specific", calls=200, window_s=3600, operations=changes, per_subject=True)

    def idempotency_key(self, call: Call) -> str | None:
        """Keys count on POST only."""
        return call.headers.get("Idempotency-Key") if call.method == "POST" else None

    def response_headers(self, call: Call) -> Mapping[str, str]:
        request_id = call.request.get(REQUEST_ID) or self.books.new_id("req_")
        headers = {"Request-Id": request_id, "Stripe-Version": _version_of(call)}
        key = self.idempotency_key(call)
        return headers if key is None else {**headers, "Idempotency-Key": key}

    def after_fault(self, call: Call, kind: FaultKind, *, reply: Reply) -> None:
        """A 5xx given after the endpoint began to execute is the answer that its key repeats."""
        key = self.idempotency_key(call)
        if key is not None and kind == "error_after_apply":
            self._memo.save(key, _saved(call, reply), *_identity(call))

    def dump(self) -> Mapping[str, list[Record]]:
        lines = {"credit_note": note_lines, "disputed_invoice": disputed_lines, "refund": refund_lines}
        lines["reminder"] = sent_lines
        return {**canonical_dump(self.books), **{kind: of(self.books) for kind, of in lines.items()}}

    def load(self, data: Mapping[str, Any]) -> int:
        """`{"products": [{"id", "name"}], "webhook_endpoints": [{"url", "secret", "enabled_events"?}], "invoices": …}`.

        Invoices are those of `load_invoice`; their customers are there already. `advance` names drafts to finalize,
        `happenings` are those of `happen`.
        """
        for given in data.get("products", ()):
            shape = product_shape(str(given["id"]), created=self.books.now_s(), name=str(given["name"]))
            self.books.products.put({**shape, **given})
        for given in data.get("webhook_endpoints", ()):
            record = endpoint_shape(self.books, url=str(given["url"]))
            self.books.secrets[record["id"]] = str(given["secret"])
            self.books.endpoints.put({**record, "enabled_events": list(given.get("enabled_events", ["*"]))})
        for given in data.get("invoices", ()):
            load_invoice(self.books, given)
        advance(self.books, data.get("advance", ()))
        for given in data.get("happenings", ()):
            happen(self.books, given)
        return sum(len(data.get(kind, ())) for kind in ("products", "webhook_endpoints", "invoices", "happenings"))

    def _reading(self, handler: Handler) -> Callable[[Call], Any]:
        async def answer(call: Call) -> Reply | Write:
            version = _known_version(call)
            reply = handler(call, unfold(call.request.query.items()))
            assert isinstance(reply, Reply)  # noqa: S101 - reads write nothing
            shown = reads.expanded(self.books, reply.body, params=unfold(call.request.query.items()))
            return Reply(reply.status, as_of(version, shown), reply.headers)

        return answer

    def _keyed(self, handler: Handler) -> Callable[[Call], Any]:
        async def answer(call: Call) -> Reply | Write:
            version = _known_version(call)
            key = self.idempotency_key(call)
            if key is None:
                return _shown(self._executed(handler, call), version, self.books, call)
            if (replay := self._replayed(key, call)) is not None:
                return replay
            self._in_use.add(key)
            try:
                if self._processing_s:
                    await asyncio.sleep(self._processing_s)
                outcome = _shown(self._executed(handler, call), version, self.books, call)
            except Invalid:
                raise
            except Refused as refused:
                self._memo.save(key, _saved(call, refused.reply), *_identity(call))
                raise
            finally:
                self._in_use.discard(key)
            return self._remembering(outcome, call, key=key)

        return answer

    def _executed(self, handler: Handler, call: Call) -> Reply | Write:
        if call.body and call.request.content_type != "application/x-www-form-urlencoded":
            message = "Invalid request (check that your POST content type is application/x-www-form-urlencoded)."
            raise Invalid(error_reply(message))
        pairs = call.form() if call.body else list(call.request.query.items())
        return handler(call, unfold(pairs))

    def _replayed(self, key: str, call: Call) -> Reply | None:
        if not 0 < len(key) <= KEY_CHARS_MAX:
            message = f"Idempotency keys have 1 to {KEY_CHARS_MAX} characters."
            raise Invalid(typed_error("idempotency_error", message, status=400))
        if key in self._in_use:
            message = "There is currently another in-progress request using this Idempotent Key. Try again later."
            return typed_error("idempotency_error", message, status=409, code="idempotency_key_in_use")
        try:
            saved = self._memo.recall(key, *_identity(call))
        except KeyConflict:
            message = (
                "Keys for idempotent requests can only be used with the same parameters they were first used with. "
                f"Try using a key other than '{key}' if you meant to execute a different request."
            )
            return typed_error("idempotency_error", message, status=400)
        return None if saved is None else Reply(saved.status, saved.body, saved.headers)

    def _remembering(self, outcome: Reply | Write, call: Call, *, key: str) -> Reply | Write:
        """What was applied is saved in the same step; what was not leaves nothing behind."""
        if isinstance(outcome, Reply):
            return outcome

        def apply() -> None:
            outcome.apply()
            self._memo.save(key, _saved(call, outcome.reply), *_identity(call))

        return Write(outcome.reply, outcome.changes, apply, outcome.can_lie)


def _shown(outcome: Reply | Write, version: str, /, books: Books, call: Call) -> Reply | Write:
    """The answer to a write, expanded as asked and in the caller's version."""
    reply = outcome if isinstance(outcome, Reply) else outcome.reply
    asked = unfold(call.form()) if call.body and b"expand" in call.body else {}
    new = {one.native_id: one.body for one in outcome.changes} if isinstance(outcome, Write) else {}
    body = as_of(version, reads.expanded(books, reply.body, params=asked, new=new))
    shown = Reply(reply.status, body, reply.headers)
    return shown if isinstance(outcome, Reply) else Write(shown, outcome.changes, outcome.apply, outcome.can_lie)


def _saved(call: Call, reply: Reply) -> Reply:
    """The answer as a repeat of its key will get it."""
    first = call.request.get(REQUEST_ID, "")
    return Reply(reply.status, reply.body, {**reply.headers, "Idempotent-Replayed": "true", "Original-Request": first})


def _identity(call: Call) -> tuple[Any, ...]:
    """What makes two requests the same; the order of parameters does not count."""
    return call.method, call.path, sorted(call.form())


def _version_of(call: Call) -> str:
    return call.headers.get("Stripe-Version", API_VERSION)


def _known_version(call: Call) -> str:
    version = _version_of(call)
    if not _VERSION.fullmatch(version):
        raise Invalid(error_reply(f"Invalid Stripe API version: {version[:40]}"))
    return version


def _key_of(call: Call) -> str:
    """The secret key, sent as bearer token or as the user of HTTP Basic."""
    scheme, _, sent = call.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return sent.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(sent, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _stranger(key: str) -> str:
    if not key:
        return (
            "You did not provide an API key. You need to provide your API key in the Authorization header, using "
            "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
        )
    return f"Invalid API Key provided: {key[:8]}{'*' * max(0, len(key) - 12)}{key[-4:] if len(key) > 12 else ''}"
