"""`collections.yaml`: read as a whole, with every step, country, zone and border in it looked at."""

from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from accordant.governance.collections import (
    EVERYWHERE,
    LEVELS,
    STATUSES,
    Collections,
    Freshness,
    Ladder,
    Status,
    Step,
    SupportLevel,
)
from accordant.governance.likeness import did_you_mean
from accordant.governance.problems import File, Problems
from accordant.governance.shapes import read_struct, refuse_unknown
from accordant.governance.strict_yaml import Spot, read_yaml
from accordant.governance.working_days import Calendar, instant_after, knows_country, read_after, read_at

NAME = "collections.yaml"
_PARTS = ("calendars", "support", "limited_response_minutes", "freshness", "ladders")
_PROBE_MS = 1_767_225_600_000
"""Any instant: steps of one ladder are compared by when they come after it."""
DEFAULT_MINUTES = Collections().limited_response_minutes
_PLAIN_DAYS = Calendar(country="US", time_zone="UTC")


def read_collections(folder: Path, problems: Problems, *, legal_entities: Sequence[str]) -> Collections:
    """What the file says; a folder without one says that nothing follows from an unpaid invoice.

    `legal_entities`: those of the reference table; where it could not be read, names are not compared with it.
    """
    if not (folder / NAME).exists():
        return Collections()
    file = File(NAME, problems)
    top = read_yaml(folder / NAME, file)
    if top is None:
        return Collections()
    refuse_unknown(top, dict.fromkeys(_PARTS), file=file)
    calendars = {
        name: _calendar(name, spot, known=legal_entities, file=file) for name, spot in _rows(top, "calendars").items()
    }
    ladders = [_ladder(name, spot, known=legal_entities, file=file) for name, spot in _rows(top, "ladders").items()]
    _check_last(top, file=file)
    support = _support(top, file=file)
    minutes = top.entries.get("limited_response_minutes")
    freshness = read_struct(top.entries["freshness"], Freshness, file=file) if "freshness" in top.entries else None
    if freshness is not None and min(freshness.ttl_s, freshness.ask_within_s) < 1:
        what = f"ttl_s: {freshness.ttl_s}, ask_within_s: {freshness.ask_within_s}"
        _note(top.entries["freshness"], "collections.ttl", what, "a second at least", file=file)
    if minutes is not None and not (isinstance(minutes.value, int) and minutes.value > 0):
        _note(minutes, "collections.minutes", f"{minutes.value!r}", "a whole number above zero", file=file)
    if not file.is_sound:
        return Collections()
    return Collections(
        calendars={name: one for name, one in calendars.items() if one},
        support=support,
        freshness=freshness or Freshness(),
        ladders=tuple(one for one in ladders if one),
        limited_response_minutes=minutes.value if minutes and isinstance(minutes.value, int) else DEFAULT_MINUTES,
    )


def _calendar(name: str, spot: Spot, *, known: Sequence[str], file: File) -> Calendar | None:
    if known and name not in (EVERYWHERE, *known):
        _unknown(spot, name, (EVERYWHERE, *known), file=file)
    found = read_struct(spot, Calendar, file=file)
    if found is None:
        return None
    at = {key: spot.entries.get(key, spot) for key in ("country", "region", "time_zone", "at")}
    if not knows_country(found.country):
        what = f"no holidays are known of {found.country!r}"
        _note(at["country"], "collections.country", what, "an ISO 3166-1 code such as DE", file=file)
    elif not knows_country(found.country, found.region):
        what = f"{found.country} has no part {found.region!r} with holidays of its own"
        _note(at["region"], "collections.country", what, "an ISO 3166-2 code such as BY", file=file)
    if not _is_zone(found.time_zone):
        what = f"no time zone is called {found.time_zone!r}"
        _note(at["time_zone"], "collections.time_zone", what, "an IANA name such as Europe/Berlin", file=file)
    if read_at(found.at) is None:
        _note(at["at"], "collections.hour", f"{found.at!r}", 'an hour in quotes such as "09:00"', file=file)
    return found


