"""What follows when a customer does not pay: reminders, limited support, a hold, suspension.

A ladder says after how long each step is due, and by which standing an account has from then on. Failed charges lead to
standings as well. The worst that any open invoice leads to counts. What a standing means for support stands beside it.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from accordant.canonical.invoice import OpenInvoice
from accordant.governance.working_days import Calendar, instant_after

Status = Literal["current", "past due", "on hold", "suspended"]
SupportLevel = Literal["as contracted", "limited", "suspended"]
STATUSES: tuple[Status, ...] = ("current", "past due", "on hold", "suspended")
"""From the best to the worst."""
LEVELS: tuple[SupportLevel, ...] = ("as contracted", "limited", "suspended")
EVERYWHERE = "*"
_UTC = Calendar(country="US", time_zone="UTC")


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a ladder."""

    name: str
    after: str
    """`3d` after the due day, on the calendar; `2h`, `30m`, `5s` after the due instant."""
    remind: bool = False
    """Send the invoice once more."""
    standing: Literal["past due", "on hold", "suspended"] | None = None
    """What the account is from this step on."""


class Ladder(msgspec.Struct, frozen=True, kw_only=True):
    """The steps for some customers; the first ladder that fits a customer counts."""

    name: str = ""
    legal_entities: tuple[str, ...] = ()
    """Our own legal entities whose customers it is for; all of them where none is named."""
    service_tiers: tuple[str, ...] = ()
    """Tiers it is for; all of them where none is named."""
    business_days: bool = True
    """Whether a step that is due on a day not worked moves to the next that is."""
    failed_attempts: dict[Literal["past due", "on hold", "suspended"], int] = {}
    """Standing → so many charges in vain lead to it."""
    steps: tuple[Step, ...] = ()


class Freshness(msgspec.Struct, frozen=True, kw_only=True):
    """How long what was found out about an account answers questions."""

    ttl_s: int = 300
    """Older than this, billing and the books are asked again."""
    ask_within_s: int = 3
    """Whoever asks waits no longer for billing and the books."""
    unreachable: Literal["limited", "not eligible"] = "limited"
    """The answer while they cannot be asked and what is known is too old; never `eligible`."""


class Collections(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of the estate about accounts that fall behind; without the file nothing follows but `past due`."""

    calendars: dict[str, Calendar] = {}
    """By legal entity; `*` for those without one of their own."""
    support: dict[Status, SupportLevel] = {}
    limited_response_minutes: int = 2_880
    """What limited support promises at best."""
    freshness: Freshness = Freshness()
    ladders: tuple[Ladder, ...] = ()
    """In the order in which they are tried."""

    def support_at(self, status: Status) -> SupportLevel:
        """What support an account of this standing gets."""
        return self.support.get(status, "as contracted")

    def ladder_of(self, legal_entity: str, service_tier: str) -> Ladder:
        """The first ladder that fits; one without steps where none does."""
        for one in self.ladders:
            right_entity = not one.legal_entities or legal_entity in one.legal_entities
            if right_entity and (not one.service_tiers or service_tier in one.service_tiers):
                return one
        return Ladder()

    def calendar_of(self, legal_entity: str) -> Calendar:
        """Where the legal entity works."""
        return self.calendars.get(legal_entity) or self.calendars.get(EVERYWHERE) or _UTC


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """One step of one invoice, and when it is due."""

    name: str
    at_ms: int
    remind: bool
    standing: Literal["past due", "on hold", "suspended"] | None


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """How an account stands, and the invoice that is to blame."""

    status: Status
    reason: str
    """One sentence; empty where it is current."""


def steps_of(ladder: Ladder, calendar: Calendar, *, due_at_ms: int) -> list[Due]:
    """Every step of an invoice that was due at an instant, in the order in which they come."""
    found = [
        Due(
            name=one.name,
            at_ms=instant_after(due_at_ms, one.after, calendar=calendar, business_days=ladder.business_days),
            remind=one.remind,
            standing=one.standing,
        )
        for one in ladder.steps
    ]
    return sorted(found, key=lambda one: one.at_ms)


def judge(ladder: Ladder, calendar: Calendar, *, invoices: Iterable[OpenInvoice], at_ms: int) -> Judged:
    """How an account with these open invoices stands at an instant: as the worst says that is not disputed."""
    worst = Judged(status="current", reason="")
    for one in sorted((one for one in invoices if not one.is_disputed), key=lambda invoice: invoice.source_id):
        found = _judge_one(ladder, calendar, invoice=one, at_ms=at_ms)
        if STATUSES.index(found.status) > STATUSES.index(worst.status):
            worst = found
    return worst


def _judge_one(ladder: Ladder, calendar: Calendar, *, invoice: OpenInvoice, at_ms: int) -> Judged:
    status: Status = "current"
    why = ""
    what = f"invoice {invoice.number or invoice.source_id} over {invoice.remaining}"
    if invoice.due_at_ms is not None and invoice.due_at_ms <= at_ms:
        status, why = "past due", f"{what} is overdue"
        for step in steps_of(ladder, calendar, due_at_ms=invoice.due_at_ms):
            if step.at_ms <= at_ms and step.standing and _is_worse(step.standing, status):
                status, why = step.standing, f"{what} is overdue and reached `{step.name}`"
    by_charges = _by_charges(ladder.failed_attempts, invoice.attempts)
    if _is_worse(by_charges, status):
        times = "time" if invoice.attempts == 1 else "times"
        status, why = by_charges, f"charging {what} failed {invoice.attempts} {times}"
    return Judged(status=status, reason=why)


def _by_charges(limits: Mapping[Literal["past due", "on hold", "suspended"], int], attempts: int) -> Status:
    plain: Status = "past due" if attempts > 0 else "current"
    reached: tuple[Status, ...] = tuple(status for status, limit in limits.items() if attempts >= limit)
    return max((plain, *reached), key=STATUSES.index)


def _is_worse(left: Status, right: Status) -> bool:
    return STATUSES.index(left) > STATUSES.index(right)
