"""The router turns a new event into the transactions of the flows that handle it, each in its lane."""

from accordant.backbone import lanes, waits
from accordant.backbone.flow import Flow, Flows
from accordant.backbone.rows import EventRow, TransactionRow, event_table, transaction_table
from accordant.canonical.envelope import Fact
from accordant.kernel.clock import Clock
from accordant.kernel.database import Changes
from accordant.kernel.errors import Refused
from accordant.kernel.ids import digest, transaction_id
from accordant.telemetry.audit import AuditEntry, record


def require_authority(fact: Fact, *, role: str, connection: str) -> None:
    """Refuse an event that somebody other than its authoritative producer tells."""
    if fact.producer != role:
        raise Refused(
            f"{fact.type} may be told by {fact.producer} only; {connection} is {role}",
            code="event.not_authoritative",
            detail={"cause": f"{connection} told {fact.type}"},
        )


class Router:
    """Opens transactions for events."""

    def __init__(self, flows: Flows, *, clock: Clock) -> None:
        self._flows = flows
        self._clock = clock

    def route(
        self, changes: Changes, event: EventRow, *, fact: Fact, estate_version: int, after: int = 0
    ) -> list[TransactionRow]:
        """Add the event and its transactions to a commit. A transaction that exists already stays as it is.

        `after` is the place in the lane of the same record's version before this one, which goes first whatever the
        source's clock says: it may count whole seconds, or have been set back.
        """
        changes.add(event_table, event)
        waits.wake_expecting(changes, event.subject)
        lane_seq = max(event.at_ms * 1000, after + 1)
        opened = [
            self._open(event, fact, one=one, lane_seq=lane_seq, estate_version=estate_version)
            for one in self._flows.handling(event.type)
        ]
        for row in opened:
            changes.add(transaction_table, row)
            lanes.wake(changes, row.lane)
            record(changes, _opened(row, event))
        return opened

    def _open(self, event: EventRow, fact: Fact, *, one: Flow, lane_seq: int, estate_version: int) -> TransactionRow:
        now = self._clock.now_ms()
        worth = one.describe.worth(fact)
        return TransactionRow(
            transaction_id=transaction_id(
                tenant=event.tenant,
                source_record=event.source,
                fact=event.type,
                occurrence=event.event_id,
                flow=one.name,
            ),
            tenant=event.tenant,
            flow=one.name,
            flow_version=one.version,
            event_id=event.event_id,
            correlation_id=event.correlation_id,
            subject=event.subject,
            party=one.describe.party(fact)[:200],
            lane=lane_of(event),
            lane_seq=lane_seq,
            turn=lanes.WAITS,
            priority=int(one.priority),
            state="waiting",
            waiting_for="lane",
            expects_type="",
            expects_subject="",
            due_rank=None,
            wake_at_ms=None,
            estate_version=estate_version,
            drives=0,
            amount_minor=worth.amount_minor if worth else None,
            currency=worth.currency if worth else "",
            effects=0,
            waivers="",
            opened_at_ms=now,
            changed_at_ms=now,
            ended_at_ms=None,
        )


def lane_of(event: EventRow) -> str:
    """Facts about one aggregate of one tenant share a lane."""
    return digest("lane", event.tenant, event.producer, event.ordering_key)


def _opened(row: TransactionRow, event: EventRow) -> AuditEntry:
    return AuditEntry(
        at_ms=row.opened_at_ms,
        tenant=row.tenant,
        correlation_id=row.correlation_id,
        transaction_id=row.transaction_id,
        action="transaction.opened",
        subject=row.subject,
        detail={"flow": row.flow, "event": event.event_id, "type": event.type, "message": event.message_id},
    )
