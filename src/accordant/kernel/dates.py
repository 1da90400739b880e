"""Days and instants are read in one notation, with their zone, and those that cannot be meant are refused.

The standard library reads week dates, instants without a zone, and 24:00 without a word; none of them is guessed here.
Source: RFC 3339, https://www.rfc-editor.org/rfc/rfc3339
"""

import re
from datetime import UTC, date, datetime, timedelta

from accordant.kernel.errors import Malformed

FIRST_DAY = date(1970, 1, 3)
"""Earlier ones are defaults that somebody forgot to fill in: day zero of the epoch, in any zone, and year one."""
LAST_DAY = date(2199, 12, 31)
"""Later ones stand for `never` (9999-12-31) or are another unit of time."""
_FIRST_MS = 946_684_800_000
_LAST_MS = 7_258_118_399_999
_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)
_SLASHED = re.compile(r"\d{1,4}[/.]\d{1,2}[/.]\d{1,4}", re.ASCII)
_INSTANT = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(?:([Zz])|([+-])(\d{2}):?(\d{2}))?", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CHARS_MAX = 40
_INSTANT_HINT = "write it with its offset, such as 2026-11-21T12:00:00Z or 2026-11-21T13:00:00+01:00"


def read_day(text: str) -> date:
    """The day that `2026-01-31` names.

    Raises:
        Malformed: `date.format`, `date.ambiguous_format`, `date.invalid`.
    """
    found = _DAY.fullmatch(text)
    if found is None:
        slashed = _SLASHED.fullmatch(text) is not None
        raise Malformed(
            f"{text[:_CHARS_MAX]!r} is no day; expected year, month and day such as 2026-01-31",
            code="date.ambiguous_format" if slashed else "date.format",
            hint="nobody can say which of two numbers is the month; write 2026-01-31"
            if slashed
            else "write 2026-01-31",
        )
    try:
        return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        raise Malformed(
            f"{text!r} is on no calendar; expected a day that exists", code="date.invalid", hint="correct the day"
        ) from None


def require_likely_day(day: date) -> date:
    """The day, unless it is one that software writes where people wrote nothing.

    Raises:
        Malformed: `date.suspicious`.
    """
    if not FIRST_DAY <= day <= LAST_DAY:
        raise Malformed(
            f"the day {day.isoformat()} is hardly meant; expected one from {FIRST_DAY} to {LAST_DAY}",
            code="date.suspicious",
            hint="look for a field left empty, or an end that stands for `never`, and enter the day that is meant",
        )
    return day


def read_instant_ms(text: str) -> int:
    """Milliseconds since 1970 of an RFC 3339 text that names its offset, `+0000` included.

    Raises:
        Malformed: `time.syntax`, `time.zone_missing`, `time.leap_second`, `time.out_of_range`, and those of `read_day`.
    """
    found = _INSTANT.fullmatch(text)
    if found is None:
        raise Malformed(
            f"{text[:_CHARS_MAX]!r} is no instant; expected RFC 3339 such as 2026-11-21T12:00:00Z",
            code="time.syntax",
            hint=_INSTANT_HINT,
        )
    day = read_day(found[1])
    hour, minute, second = int(found[2]), int(found[3]), int(found[4])
    if second == 60:
        raise _out(text, "a leap second, which computers do not have", code="time.leap_second")
    if hour > 23 or minute > 59 or second > 59 or int(found[8] or 0) > 23 or int(found[9] or 0) > 59:
        raise _out(text, "at no time of the day")
    if found[6] is None and found[7] is None:
        raise Malformed(
            f"{text[:_CHARS_MAX]!r} names no time zone; expected an offset such as Z or +01:00",
            code="time.zone_missing",
            hint=_INSTANT_HINT,
        )
    ahead_min = int(found[8] or 0) * 60 + int(found[9] or 0)
    local = datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=UTC)
    whole_s = (local - _EPOCH) // timedelta(seconds=1) - (-ahead_min if found[7] == "-" else ahead_min) * 60
    return whole_s * 1000 + int((found[5] or "").ljust(3, "0")[:3])


def require_likely_ms(at_ms: int) -> int:
    """The instant in milliseconds, unless another unit or a default was taken for it.

    Raises:
        Malformed: `time.out_of_range`, `time.suspicious`.
    """
    if at_ms > _LAST_MS:
        raise Malformed(
            f"{str(at_ms)[:_CHARS_MAX]} is beyond the year 2199; expected milliseconds, this looks like microseconds",
            code="time.out_of_range",
            hint="give milliseconds since 1970, thirteen digits",
        )
    if at_ms < _FIRST_MS:
        raise Malformed(
            f"{str(at_ms)[:_CHARS_MAX]} is before the year 2000; expected milliseconds, this looks like seconds",
            code="time.suspicious",
            hint="give milliseconds since 1970, thirteen digits",
        )
    return at_ms


def _out(text: str, why: str, *, code: str = "time.out_of_range") -> Malformed:
    return Malformed(
        f"{text[:_CHARS_MAX]!r} is {why}; expected 00:00:00 to 23:59:59", code=code, hint="correct the time of the day"
    )
