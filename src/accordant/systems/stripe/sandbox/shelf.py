"""Objects of one kind in the order they were made: listed newest first by cursor, searched with a lag.

Source: https://docs.stripe.com/api/pagination, https://docs.stripe.com/search (API version 2026-10-28.endive).
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from accordant.connector.sandbox import Kit, LaggedStore, Record
from accordant.systems.stripe.sandbox.wire import invalid, mapping, no_such, whole

LIMIT_MAX = 100
LIMIT_DEFAULT = 10
_CLAUSE = re.compile(r"""\s*metadata\[(['"])(.*?)\1\]\s*:\s*(['"])(.*?)\3\s*""", re.DOTALL)
_FIELD = re.compile(r"""\s*(name|email|status)\s*:\s*(['"])(.*?)\2\s*""", re.DOTALL)
INDEXED = ("customer_id", "subscription_id", "opportunity_id")
"""Metadata names that searches find without reading every record."""
RANGE = frozenset({"gt", "gte", "lt", "lte"})
PAGING = frozenset({"limit", "starting_after", "ending_before", "expand"})


def metadata_indexes() -> dict[str, Callable[[Record], object]]:
    """For the stores behind shelves that can be searched."""
    return {name: (lambda record, name=name: record["metadata"].get(name)) for name in INDEXED}


Keep = Callable[[Record], bool]


class ListSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What one list request asks for beside paging."""

    operation: str
    group: str | None = None
    """Only objects of this customer."""
    keep: Keep | None = None


class Shelf:
    """One kind of object. `group_of` names the owner that lists may be filtered by."""

    def __init__(
        self, kit: Kit, store: LaggedStore, *, word: str, url: str, group_of: Callable[[Record], str] | None = None
    ) -> None:
        self.word = word
        self.url = url
        self._kit = kit
        self._store = store
        self._group_of = group_of
        self._ids: list[str] = []
        self._created: list[int] = []
        self._place: dict[str, int] = {}
        self._groups: dict[str, list[int]] = {}

    def put(self, record: Record) -> None:
        record_id = record["id"]
        if record_id not in self._place:
            self._place[record_id] = len(self._ids)
            if self._group_of is not None:
                self._groups.setdefault(self._group_of(record), []).append(len(self._ids))
            self._ids.append(record_id)
            self._created.append(record["created"])
        self._store.put(record_id, record)

    def remove(self, record_id: str) -> None:
        self._store.delete(record_id)

    def find(self, record_id: str) -> Record | None:
        return self._store.get(record_id)

    def need(self, record_id: str, *, param: str = "id") -> Record:
        record = self._store.get(record_id)
        if record is None:
            raise no_such(self.word, record_id, param=param)
        return record

    def __len__(self) -> int:
        return len(self._store)

    def values(self) -> list[Record]:
        return self._store.values()

    def group(self, owner: str) -> list[Record]:
        """Objects of one owner, oldest first."""
        found = (self._store.get(self._ids[place]) for place in self._groups.get(owner, ()))
        return [record for record in found if record is not None]

    def list_page(self, query: Mapping[str, Any], spec: ListSpec) -> Record:
        """One page, newest first, in the list envelope."""
        limit = _limit(query)
        places: Sequence[int] = range(len(self._ids)) if spec.group is None else self._groups.get(spec.group, [])
        places = self._created_between(places, query.get("created"))
        if self._kit.faults.active:
            data, more = self._disturbed(places, query, spec=spec)
        else:
            data, more = self._page(places, query, limit=limit, keep=spec.keep)
        return {"object": "list", "url": self.url, "has_more": more, "data": data}

    def search_page(self, query: Mapping[str, Any]) -> Record:
        """One page of what the search index holds, newest first, in the search envelope."""
        limit = _limit(query)
        keep = _condition(str(query.get("query", "")))
        start = int(query["page"]) if str(query.get("page", "")).isdigit() else 0
        found = keep(self._store)[::-1]
        stop = start + limit
        more = stop < len(found)
        page = str(stop) if more else None
        envelope = {"object": "search_result", "url": f"{self.url}/search", "has_more": more, "next_page": page}
        return {**envelope, "data": found[start:stop]}

    def _created_between(self, places: Sequence[int], asked: object) -> Sequence[int]:
        """Creation times rise with the place, so that a range is two bisections."""
        if asked is None:
            return places
        bounds = {"gte": asked, "lte": asked} if isinstance(asked, str) else mapping(asked, param="created")
        low, high = 0, len(places)
        for name, value in bounds.items():
            if name not in RANGE:
                raise invalid(f"Received unknown parameter: created[{name}]", param=f"created[{name}]")
            at_s = whole(value, param=f"created[{name}]")
            cut = bisect_left if name in ("gte", "lt") else bisect_right
            place = cut(places, at_s, key=self._created.__getitem__)
            low, high = (max(low, place), high) if name.startswith("g") else (low, min(high, place))
        return places[low:high]

    def _page(
        self, places: Sequence[int], query: Mapping[str, Any], *, limit: int, keep: Keep | None
    ) -> tuple[list[Record], bool]:
        backwards = "ending_before" in query
        found: list[Record] = []
        for record in self._walk(places, query, backwards=backwards):
            if keep is None or keep(record):
                found.append(record)
                if len(found) > limit:
                    break
        more = len(found) > limit
        page = found[:limit]
        return (page[::-1] if backwards else page), more

    def _walk(self, places: Sequence[int], query: Mapping[str, Any], *, backwards: bool) -> Iterator[Record]:
        """From the cursor towards older objects, or towards newer ones."""
        cursor = query.get("ending_before") if backwards else query.get("starting_after")
        start = self._cursor(cursor, "ending_before" if backwards else "starting_after")
        if backwards:
            following: Sequence[int] = places[bisect_right(places, start) :]
        else:
            following = places[: len(places) if cursor is None else bisect_left(places, start)][::-1]
        for place in following:
            record = self._store.get(self._ids[place])
            if record is not None:
                yield record

    def _cursor(self, cursor: object, param: str) -> int:
        if cursor is None:
            return 0
        if not isinstance(cursor, str) or cursor not in self._place:
            raise no_such(self.word, str(cursor)[:100], param=param)
        return self._place[cursor]

    def _disturbed(
        self, places: Sequence[int], query: Mapping[str, Any], *, spec: ListSpec
    ) -> tuple[list[Record], bool]:
        """The same page with the page faults that are on."""
        limit = _limit(query)
        if "ending_before" in query:
            return self._page(places, query, limit=limit, keep=spec.keep)
        rows = [record for record in self._walk(places, {}, backwards=False) if spec.keep is None or spec.keep(record)]
        start = 0
        if "starting_after" in query:
            cursor = self._cursor(query["starting_after"], "starting_after")
            start = sum(1 for record in rows if self._place[record["id"]] >= cursor)
        page = self._kit.page(spec.operation, rows, start=start, limit=limit)
        return page.rows, page.next_start is not None


def _limit(query: Mapping[str, Any]) -> int:
    if "limit" not in query:
        return LIMIT_DEFAULT
    limit = whole(query["limit"], param="limit")
    if not 1 <= limit <= LIMIT_MAX:
        raise invalid("Invalid limit: must be between 1 and 100", param="limit", code="parameter_invalid_integer")
    return limit


def _condition(query: str) -> Callable[[LaggedStore], list[Record]]:
    """Clauses joined by AND; the first metadata clause picks from the index."""
    clauses: list[Callable[[Record], bool]] = []
    indexed: tuple[str, str] | None = None
    for part in re.split(r"\s+AND\s+", query):
        if match := _CLAUSE.fullmatch(part):
            clauses.append(_has_metadata(match[2], match[4]))
            if match[2] in INDEXED:
                indexed = match[2], match[4]
        elif match := _FIELD.fullmatch(part):
            clauses.append(_has_field(match[1], match[3]))
        else:
            raise invalid("We were unable to parse your search query.", param="query")

    def pick(store: LaggedStore) -> list[Record]:
        found = store.search() if indexed is None else store.find(*indexed)
        return [record for record in found if all(clause(record) for clause in clauses)]

    return pick


def _has_metadata(name: str, value: str) -> Keep:
    return lambda record: record["metadata"].get(name) == value


def _has_field(name: str, value: str) -> Keep:
    return lambda record: record.get(name) == value
