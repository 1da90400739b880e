"""`GET /v1/tie-out`: billing beside the books, asked of both systems at this moment."""

from calendar import monthrange
from datetime import date
from typing import TYPE_CHECKING

from litestar import get
from litestar.datastructures import State
from litestar.params import FromQuery

from accordant.kernel.dates import FIRST_DAY, LAST_DAY
from accordant.kernel.errors import Malformed
from accordant.operations.tie_out import TieOut, tie_out

if TYPE_CHECKING:
    from accordant.wiring import Platform


@get("/v1/tie-out")
async def tie_out_now(state: State, period: FromQuery[str | None] = None) -> TieOut:
    """Of one month, such as `2026-11`, or of everything there is."""
    platform: Platform = state["platform"]
    ports = platform.ports()
    since, until = days_of(period)
    return await tie_out(ports["billing"], ports["erp"], estate=platform.estates.current(), since=since, until=until)


def days_of(period: str | None) -> tuple[date, date]:
    """First and last day of a month. Raises Malformed `tie_out.period`."""
    if period is None:
        return FIRST_DAY, LAST_DAY
    try:
        first = date.fromisoformat(f"{period}-01")
    except ValueError:
        first = None
    if first is None or len(period) != 7:
        raise Malformed(
            f"{period[:20]!r} is no period; expected a year and a month such as 2026-11",
            code="tie_out.period",
            hint="name one month, or none for everything",
        )
    return first, first.replace(day=monthrange(first.year, first.month)[1])
