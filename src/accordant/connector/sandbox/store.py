"""Records in memory whose search sees a write late, as vendors' do, while a read by id sees it at once."""

from collections import deque
from collections.abc import Callable, Mapping

from accordant.connector.sandbox.clock import SandboxClock
from accordant.connector.sandbox.exchange import Record

Indexes = Mapping[str, Callable[[Record], object]]


class _View:
    """Records by id, and by each index value; index keys of None are not indexed."""

    def __init__(self, indexes: Indexes) -> None:
        self.records: dict[str, Record] = {}
        self._indexes = indexes
        self._ids: dict[str, dict[object, dict[str, None]]] = {name: {} for name in indexes}

    def put(self, record_id: str, record: Record | None) -> None:
        old = self.records.get(record_id)
        for name, value_of in self._indexes.items():
            ids = self._ids[name]
            before = value_of(old) if old is not None else None
            after = value_of(record) if record is not None else None
            if before is not None and before != after:
                del ids[before][record_id]
            if after is not None:
                ids.setdefault(after, {})[record_id] = None
        if record is None:
            self.records.pop(record_id, None)
        else:
            self.records[record_id] = record

    def find(self, index: str, value: object) -> list[Record]:
        return [self.records[record_id] for record_id in self._ids[index].get(value, ())]


class LaggedStore:
    """Two views of the same records: *now* (`get`, `values`, `find_now`) and *searchable* (`search`, `find`).

    A write, an update and a deletion all reach the searchable view `lag_s()` seconds later, in order. The lag is asked
    at search time, so switching it off makes everything searchable at once. Records are values: replace, never mutate.
    """

    def __init__(self, *, clock: SandboxClock, lag_s: Callable[[], float], indexes: Indexes) -> None:
        self._clock = clock
        self._lag_s = lag_s
        self._now = _View(indexes)
        self._searchable = _View(indexes)
        self._waiting: deque[tuple[float, str, Record | None]] = deque()

    def put(self, record_id: str, record: Record) -> None:
        self._now.put(record_id, record)
        self._waiting.append((self._clock.now_s(), record_id, record))
        self._catch_up()

    def delete(self, record_id: str) -> None:
        self._now.put(record_id, None)
        self._waiting.append((self._clock.now_s(), record_id, None))
        self._catch_up()

    def get(self, record_id: str) -> Record | None:
        return self._now.records.get(record_id)

    def values(self) -> list[Record]:
        """All records as they are now, oldest first."""
        return list(self._now.records.values())

    def find_now(self, index: str, value: object) -> list[Record]:
        """By index without lag: for a vendor's own unique constraints and upserts."""
        return self._now.find(index, value)

    def search(self) -> list[Record]:
        """All records as a search sees them, oldest first."""
        self._catch_up()
        return list(self._searchable.records.values())

    def find(self, index: str, value: object) -> list[Record]:
        """By index as a search sees it."""
        self._catch_up()
        return self._searchable.find(index, value)

    def __len__(self) -> int:
        return len(self._now.records)

    def _catch_up(self) -> None:
        visible_until_s = self._clock.now_s() - self._lag_s()
        while self._waiting and self._waiting[0][0] <= visible_until_s:
            _, record_id, record = self._waiting.popleft()
            self._searchable.put(record_id, record)
