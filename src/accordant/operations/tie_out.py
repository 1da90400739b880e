"""Billing beside the books, to the penny: totals by legal entity, currency, period and kind, and every document amiss.

Neither our records nor our audit are asked: both systems are, anew, and documents are matched by the number that people
use. What ties is counted in the totals; what does not is named, with what each side says about it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import msgspec

from accordant.canonical.control import LedgerDocument
from accordant.canonical.ports import Billing, Erp
from accordant.governance.estate import Estate
from accordant.kernel.dates import FIRST_DAY, LAST_DAY

MISSING, EXTRA, TWICE, DIFFERENT = "not in the books", "not in billing", "not as often", "different"
Place = tuple[str, str, str, str]
"""Legal entity, currency, period, kind."""


class Total(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the tie-out."""

    legal_entity: str
    currency: str
    period: str
    kind: str
    billing_documents: int
    billing_minor: int
    books_documents: int
    books_minor: int

    @property
    def ties(self) -> bool:
        return (self.billing_documents, self.billing_minor) == (self.books_documents, self.books_minor)


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What one system says of a document."""

    native_id: str
    legal_entity: str
    currency: str
    period: str
    amount_minor: int


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One document that the two systems do not agree on."""

    number: str
    kind: str
    what: str
    """`not in the books`, `not in billing`, `not as often` or `different`."""
    billing: tuple[Said, ...]
    books: tuple[Said, ...]


class TieOut(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    totals: tuple[Total, ...]
    differences: tuple[Difference, ...]

    @property
    def ties(self) -> bool:
        return not self.differences and all(total.ties for total in self.totals)


async def tie_out(
    billing: Billing, erp: Erp, *, estate: Estate, since: date = FIRST_DAY, until: date = LAST_DAY
) -> TieOut:
    """Ask both systems and compare. Raises what a read of either raises."""
    charged = await billing.documents(since=since, until=until)
    entered = await erp.documents(since=since, until=until, entities=entities_of(estate))
    return compared(charged, entered)


def entities_of(estate: Estate) -> Mapping[str, str]:
    """Our legal entities by the books' codes for them; of several names for one code the newest."""
    rows = [row for rows in estate.tables.get("legal_entity", {}).values() for row in rows]
    newest = sorted(rows, key=lambda row: (row.effective_from or FIRST_DAY, row.value))
    return {row.target: row.value for row in newest}


def compared(billing: Iterable[LedgerDocument], books: Iterable[LedgerDocument]) -> TieOut:
    """Pure: what ties, what does not."""
    sides = (list(billing), list(books))
    totals = [_sums(side) for side in sides]
    places = sorted(totals[0].keys() | totals[1].keys())
    named = [_by_number(side) for side in sides]
    numbers = sorted(named[0].keys() | named[1].keys())
    found = (_difference(one, named[0].get(one, []), named[1].get(one, [])) for one in numbers)
    return TieOut(
        totals=tuple(_total(place, totals[0].get(place, (0, 0)), totals[1].get(place, (0, 0))) for place in places),
        differences=tuple(one for one in found if one is not None),
    )


def _sums(side: Iterable[LedgerDocument]) -> dict[Place, tuple[int, int]]:
    sums: dict[Place, tuple[int, int]] = {}
    for one in side:
        place = (one.legal_entity, one.amount.currency, one.period, one.kind)
        n, minor = sums.get(place, (0, 0))
        sums[place] = (n + 1, minor + one.amount.amount_minor)
    return sums


def _by_number(side: Iterable[LedgerDocument]) -> dict[tuple[str, str], list[Said]]:
    named: dict[tuple[str, str], list[Said]] = defaultdict(list)
    for one in side:
        said = Said(
            native_id=one.native_id,
            legal_entity=one.legal_entity,
            currency=one.amount.currency,
            period=one.period,
            amount_minor=one.amount.amount_minor,
        )
        named[one.number, one.kind].append(said)
    return named


def _difference(named: tuple[str, str], billing: Sequence[Said], books: Sequence[Said], /) -> Difference | None:
    """Native ids are each system's own and do not count."""
    charged, entered = (Counter(map(_facts, side)) for side in (billing, books))
    if charged == entered:
        return None
    if not books:
        what = MISSING
    elif not billing:
        what = EXTRA
    else:
        what = TWICE if charged.keys() == entered.keys() else DIFFERENT
    number, kind = named
    return Difference(number=number, kind=kind, what=what, billing=tuple(billing), books=tuple(books))


def _facts(said: Said) -> tuple[str, str, str, int]:
    return said.legal_entity, said.currency, said.period, said.amount_minor


def _total(place: Place, billing: tuple[int, int], books: tuple[int, int], /) -> Total:
    legal_entity, currency, period, kind = place
    return Total(
        legal_entity=legal_entity,
        currency=currency,
        period=period,
        kind=kind,
        billing_documents=billing[0],
        billing_minor=billing[1],
        books_documents=books[0],
        books_minor=books[1],
    )
