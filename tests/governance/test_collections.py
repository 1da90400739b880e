"""What follows when a customer does not pay: each border from both sides, working days, clocks, and a strict file."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from accordant.canonical.invoice import OpenInvoice
from accordant.governance.collections import Collections, Ladder, Step, judge, steps_of
from accordant.governance.demo_estate import install
from accordant.governance.estate_files import load_estate
from accordant.governance.working_days import Calendar, instant_after, working_day
from accordant.kernel.errors import Misconfigured
from accordant.kernel.ids import canonical_json
from accordant.kernel.money import Money

UTC_DAYS = Calendar(country="US", time_zone="UTC", at="00:00")
BERLIN = Calendar(country="DE", time_zone="Europe/Berlin")
NEW_YORK = Calendar(country="US", time_zone="America/New_York")
PLAIN = Ladder(
    business_days=False,
    failed_attempts={"past due": 1, "on hold": 3, "suspended": 6},
    steps=(
        Step(name="first reminder", after="3d", remind=True),
        Step(name="hold", after="20d", standing="on hold"),
        Step(name="suspension", after="30d", standing="suspended"),
    ),
)
DAY_MS = 86_400_000


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def owed(due: str | None, *, attempts: int = 0, number: str = "F-1") -> OpenInvoice:
    return OpenInvoice(
        number=number,
        source_id=f"in_{number}",
        remaining=Money(50_00, "USD"),
        due_at_ms=at(due) if due else None,
        attempts=attempts,
    )


@pytest.mark.parametrize(
    ("now", "status"),
    [
        ("2026-11-30T23:59:59.999+00:00", "current"),
        ("2026-12-01T00:00:00+00:00", "past due"),
        ("2026-12-20T23:59:59.999+00:00", "past due"),
        ("2026-12-21T00:00:00+00:00", "on hold"),
        ("2026-12-30T23:59:59.999+00:00", "on hold"),
        ("2026-12-31T00:00:00+00:00", "suspended"),
    ],
)
def test_days_overdue_lead_to_a_standing(now: str, status: str) -> None:
    found = judge(PLAIN, UTC_DAYS, invoices=[owed("2026-12-01T00:00:00+00:00")], at_ms=at(now))
    assert found.status == status
    assert ("F-1" in found.reason) == (status != "current")


@pytest.mark.parametrize(
    ("attempts", "status"),
    [(0, "current"), (1, "past due"), (2, "past due"), (3, "on hold"), (5, "on hold"), (6, "suspended")],
)
def test_failed_charges_lead_to_a_standing(attempts: int, status: str) -> None:
    assert judge(PLAIN, UTC_DAYS, invoices=[owed(None, attempts=attempts)], at_ms=0).status == status


def test_the_worst_invoice_counts_and_nothing_owed_is_current() -> None:
    invoices = [owed("2026-12-01T00:00:00+00:00"), owed("2026-11-01T00:00:00+00:00", number="F-0"), owed(None)]
    found = judge(PLAIN, UTC_DAYS, invoices=invoices, at_ms=at("2026-12-02T00:00:00+00:00"))
    assert (found.status, "F-0" in found.reason) == ("suspended", True)
    assert judge(PLAIN, UTC_DAYS, invoices=[], at_ms=at("2026-12-02T00:00:00+00:00")).status == "current"


@pytest.mark.parametrize(
    ("since", "after", "calendar", "expected"),
    [
        # Friday 23:30 in Berlin is Friday there, whatever UTC says; three days on is Monday.
        ("2026-11-27T22:30:00+00:00", "3d", BERLIN, "2026-11-30T09:00:00+01:00"),
        # A Sunday moves to Monday, Christmas and the days after it to Monday the 28th.
        ("2026-11-26T12:00:00+00:00", "3d", BERLIN, "2026-11-30T09:00:00+01:00"),
        ("2026-12-22T12:00:00+00:00", "3d", BERLIN, "2026-12-28T09:00:00+01:00"),
        # Thanksgiving is worked in Germany and not in the United States.
        ("2026-11-23T17:00:00+00:00", "3d", BERLIN, "2026-11-26T09:00:00+01:00"),
        ("2026-11-23T17:00:00+00:00", "3d", NEW_YORK, "2026-11-27T09:00:00-05:00"),
        # Across the change of the clocks it is nine o'clock there, not so many hours later.
        ("2026-03-27T12:00:00+00:00", "3d", BERLIN, "2026-03-30T09:00:00+02:00"),
        ("2026-10-23T12:00:00+00:00", "3d", BERLIN, "2026-10-26T09:00:00+01:00"),
        # Hours and seconds pass as they pass, on any day.
        ("2026-03-29T00:30:00+00:00", "2h", BERLIN, "2026-03-29T02:30:00+00:00"),
        ("2026-11-29T12:00:00+00:00", "5s", BERLIN, "2026-11-29T12:00:05+00:00"),
    ],
)
def test_a_step_is_due_on_a_working_day_by_the_clock_there(
    since: str, after: str, calendar: Calendar, expected: str
) -> None:
    found = instant_after(at(since), after, calendar=calendar, business_days=True)
    assert datetime.fromtimestamp(found / 1000, UTC) == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    ("hour", "day", "expected"),
    [
        ("02:30", "2026-03-29", "2026-03-29T01:30:00+00:00"),  # left out: 03:30 summer time
        ("02:30", "2026-10-25", "2026-10-25T00:30:00+00:00"),  # twice: the first of them
    ],
)
def test_an_hour_that_the_clock_leaves_out_or_repeats(hour: str, day: str, expected: str) -> None:
    calendar = Calendar(country="DE", time_zone="Europe/Berlin", at=hour)
    found = instant_after(at(f"{day}T00:00:00+00:00"), "0d", calendar=calendar, business_days=False)
    assert datetime.fromtimestamp(found / 1000, UTC) == datetime.fromisoformat(expected)


def test_where_the_company_does_not_care_a_sunday_is_a_day() -> None:
    found = instant_after(at("2026-11-26T12:00:00+00:00"), "3d", calendar=BERLIN, business_days=False)
    assert datetime.fromtimestamp(found / 1000, UTC).date() == date(2026, 11, 29)


def test_holidays_of_a_part_of_a_country_count_there_only() -> None:
    epiphany = date(2026, 1, 6)
    assert working_day(epiphany, country="DE") == epiphany
    assert working_day(epiphany, country="DE", region="BY") == date(2026, 1, 7)


def test_the_first_ladder_that_fits_counts() -> None:
    ladders = (
        Ladder(name="ours", legal_entities=("EU01",), service_tiers=("premium",)),
        Ladder(name="premium", service_tiers=("premium",)),
        Ladder(name="rest"),
    )
    found = Collections(ladders=ladders)
    assert found.ladder_of("EU01", "premium").name == "ours"
    assert found.ladder_of("US01", "premium").name == "premium"
    assert found.ladder_of("EU01", "standard").name == "rest"
    assert Collections().ladder_of("EU01", "premium").steps == ()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    install(tmp_path)
    return tmp_path


def test_the_demo_estate_reads_as_it_is_kept(folder: Path) -> None:
    import msgspec

    from accordant.governance.estate import Estate

    estate = load_estate(folder)
    assert msgspec.json.decode(canonical_json(estate), type=Estate) == estate
    names = [one.name for one in estate.collections.ladder_of("US01", "premium").steps]
    assert names == ["first reminder", "second reminder", "third reminder", "hold", "suspension"]
    ladder = estate.collections.ladder_of("US01", "standard")
    due = steps_of(ladder, estate.collections.calendar_of("US01"), due_at_ms=at("2026-11-02T12:00:00+00:00"))
    assert [one.name for one in due] == ["first reminder", "second reminder", "hold", "suspension"]
    assert datetime.fromtimestamp(due[0].at_ms / 1000, UTC) == datetime(2026, 11, 5, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("time_zone: Europe/Berlin", "time_zone: Europe/Berlim", "collections.time_zone"),
        ("country: DE", "country: Germany", "collections.country"),
        ("region: NSW", "region: BY", "collections.country"),
        ('zone: Europe/Berlin, at: "09:00"', 'zone: Europe/Berlin, at: "9"', "collections.hour"),
        ("EU01:", "EU02:", "collections.unknown_name"),
        ("service_tiers: [premium]", "legal_entities: [EU99]", "collections.unknown_name"),
        ("hold: {after: 20d", "hold: {after: 20 days", "collections.after"),
        ("hold: {after: 20d", "hold: {after: 9d", "collections.order"),
        ("{after: 30d, standing: suspended}", "{after: 30d, standing: past due}", "collections.order"),
        ("{past due: 1, on hold: 3}", "{past due: 3, on hold: 3}", "collections.order"),
        ("{past due: 1, on hold: 3}", "{past due: 0, on hold: 3}", "collections.order"),
        ("standing: suspended}\n  everybody", "standing: suspend}\n  everybody", "config.value"),
        ("  everybody else:", "  everybody else:\n    service_tiers: [plus]", "collections.no_last"),
        ('  "*": {country', "  XX: {country", "collections.unknown_name"),
        ("  on hold: limited", "  on hold: as contracted\n  in hold: limited", "collections.unknown_name"),
        ("  on hold: limited", "  on hold: less", "collections.unknown_name"),
        ("  on hold: limited\n", "", "collections.support"),
        ("  current: as contracted", "  current: limited", "collections.order"),
        ("limited_response_minutes: 2880", "limited_response_minutes: -1", "collections.minutes"),
        ("ttl_s: 300", "ttl_s: 0", "collections.ttl"),
        ("unreachable: limited", "unreachable: eligible", "config.value"),
        ("freshness:", "freshnes:", "config.unknown_key"),
    ],
)
def test_every_slip_is_named_with_its_place(folder: Path, old: str, new: str, code: str) -> None:
    file = folder / "collections.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(Misconfigured) as refused:
        load_estate(folder)
    found: list[str] = refused.value.detail["problems"]
    assert any(f": {code}: " in one and one.startswith("collections.yaml:") for one in found), found


def test_an_estate_without_the_file_lets_nobody_down(folder: Path) -> None:
    (folder / "collections.yaml").unlink()
    found = load_estate(folder).collections
    now_ms = at("2026-12-01T00:00:00+00:00") + 900 * DAY_MS
    judged = judge(
        found.ladder_of("US01", "plus"),
        found.calendar_of("US01"),
        invoices=[owed("2026-12-01T00:00:00+00:00")],
        at_ms=now_ms,
    )
    assert judged.status == "past due"
    assert found.support_at(judged.status) == "as contracted"
