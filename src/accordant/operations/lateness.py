"""A transaction that takes longer than its flow promises has an open item with an owner, though nothing has failed.

Only what should be moving counts: a transaction that waits for a person, an instant or an event is where it should be,
and one that queues behind another in its lane is late because of that one.
"""

import asyncio
from collections.abc import Callable, Sequence

import msgspec
import structlog
from sqlalchemy import Connection, and_, exists, or_, select

from accordant.backbone import exceptions, lanes
from accordant.backbone.ledger.entries import CONFIRMED, REJECTED
from accordant.backbone.rows import ExceptionRow, TransactionRow, effect_table, exception_table, transaction_table
from accordant.governance.policies import Policies
from accordant.kernel.clock import Clock
from accordant.kernel.database import Changes, Database, NotCommitted, NotRead, Writer, rows_of
from accordant.kernel.errors import AccordantError, Terminal

LATE = "promise.late"
_LOOK_EVERY_S = 5.0
_BATCH = 200
_tx = transaction_table.c
_item = exception_table.c
log = structlog.get_logger("lateness")


class _Late(msgspec.Struct, frozen=True):
    row: TransactionRow
    stands_at: str
    """The connection of the write it stands at; empty where it stands before any."""


class Lateness:
    """Opens items for what is late, and closes them when it has ended or somebody else is asked."""

    def __init__(
        self,
        *,
        database: Database,
        writer: Writer,
        clock: Clock,
        policies: Callable[[], Policies],
        flows: Sequence[str],
    ) -> None:
        self._database = database
        self._writer = writer
        self._clock = clock
        self._policies = policies
        self._flows = flows

    async def run(self) -> None:
        """Look for ever; what the database refuses now is looked for again."""
        while True:
            try:
                await self.step()
            except (NotCommitted, NotRead) as later:
                log.warning("lateness.postponed", error=later.message)
            await asyncio.sleep(_LOOK_EVERY_S)

    async def step(self) -> int:
        """One look; returns how many items were opened or closed."""
        policies, now = self._policies(), self._clock.now_ms()
        born_before = {name: now - policies.for_flow(name).sla_s * 1000 for name in self._flows}
        late = await self._database.read(lambda connection: _late(connection, born_before))
        over = await self._database.read(_over)
        changes = Changes()
        for one in late:
            found = exceptions.Found(problem=_problem(one, now), step=one.stands_at, policies=policies)
            exceptions.open_item(changes, exceptions.of_transaction(one.row, found, clock=self._clock))
        for item in over:
            exceptions.close_item(changes, item, actor="accordant", at_ms=now)
        if changes:
            await self._writer.commit(changes, at="lateness.settle")
        return len(late) + len(over)


def _late(connection: Connection, born_before: dict[str, int]) -> list[_Late]:
    """What holds its lane's turn, is over its flow's time, and has no open item yet."""
    told = exists().where(_item.transaction_id == _tx.transaction_id, _item.state == "open", _item.code == LATE)
    over = or_(*(and_(_tx.flow == name, _tx.opened_at_ms < before) for name, before in born_before.items()))
    query = (
        select(transaction_table)
        .where(_tx.state.in_(("running", "waiting")), _tx.turn == lanes.HAS_TURN)
        .where(_tx.waiting_for.in_(("", "vendor")), over, ~told)
        .limit(_BATCH)
    )
    rows = rows_of(connection, query, TransactionRow)
    e = effect_table.c
    stands = (
        select(e.transaction_id, e.connection)
        .where(e.transaction_id.in_([row.transaction_id for row in rows]), e.state.not_in((CONFIRMED, REJECTED)))
        .order_by(e.n.desc())
    )
    at = {found.transaction_id: found.connection for found in connection.execute(stands)} if rows else {}
    return [_Late(row, at.get(row.transaction_id, "")) for row in rows]


def _over(connection: Connection) -> list[ExceptionRow]:
    """Open items whose transaction has ended, or has stopped with an item that says more."""
    query = (
        select(exception_table)
        .join(transaction_table, _tx.transaction_id == _item.transaction_id)
        .where(_item.state == "open", _item.code == LATE, _tx.state.not_in(("running", "waiting")))
        .limit(_BATCH)
    )
    return rows_of(connection, query, ExceptionRow)


def _problem(late: _Late, now_ms: int) -> AccordantError:
    row, minutes = late.row, (now_ms - late.row.opened_at_ms) // 60_000
    where = f"waits for {late.stands_at}" if late.stands_at else "has not come to its first write"
    return Terminal(
        f"{row.flow} of {row.subject} was begun {minutes:,} minutes ago and {where}",
        code=LATE,
        hint="it goes on by itself; see whether that system answers, and what `accordant tx show` says it waits for",
        detail={"cause": f"{row.flow} takes longer than promised and {where}"},
    )
