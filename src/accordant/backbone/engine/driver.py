"""Driving one transaction: run its flow from the top, and put down durably how far it came."""

import random
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from accordant.backbone import exceptions, lanes, waits
from accordant.backbone.engine.port import Due
from accordant.backbone.flow import Flow, Flows, Stop
from accordant.backbone.rows import ExceptionRow, TransactionRow, exception_table, transaction_table
from accordant.backbone.tools import Tools, WalkedThrough
from accordant.backbone.transaction import Transaction
from accordant.backbone.waits import Pause
from accordant.canonical.envelope import Fact
from accordant.governance.estate import Estate
from accordant.kernel.database import Changes, NotCommitted, NotRead, StorageLost
from accordant.kernel.errors import AccordantError, Retryable, Terminal
from accordant.kernel.priority import Priority, rank
from accordant.telemetry.audit import AuditEntry, record

TELLING = "telling"
"""`waiting_for` of a parked transaction whose notice has not been sent yet."""
_LONGEST_VENDOR_WAIT_S = 5.0

_AWAKE: dict[str, Any] = {
    "waiting_for": "",
    "due_rank": None,
    "wake_at_ms": None,
    "expects_type": "",
    "expects_subject": "",
}

_replace = msgspec.structs.replace


class Driver:
    """Drives transactions of all flows."""

    def __init__(
        self,
        *,
        tools: Tools,
        flows: Flows,
        ports: Mapping[str, Any],
        estate_at: Callable[[int], Estate],
        rng: random.Random,
    ) -> None:
        self._tools = tools
        self._flows = flows
        self._ports = ports
        self._estate_at = estate_at
        self._rng = rng

    async def drive(self, due: Due) -> None:
        """Drive it until it ends or parks. Raises NotCommitted when the database took no more; drive it again."""
        row = due.row
        estate = self._estate_at(row.estate_version)
        tx = Transaction(row, estate=estate, tools=self._tools, history=due.history)
        if row.state == "exception":
            await self._tell(tx, due)
            return
        try:
            one = self._flows.named(row.flow)
            fact = self._flows.fact_of(row.flow, due.event_type, data=due.event_data)
            await self._run(tx, one, fact=fact)
        except (NotCommitted, NotRead, StorageLost):
            raise
        except Pause as pause:
            await self._put_to_sleep(tx, pause)
        except Retryable as problem:
            await self._wait_for_vendor(tx, problem)
        except AccordantError as problem:
            await self._park(tx, problem)
        except Exception as crash:  # noqa: BLE001 - a flow's own bug parks one transaction and stops nobody else
            await self._park(tx, _crashed(row, crash))

    async def _run(self, tx: Transaction, one: Flow, *, fact: Fact) -> None:
        policy = tx.estate.policies.for_flow(one.name)
        try:
            await one.run(tx, fact, **self._ports)
        except Terminal as problem:
            # What may have been applied cannot be taken back before it is settled: a person decides first.
            if policy.on_failure != "compensate" or not tx.done or tx.in_the_open:
                raise
            await tx.start_compensating(str(problem))
            await self._take_back(tx, problem)
        except WalkedThrough:
            await self._take_back(tx, None)
        else:
            if tx.is_compensating:  # what stopped it is gone meanwhile, but part of it may be taken back already
                await self._take_back(tx, None)
            else:
                await self._end(tx, "completed")

    async def _take_back(self, tx: Transaction, problem: Terminal | None) -> None:
        left = [one.name for one in reversed(tx.done) if one.own and one.undo is None]
        for one in reversed(list(tx.done)):
            if one.own:
                await tx.undo(one)
        if left:
            raise Terminal(
                f"taken back as far as possible; {', '.join(left)} stands and must be countered by a person",
                code="compensation.incomplete",
                detail={"cause": f"{tx.row.flow} cannot take back {left[0]}"},
            ) from problem
        await self._end(tx, "compensated")

    async def _tell(self, tx: Transaction, due: Due) -> None:
        """Tell the source that its fact has stopped for a person. A notice that fails opens no second exception."""
        try:
            await self._notify(tx, due)
        except (NotCommitted, NotRead, StorageLost):
            raise
        except Retryable as later:
            await self._wait_for_vendor(tx, later)
        except AccordantError as refusal:
            await self._commit_row(tx, {}, action="notice.refused", detail={"error": refusal.code})
        except Exception as crash:  # noqa: BLE001 - the flow's own bug in wording the notice
            told = {"error": _crashed(tx.row, crash).message}
            await self._commit_row(tx, {}, action="notice.refused", detail=told)
        else:
            await self._commit_row(tx, {})

    async def _notify(self, tx: Transaction, due: Due) -> None:
        item = await self._tools.database.read(lambda connection: _open_item(connection, tx.row.transaction_id))
        one = self._flows.named(tx.row.flow)
        if item is None or one.blocked is None:
            return
        fact = self._flows.fact_of(tx.row.flow, due.event_type, data=due.event_data)
        stop = Stop(reason=item.message, owner=item.owner, transaction_id=tx.row.transaction_id)
        operation = one.blocked(fact, stop, **self._ports)
        if operation is not None:
            await tx.send_notice(f"tell it stopped ({item.exception_id[-6:]})", _replace(operation, notice=True))

    async def _end(self, tx: Transaction, state: str) -> None:
        now = self._tools.clock.now_ms()
        changes = Changes()
        lanes.wake(changes, tx.row.lane)
        ended = {"state": state, "turn": lanes.LEFT, "ended_at_ms": now}
        await self._commit_row(tx, ended, action=f"transaction.{state}", changes=changes)

    async def _put_to_sleep(self, tx: Transaction, pause: Pause) -> None:
        holds = self._flows.named(tx.row.flow).hold_lane
        changed: dict[str, Any] = {
            "state": "waiting",
            "waiting_for": pause.waiting_for,
            "wake_at_ms": pause.wake_at_ms,
            "expects_type": pause.expects[0],
            "expects_subject": pause.expects[1],
        }
        changes = Changes()
        if not holds:
            changed["turn"] = lanes.LEFT
            lanes.wake(changes, tx.row.lane)
        if pause.expects[1]:
            waits.wake_if_it_came(changes, tx.row.transaction_id)
        if pause.waiting_for == "approval":
            waits.wake_decided(changes, tx.row.transaction_id)
        await self._commit_row(
            tx, changed, action="transaction.waiting", detail={"for": pause.waiting_for}, changes=changes
        )

    async def _wait_for_vendor(self, tx: Transaction, problem: Retryable) -> None:
        """The vendor cannot be reached now: wait, and keep the lane, so that nothing overtakes."""
        asked = problem.retry_after_s or 0.0
        pause_s = max(asked, self._rng.uniform(0.3, min(_LONGEST_VENDOR_WAIT_S, 0.5 * 1.6 ** min(tx.row.drives, 8))))
        changed: dict[str, Any] = {
            "state": "exception" if tx.row.state == "exception" else "waiting",
            "waiting_for": TELLING if tx.row.state == "exception" else "vendor",
            "wake_at_ms": self._tools.clock.now_ms() + round(pause_s * 1000),
        }
        detail = {"for": "vendor", "error": problem.code}
        await self._commit_row(tx, changed, action="transaction.waiting", detail=detail)

    async def _park(self, tx: Transaction, problem: AccordantError) -> None:
        """Stop for a person. Before the first effect the lane goes on; after it, it is held."""
        now = self._tools.clock.now_ms()
        held = tx.touched or self._holds_lane(tx.row.flow)
        found = exceptions.Found(problem=problem, step=tx.step, policies=tx.estate.policies)
        item = exceptions.of_transaction(tx.row, found, clock=self._tools.clock)
        changes = Changes()
        exceptions.open_item(changes, item)
        if not held:
            lanes.wake(changes, tx.row.lane)
        changed: dict[str, Any] = {
            "state": "exception",
            "waiting_for": TELLING,
            "turn": tx.row.turn if held else lanes.LEFT,
            "due_rank": rank(Priority.BACKGROUND, arrived_ms=now),
        }
        await self._commit_row(
            tx, changed, action="transaction.parked", detail={"error": problem.code}, changes=changes
        )

    def _holds_lane(self, flow_name: str) -> bool:
        known = self._flows.all().get(flow_name)
        return known.hold_lane if known else False

    async def _commit_row(
        self,
        tx: Transaction,
        changed: dict[str, Any],
        *,
        action: str = "",
        detail: dict[str, Any] | None = None,
        changes: Changes | None = None,
    ) -> None:
        now = self._tools.clock.now_ms()
        fields: dict[str, Any] = {**_AWAKE, **changed}
        row: TransactionRow = _replace(
            tx.row, drives=tx.row.drives + 1, effects=tx.effects_confirmed, changed_at_ms=now, **fields
        )
        changes = Changes() if changes is None else changes
        changes.put(transaction_table, row)
        if action:
            record(changes, _entry(row, action, at_ms=now, detail=detail or {}))
        await self._tools.writer.commit(changes, at="drive.end")


def _entry(row: TransactionRow, action: str, *, at_ms: int, detail: dict[str, Any]) -> AuditEntry:
    return AuditEntry(
        at_ms=at_ms,
        tenant=row.tenant,
        correlation_id=row.correlation_id,
        transaction_id=row.transaction_id,
        action=action,
        subject=row.subject,
        detail={"flow": row.flow, "effects": row.effects, **detail},
    )


def _open_item(connection: Connection, transaction_id: str) -> ExceptionRow | None:
    columns = exception_table.c
    query = (
        select(exception_table)
        .where(columns.transaction_id == transaction_id, columns.state == "open")
        .order_by(columns.opened_at_ms.desc())
        .limit(1)
    )
    found = connection.execute(query).mappings().first()
    return ExceptionRow(**found) if found else None


def _crashed(row: TransactionRow, crash: Exception) -> Terminal:
    return Terminal(
        f"flow {row.flow} failed with {type(crash).__name__}: {str(crash)[:300]}",
        code="flow.crashed",
        hint="this is a defect of the flow; mend it, then retry",
        detail={"cause": f"flow {row.flow} failed with {type(crash).__name__}: {str(crash)[:120]}"},
    )
