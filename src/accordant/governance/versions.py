"""Every version the estate ever had; a transaction keeps the one it began with."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Column, Connection, Integer, Table, Text, func, select

from accordant.governance.estate import Estate, ReferenceRow, same_content
from accordant.governance.estate_files import load_estate, write_reference_rows
from accordant.governance.reference_change import RowTerms, placed, rows_for
from accordant.governance.reference_files import replace_file, table_path
from accordant.kernel.clock import Clock
from accordant.kernel.database import Changes, Database, Writer, metadata
from accordant.kernel.errors import Refused
from accordant.kernel.ids import canonical_json
from accordant.telemetry.audit import AuditEntry, record

__all__ = ["EstateStore", "EstateVersionRow", "ReferenceChange", "RowTerms", "estate_version_table"]

_KEPT_VERSIONS_MAX = 8


class EstateVersionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One version as stored. `changes` is a JSON list, `body` the whole estate."""

    n: int
    at_ms: int
    actor: str
    reason: str
    changes: str
    body: str


estate_version_table = Table(
    "estate_version",
    metadata,
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("changes", Text, nullable=False),
    Column("body", Text, nullable=False),
)
_c = estate_version_table.c


class ValueChange(msgspec.Struct, frozen=True, kw_only=True):
    """What one version changed about one value of a reference table."""

    table: str
    value: str
    old: tuple[ReferenceRow, ...]
    """Empty for a new value."""
    new: tuple[ReferenceRow, ...]
    """Empty for a value that was removed."""


class ReferenceChange(ValueChange, frozen=True, kw_only=True):
    """A change of a value with the version that made it."""

    n: int
    at_ms: int
    actor: str
    reason: str


class EstateStore:
    """The estate in force, the versions before it, and the one way to change a reference row."""

    def __init__(self, database: Database, writer: Writer, *, clock: Clock, folder: Path, tenant: str) -> None:
        self._database = database
        self._writer = writer
        self._clock = clock
        self._folder = folder
        self._tenant = tenant
        self._current: Estate | None = None
        self._kept: OrderedDict[int, Estate] = OrderedDict()
        self._changing = asyncio.Lock()

    async def start(self) -> Estate:
        """Load the folder; where it decides otherwise than the newest stored version, it becomes the next one."""
        async with self._changing:
            loaded = load_estate(self._folder)
            newest = await self._database.read(_newest)
            if newest is not None and same_content(newest, loaded):
                self._current = newest
                return newest
            following = msgspec.structs.replace(loaded, version=newest.version + 1 if newest else 1)
            changed = differences(newest, following) if newest else []
            entry = self._entry(
                "estate.applied",
                subject=f"estate version {following.version}",
                detail={
                    "version": following.version,
                    "reference_changes": len(changed),
                    "policies_changed": newest is None or newest.policies != following.policies,
                    "ownership_changed": newest is None or newest.ownership != following.ownership,
                },
            )
            await self._store(following, changed, entry=entry, reason="the estate folder was read")
            return following

    async def refresh(self) -> Estate:
        """The newest stored version becomes the one in force here; for processes beside the one that changes it."""
        async with self._changing:
            if self._current is None or await self._database.read(_newest_n) != self._current.version:
                newest = await self._database.read(_newest)
                if newest is None:
                    raise Refused("the database holds no estate yet", code="estate.not_started")
                self._enter(newest)
            return self.current()

    def current(self) -> Estate:
        """The version in force."""
        if self._current is None:
            raise Refused("the estate is not loaded yet", code="estate.not_started")
        return self._current

    def at(self, n: int) -> Estate:
        """The version of this number; the last few used are kept in memory.

        Raises:
            Refused: `estate.unknown_version`.
        """
        if self._current is not None and self._current.version == n:
            return self._current
        found = self._kept.get(n) or self._database.read_now(lambda connection: _version(connection, n))
        if found is None:
            raise Refused(f"the estate never had a version {n}", code="estate.unknown_version", detail={"version": n})
        self._keep(found)
        return found

    async def set_reference(
        self, table: str, value: str, *, target: str, actor: str, terms: RowTerms | None = None
    ) -> int:
        """Give a value a meaning, as a new version: stored, written to its file and in the audit.

        `target` is the value of another row of the table (meaning: the same as that word) or a target some row has.
        Returns the version's number; where the table says so already, the one in force. The file is replaced first,
        and put back if the database refuses: after a crash in between, the next start takes the file's word.

        Raises:
            Refused: `reference.unknown_table`, `reference.unknown_target`, `reference.invalid`.
        """
        async with self._changing:
            before = self.current()
            terms = terms or RowTerms()
            made = rows_for(before, table, value=value, target=target, terms=terms)
            old = before.tables[table].get(value, ())
            new = old
            for row in made:
                new = placed(new, row)
            if new == old:
                return before.version
            change = ValueChange(table=table, value=value, old=old, new=new)
            following = _with_change(before, change)
            entry = self._entry(
                "reference.set",
                subject=f"{table}:{value}",
                actor=actor,
                detail={
                    "version": following.version,
                    "asked": target,
                    "reason": terms.reason,
                    "old": msgspec.to_builtins(old),
                    "new": msgspec.to_builtins(new),
                },
            )
            path = table_path(self._folder, table)
            content = path.read_bytes()
            write_reference_rows(self._folder, table, rows=made)
            try:
                await self._store(following, [change], entry=entry, reason=terms.reason)
            except BaseException:
                replace_file(path, content)
                raise
            return following.version

    def history(self, table: str) -> list[ReferenceChange]:
        """Every change of a table since the first version, oldest first."""
        return self._database.read_now(lambda connection: _history(connection, table))

    async def _store(self, estate: Estate, changed: Sequence[ValueChange], *, entry: AuditEntry, reason: str) -> None:
        changes = Changes()
        changes.add(
            estate_version_table,
            EstateVersionRow(
                n=estate.version,
                at_ms=entry.at_ms,
                actor=entry.actor,
                reason=reason,
                changes=canonical_json(changed).decode(),
                body=canonical_json(estate).decode(),
            ),
        )
        record(changes, entry)
        # Asked before as well as seen afterwards, so that the audit tells of no change that was not made.
        is_free = await self._database.read(_newest_n) < estate.version
        if not is_free or not (await self._writer.commit(changes, at="estate.version")).is_new(
            estate_version_table, estate.version
        ):
            raise Refused(
                f"version {estate.version} of the estate was made by another process in the meantime",
                code="estate.changed_meanwhile",
                hint="look at the version in force and try again",
            )
        self._enter(estate)

    def _enter(self, estate: Estate) -> None:
        if self._current is not None:
            self._keep(self._current)
        self._current = estate

    def _entry(self, action: str, *, subject: str, detail: dict[str, Any], actor: str = "accordant") -> AuditEntry:
        return AuditEntry(
            at_ms=self._clock.now_ms(),
            tenant=self._tenant,
            correlation_id=f"estate-{detail['version']}",
            action=action,
            subject=subject,
            actor=actor,
            detail=detail,
        )

    def _keep(self, estate: Estate) -> None:
        self._kept[estate.version] = estate
        self._kept.move_to_end(estate.version)
        while len(self._kept) > _KEPT_VERSIONS_MAX:
            self._kept.popitem(last=False)


