"""What Stripe tells of refunds: one that carries no id of ours was made by hand.

Source: https://docs.stripe.com/api/events/types (refund.created) and https://docs.stripe.com/api/refunds/object;
API version 2026-10-28.endive. `charge.refunded` is told beside it, and says only how much of a charge was given back in
all: not by which refund.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from accordant.backbone.message import Ignored, Told
from accordant.canonical.refund import PaymentRefunded
from accordant.kernel.ids import digest
from accordant.systems.stripe.mapping.envelope import Event, Members, malformed
from accordant.systems.stripe.mapping.money import from_stripe

_S_MAX = 253_402_300_799


def refunded(event: Event, record: Members) -> list[Told] | Ignored:
    """A refund of ours is an echo; any other is told, whoever made it.

    Raises:
        Malformed: stripe.not_an_event, where the refund's own members are not what Stripe documents; currency.*.
    """
    metadata: object = record.get("metadata")
    if isinstance(metadata, dict) and "refund_id" in metadata:
        return Ignored(reason="echo")
    source_id, amount = _text(record, "id"), _whole(record, "amount")
    payment = _text(record, "payment_intent" if record.get("payment_intent") else "charge")
    at_s = _whole(record, "created")
    fact = PaymentRefunded(
        source_id=source_id,
        payment_source_id=payment,
        amount=from_stripe(amount, _text(record, "currency")),
        refunded_on=datetime.fromtimestamp(at_s, UTC).date(),
        reason=str(record.get("reason") or "")[:100],
    )
    return [
        Told(
            fact=fact,
            source_record=f"{event.message.connection}/refund/{source_id}",
            subject=source_id,
            orderingkey=payment,
            happened_at_ms=at_s * 1000,
            sequence=f"{at_s:012}",
            content=digest(source_id, str(amount), fact.amount.currency),
        )
    ]


TOLD: Mapping[str, Callable[[Event, Members], list[Told] | Ignored]] = {"refund.created": refunded}


def _text(record: Members, name: str) -> str:
    value = record.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 255 or not value.isascii():
        raise malformed(f"/data/object/{name}", "expected a text, such as an id of Stripe's")
    return value


def _whole(record: Members, name: str) -> int:
    value = record.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= _S_MAX:
        raise malformed(f"/data/object/{name}", "expected a whole number above zero")
    return value
