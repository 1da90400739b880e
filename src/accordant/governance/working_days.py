"""When something is due by the clock on a company's wall: days there, working days there, summer time there.

Source: https://holidays.readthedocs.io (public holidays and weekends by country), and the IANA time zone database.
"""

import re
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

UNITS_S = {"s": 1, "m": 60, "h": 3_600}
_AFTER = re.compile(r"([0-9]{1,6})([smhd])", re.ASCII)
_AT = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
_LOOK_AHEAD_DAYS = 31


class Calendar(msgspec.Struct, frozen=True, kw_only=True):
    """Where a legal entity works."""

    country: str
    """ISO 3166-1 alpha-2; its public holidays and its weekend."""
    region: str = ""
    """Part of the country with holidays of its own, such as `BY`."""
    time_zone: str
    """IANA name, such as `Europe/Berlin`."""
    at: str = "09:00"
    """The hour at which what is due on a day is done, on that clock."""


def read_after(text: str) -> tuple[int, str] | None:
    """Number and unit of a distance such as `3d`, `2h`, `30m`, `5s`; None for what is none."""
    found = _AFTER.fullmatch(text)
    return (int(found[1]), found[2]) if found else None


def read_at(text: str) -> time | None:
    """The hour that `09:00` names; None for what is none."""
    found = _AT.fullmatch(text)
    return time(int(found[1]), int(found[2])) if found else None


def instant_after(since_ms: int, after: str, *, calendar: Calendar, business_days: bool) -> int:
    """The instant so long after another one.

    Days are counted on the calendar's wall, and end at its hour `at`; one that is not worked there moves to the next
    that is. An hour that summer time leaves out is the hour after it, and of one that it repeats the first counts.
    Seconds, minutes and hours are counted as they pass.
    """
    number, unit = read_after(after) or (0, "s")
    if unit != "d":
        return since_ms + number * UNITS_S[unit] * 1000
    zone = ZoneInfo(calendar.time_zone)
    day = datetime.fromtimestamp(since_ms / 1000, zone).date() + timedelta(days=number)
    if business_days:
        day = working_day(day, country=calendar.country, region=calendar.region)
    return round(datetime.combine(day, read_at(calendar.at) or time(9), zone).timestamp() * 1000)


def working_day(day: date, *, country: str, region: str = "") -> date:
    """The day itself where it is worked, else the next that is."""
    known = _holidays(country, region)
    for ahead in range(_LOOK_AHEAD_DAYS):
        if known.is_working_day(day + timedelta(days=ahead)):
            return day + timedelta(days=ahead)
    return day


def knows_country(country: str, region: str = "") -> bool:
    """Whether there are holidays of this country, and of this part of it."""
    if not _COUNTRY.fullmatch(country):
        return False
    try:
        _holidays(country, region)
    except NotImplementedError:
        return False
    return True


@lru_cache(maxsize=64)
def _holidays(country: str, region: str) -> Any:
    import holidays

    return holidays.country_holidays(country, subdiv=region or None)
