from datetime import date, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from accordant.governance.estate import Estate, ReferenceRow, same_content
from accordant.governance.policies import ExceptionPolicy, Policies
from accordant.governance.reference_change import placed

FALLBACK = ExceptionPolicy(cause_class="technical", owner="operators", severity="low", deadline_h=1, runbook="r")
DAYS = st.dates(date(2020, 1, 1), date(2020, 3, 1))


def row(value: str = "w", target: str = "T", **more: object) -> ReferenceRow:
    return msgspec.convert({"value": value, "target": target, "owner": "o", **more}, ReferenceRow)


def estate(*rows: ReferenceRow, **more: dict[str, str]) -> Estate:
    by_value: dict[str, tuple[ReferenceRow, ...]] = {}
    for each in rows:
        by_value[each.value] = (*by_value.get(each.value, ()), each)
    policies = Policies(exceptions={"*": FALLBACK})
    return Estate(version=1, tables={"words": by_value}, policies=policies, ownership=more.get("ownership", {}))


@st.composite
def periods(draw: st.DrawFn, target: str) -> ReferenceRow:
    begin = draw(st.none() | DAYS)
    end = draw(st.none() | (DAYS if begin is None else st.dates(begin + timedelta(1), date(2020, 4, 1))))
    return ReferenceRow(value="w", target=target, owner="o", effective_from=begin, effective_to=end)


def test_a_row_holds_from_its_first_day_and_no_longer_on_its_last() -> None:
    it = estate(row(effective_from="2020-01-10", effective_to="2020-01-20"))
    held = {day: it.row("words", "w", on=date(2020, 1, day)) is not None for day in (9, 10, 19, 20)}
    assert held == {9: False, 10: True, 19: True, 20: False}


def test_two_rows_that_contradict_each_other_are_no_answer() -> None:
    it = estate(row(target="A"), row(target="B"))
    assert it.row("words", "w", on=date(2020, 1, 1)) is None
    assert len(it.effective("words", "w", on=date(2020, 1, 1))) == 2


def test_the_owner_is_the_one_named_for_the_table_before_the_one_of_a_row() -> None:
    assert estate(row()).owner_of("words") == "o"
    assert estate(row(), ownership={"reference.words": "named"}).owner_of("words") == "named"
    assert estate().owner_of("nothing") == "master data"


def test_a_field_without_a_row_follows_its_noun() -> None:
    it = estate(ownership={"customer": "crm", "customer.legal_entity": "erp"})
    assert it.system_of_record("customer.legal_entity") == "erp"
    assert it.system_of_record("customer.name") == "crm"
    assert it.system_of_record("planet.name") is None


@given(st.lists(st.sampled_from("ABC").flatmap(periods), max_size=4), DAYS)
def test_an_estate_survives_its_json(rows: list[ReferenceRow], day: date) -> None:
    it = estate(*rows)
    again = msgspec.json.decode(msgspec.json.encode(it), type=Estate)
    assert again == it
    assert again.effective("words", "w", on=day) == it.effective("words", "w", on=day)
    assert same_content(it, msgspec.structs.replace(again, version=7))


@given(st.lists(periods("old"), max_size=1), periods("second"), periods("new"), DAYS)
def test_a_new_row_takes_its_days_and_leaves_the_others(
    rows: list[ReferenceRow], second: ReferenceRow, new: ReferenceRow, day: date
) -> None:
    before = placed(rows, second)
    after = placed(before, new)
    expected = [new.target] if new.is_effective(day) else [r.target for r in before if r.is_effective(day)]
    assert [r.target for r in after if r.is_effective(day)] == expected


def test_the_longest_part_of_a_code_decides() -> None:
    def policy(owner: str) -> ExceptionPolicy:
        return msgspec.structs.replace(FALLBACK, owner=owner)

    policies = Policies(
        exceptions={
            "*": policy("any"),
            "vendor": policy("v"),
            "vendor.rejected.erp": policy("e"),
            "money.*": policy("m"),
        }
    )
    asked = (
        "vendor.rejected.erp",
        "vendor.rejected.erp.line",
        "vendor.rejected",
        "vendors",
        "money.format",
        "money",
        "",
    )
    assert [policies.for_exception(code).owner for code in asked] == ["e", "e", "v", "any", "m", "m", "any"]
    assert policies.for_flow("unknown").on_failure == "hold"