def differences(before: Estate, after: Estate) -> list[ValueChange]:
    """Every value of every table whose rows differ between two versions, in the order of their names."""
    found: list[ValueChange] = []
    for table in sorted({*before.tables, *after.tables}):
        old, new = before.tables.get(table, {}), after.tables.get(table, {})
        found += [
            ValueChange(table=table, value=value, old=old.get(value, ()), new=new.get(value, ()))
            for value in sorted({*old, *new})
            if old.get(value) != new.get(value)
        ]
    return found


def _with_change(estate: Estate, change: ValueChange) -> Estate:
    rows = {**estate.tables[change.table], change.value: change.new}
    return msgspec.structs.replace(estate, version=estate.version + 1, tables={**estate.tables, change.table: rows})


def _newest(connection: Connection) -> Estate | None:
    body = connection.execute(select(_c.body).order_by(_c.n.desc()).limit(1)).scalar()
    return msgspec.json.decode(body, type=Estate) if body else None


def _newest_n(connection: Connection) -> int:
    return connection.execute(select(func.max(_c.n))).scalar() or 0


def _version(connection: Connection, n: int) -> Estate | None:
    body = connection.execute(select(_c.body).where(_c.n == n)).scalar()
    return msgspec.json.decode(body, type=Estate) if body else None


def _history(connection: Connection, table: str) -> list[ReferenceChange]:
    query = select(_c.n, _c.at_ms, _c.actor, _c.reason, _c.changes).order_by(_c.n)
    return [
        ReferenceChange(n=n, at_ms=at_ms, actor=actor, reason=reason, **msgspec.structs.asdict(change))
        for n, at_ms, actor, reason, changes in connection.execute(query)
        for change in msgspec.json.decode(changes, type=list[ValueChange])
        if change.table == table
    ]
