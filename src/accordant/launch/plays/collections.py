"""Invoices that are not paid, on a ladder of seconds: reminded, held, suspended, and restored when the money comes."""

from pathlib import Path

from sqlalchemy import Connection, func, select

from accordant.backbone.rows import effect_table, transaction_table
from accordant.launch.plays.accounts import UNKNOWN, AccountPlay
from accordant.launch.run import Plan

LADDER = """\
calendars:
  "*": {country: US, time_zone: UTC}
support: {current: as contracted, past due: as contracted, on hold: limited, suspended: suspended}
ladders:
  seconds:
    failed_attempts: {past due: 1, on hold: 3}
    steps:
      first reminder: {after: 2s, remind: true}
      second reminder: {after: 5s, remind: true}
      hold: {after: 8s, standing: on hold}
      suspension: {after: 11s, standing: suspended}
"""
_FINE = {"crm": "current", "books": "AUTO", "support": "active"}
_SUSPENDED = {"crm": "suspended", "books": "ON", "support": "suspended"}


class CollectionsDay(AccountPlay):
    """The whole ladder, and what ends or stops it."""

    flow = "collections"
    customers_wanted = 5

    @classmethod
    def plan_of(cls, state: Path, seed: int) -> Plan:
        made = super().plan_of(state, seed)
        (state / "estate" / "collections.yaml").write_text(LADDER, encoding="utf-8")
        return made

    async def _act(self) -> None:
        self._say("Five invoices are overdue; the ladder is one of seconds.")
        nobody, never = await self._overdue(0), await self._overdue(1)
        early = await self._overdue(2)
        disputed = await self._bill(3, due_in_s=0)
        await self._happens(disputed[0], "disputed")
        await self._happens(disputed[0], "overdue")
        stranger, number = await self._bill(-1, due_in_s=0)
        await self._happens(stranger, "overdue")
        self._say("One is paid after its first reminder, one is disputed.")
        await self._until(lambda: self._sent(early[1]) == 1)
        await self._pay(early[0])
        late, late_number = await self._bill(4, due_in_s=-60)
        self._say("One was told of a minute late: of the two reminders that are due only the last is sent.")
        await self._happens(late, "overdue")
        await self._until_stands(1, "suspended")
        self._say("Suspended: billing pauses, support stops, the books hold, sales sees it. Then the money comes.")
        await self._pay(never[0])
        await self._until_stands(1, "current")
        await self._until_stands(0, "suspended")
        self._expect("never paid", nobody[1], must={"billing": "2 reminders, paused", **_SUSPENDED})
        self._expect("paid when suspended", never[1], must={"billing": "2 reminders, running", **_FINE})
        self._expect("paid after a reminder", early[1], must={"billing": "1 reminders, running", **_FINE})
        as_it_was = {"billing": "0 reminders, running", **_FINE}
        self._expect("disputed", disputed[1], must=as_it_was)
        self._expect("told of late", late_number, must={"billing": "1 reminders, paused", **_SUSPENDED})
        nothing = {"crm": "", "books": "", "support": ""}
        self._expect("customer unknown", number, must=nothing, state="exception")
        await self._until_stopped(UNKNOWN)

    async def _overdue(self, customer: int) -> tuple[str, str]:
        invoice = await self._bill(customer, due_in_s=0)
        await self._happens(invoice[0], "overdue")
        return invoice

    def _sent(self, number: str) -> int:
        """Reminders of an invoice, as our own records have them."""
        return self._read(lambda connection: reminders_of(connection, number))


def reminders_of(connection: Connection, number: str) -> int:
    """How many reminders of an invoice are confirmed."""
    e, t = effect_table.c, transaction_table.c
    query = (
        select(func.count())
        .select_from(effect_table.join(transaction_table, e.transaction_id == t.transaction_id))
        .where(t.subject == number, e.kind == "reminder", e.state == "confirmed")
    )
    return connection.execute(query).scalar_one()