def _ladder(name: str, spot: Spot, *, known: Sequence[str], file: File) -> Ladder | None:
    rows = _rows(spot, "steps")
    steps = [read_struct(one, Step, file=file, given={"name": step}) for step, one in rows.items()]
    sound = tuple(one for one in steps if one)
    plain = {key: value for key, value in spot.entries.items() if key != "steps"}
    found = read_struct(Spot(spot.at, spot.key_at, plain), Ladder, file=file, given={"name": name, "steps": sound})
    if found is None:
        return None
    for entity in found.legal_entities:
        if known and entity not in known:
            _unknown(spot.entries["legal_entities"], entity, known, file=file)
    for one in sound:
        if read_after(one.after) is None:
            at = rows[one.name].entries.get("after", rows[one.name])
            _note(at, "collections.after", f"{one.after!r}", "a distance such as 3d, 2h, 30m, 5s", file=file)
    _check_order(sound, rows, file=file)
    limits = [found.failed_attempts[one] for one in STATUSES[1:] if one in found.failed_attempts]
    if limits != sorted(set(limits)) or any(one < 1 for one in limits):
        what = f"failed_attempts {limits}"
        _note(spot.entries["failed_attempts"], "collections.order", what, "more for each worse standing", file=file)
    return found


def _check_order(steps: Sequence[Step], rows: dict[str, Spot], *, file: File) -> None:
    """A later step never leads to a better standing, and no step stands before an earlier one."""
    before, worst = -1, 0
    for one in steps:
        if read_after(one.after) is None:
            return
        at_ms = instant_after(_PROBE_MS, one.after, calendar=_PLAIN_DAYS, business_days=False)
        rank = STATUSES.index(one.standing) if one.standing else worst
        if at_ms < before or rank < worst:
            expected = "steps in the order in which they come, none better than the one before"
            _note(rows[one.name], "collections.order", f"{one.name!r} after {one.after}", expected, file=file)
        before, worst = at_ms, max(worst, rank)


def _check_last(top: Spot, *, file: File) -> None:
    ladders, calendars = _rows(top, "ladders"), _rows(top, "calendars")
    if not ladders:
        return
    last = list(ladders.values())[-1]
    if last.entries.get("legal_entities") or last.entries.get("service_tiers"):
        _note(last, "collections.no_last", "the last ladder is for some customers", "one for all others", file=file)
    if EVERYWHERE not in calendars:
        _note(top.entries["ladders"], "collections.no_calendar", "no calendar '*'", "one for all others", file=file)


def _support(top: Spot, *, file: File) -> dict[Status, SupportLevel]:
    rows = _rows(top, "support")
    for name, spot in rows.items():
        if name not in STATUSES:
            _unknown(spot, name, STATUSES, file=file)
        elif spot.value not in LEVELS:
            _unknown(spot, str(spot.value), LEVELS, file=file)
    if not file.is_sound or "support" not in top.entries:
        return {}
    missing = [name for name in STATUSES if name not in rows]
    if missing:
        _note(top.entries["support"], "collections.support", f"{missing[0]!r} is missing", "all standings", file=file)
        return {}
    said: dict[Status, SupportLevel] = {
        name: next(level for level in LEVELS if level == rows[name].value) for name in STATUSES
    }
    ranks = [LEVELS.index(one) for one in said.values()]
    if ranks != sorted(ranks) or ranks[0] != 0:
        what, expected = f"support {list(said.values())}", "never more for a worse standing, and all for a current one"
        _note(top.entries["support"], "collections.order", what, expected, file=file)
    return said


def _rows(spot: Spot, name: str) -> dict[str, Spot]:
    return spot.entries[name].entries if name in spot.entries else {}


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _note(spot: Spot, code: str, /, what: str, expected: str, *, file: File) -> None:
    file.problem(spot.at, code, what=what, expected=expected, fix="mend it")


def _unknown(spot: Spot, name: str, /, known: Sequence[str], *, file: File) -> None:
    fix = did_you_mean(name, known)
    file.problem(spot.at, "collections.unknown_name", what=repr(name), expected=", ".join(known), fix=fix)
