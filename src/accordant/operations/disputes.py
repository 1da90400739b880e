"""How long disputes take: each with when it was opened and resolved, and a figure for each month."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from statistics import median

import msgspec
from sqlalchemy import Connection, select

from accordant.backbone.rows import transaction_table
from accordant.canonical.dispute import CONFIRMED, CREDITED, Dispute
from accordant.kernel.money import Money
from accordant.masterdata import disputes

_HOUR_MS = 3_600_000


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One dispute, as far as it has come."""

    dispute: Dispute
    """As it stands now."""
    party: str
    transaction_id: str
    state: str
    """Of its transaction."""
    resolved_at_ms: int | None
    """When its transaction had carried the ruling out; None while it is open."""

    def hours(self, now_ms: int) -> float:
        """From opening to resolution, or so far."""
        return ((self.resolved_at_ms or now_ms) - self.dispute.opened_at_ms) / _HOUR_MS


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """What was resolved in one month, UTC."""

    month: str
    """`2026-12`."""
    resolved: int
    credited: int
    """How many of them ended with a credit."""
    mean_hours: float
    median_hours: float
    credits: tuple[Money, ...]
    """What was credited, one sum for each currency."""


def known(connection: Connection, tenant: str) -> list[Case]:
    """Every dispute, the newest first."""
    rows = disputes.all_of(connection, tenant)
    states = _transactions(connection, {row.transaction_id for row in rows})
    last: dict[str, Case] = {}
    for row in rows:
        state, ended_at_ms, party = states.get(row.transaction_id, ("", None, ""))
        said = msgspec.json.decode(row.body.encode(), type=Dispute)
        dispute = disputes.as_it_stands(said, state=state)
        over = dispute.status in (CREDITED, CONFIRMED)
        last[dispute.dispute_id] = Case(
            dispute=dispute,
            party=party,
            transaction_id=row.transaction_id,
            state=state,
            resolved_at_ms=ended_at_ms if over else None,
        )
    return sorted(last.values(), key=lambda one: one.dispute.opened_at_ms, reverse=True)


def by_month(cases: Iterable[Case]) -> list[Month]:
    """How long those took that were resolved, by the month in which they were; the newest month first."""
    months: dict[str, list[Case]] = {}
    for one in cases:
        if one.resolved_at_ms is not None:
            months.setdefault(_month(one.resolved_at_ms), []).append(one)
    return [_figures(month, months[month]) for month in sorted(months, reverse=True)]


def _figures(month: str, cases: Sequence[Case]) -> Month:
    hours = [one.hours(0) for one in cases]
    given = [one.dispute.credited for one in cases if one.dispute.credited]
    sums: dict[str, Money] = {}
    for amount in given:
        sums[amount.currency] = sums.get(amount.currency, Money(0, amount.currency)) + amount
    return Month(
        month=month,
        resolved=len(cases),
        credited=len(given),
        mean_hours=sum(hours) / len(hours),
        median_hours=median(hours),
        credits=tuple(sums[currency] for currency in sorted(sums)),
    )


def _transactions(connection: Connection, ids: set[str]) -> dict[str, tuple[str, int | None, str]]:
    c = transaction_table.c
    query = select(c.transaction_id, c.state, c.ended_at_ms, c.party).where(c.transaction_id.in_(ids))
    found = connection.execute(query) if ids else ()
    return {row.transaction_id: (row.state, row.ended_at_ms, row.party) for row in found}


def _month(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m}"
