from datetime import date
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accordant.governance.estate import Estate, ReferenceRow
from accordant.governance.estate_files import load_estate
from accordant.governance.policies import Policies
from accordant.kernel.errors import Unmapped
from accordant.masterdata.reference import resolve

DAY = date(2017, 3, 1)
PRODUCTS = ("MG Special", "GTX Plus Pro", "GTX Basic", "GTX Pro", "GTK 500", "GTX Plus Basic", "MG Advanced")


def estate(*rows: ReferenceRow) -> Estate:
    by_value: dict[str, tuple[ReferenceRow, ...]] = {}
    for row in rows:
        by_value[row.value] = (*by_value.get(row.value, ()), row)
    owners = {"reference.product": "product operations"}
    return Estate(version=1, tables={"product": by_value}, policies=Policies(exceptions={}), ownership=owners)


def row(value: str, target: str = "T", **days: date) -> ReferenceRow:
    return msgspec.structs.replace(ReferenceRow(value=value, target=target, owner="o"), **days)


def refusal(it: Estate, value: str, *, table: str = "product") -> Unmapped:
    with pytest.raises(Unmapped) as refused:
        resolve(it, table, value=value, on=DAY)
    return refused.value


def test_an_unmapped_value_names_table_value_owner_and_the_nearest() -> None:
    refused = refusal(estate(*(row(name) for name in PRODUCTS)), "GTXPro")
    assert refused.code == "map.missing"
    assert refused.detail == {
        "table": "product",
        "value": "GTXPro",
        "owner": "product operations",
        "candidates": ["GTX Pro", "GTX Plus Pro", "GTX Basic"],
        "on": "2017-03-01",
    }
    for part in ("'product'", "'GTXPro'", "product operations", "'GTX Pro'"):
        assert part in refused.message


@pytest.mark.parametrize("value", ["gtx pro", "GTX Pro ", " GTX Pro", "GTX  Pro", "GTX Pro\u200b", "GTX\u00a0Pro", ""])
def test_only_the_very_same_letters_match(value: str) -> None:
    assert refusal(estate(row("GTX Pro")), value).detail["candidates"] == ["GTX Pro"]


def test_a_value_that_held_once_says_so() -> None:
    refused = refusal(estate(row("GTX Pro", effective_to=DAY), row("Other", effective_from=DAY)), "GTX Pro")
    assert "no row of it holds on 2017-03-01" in refused.message
    assert refused.detail["candidates"] == ["Other"]


def test_two_meanings_on_one_day_are_no_meaning() -> None:
    refused = refusal(estate(row("X", "B"), row("X", "A")), "X")
    assert refused.code == "map.ambiguous"
    assert refused.detail["candidates"] == ["A", "B"]
    assert refused.detail["owner"] == "product operations"


def test_a_table_that_is_not_there_is_an_unmapped_value() -> None:
    refused = refusal(estate(), "1", table="tax_code")
    assert refused.code == "map.missing"
    assert refused.detail["owner"] == "master data"


def test_the_demo_estate_resolves_what_it_owns(folder: Path) -> None:
    it = load_estate(folder)
    assert resolve(it, "country", value="Philipines", on=DAY).target == "PH"
    assert resolve(it, "product", value="Insight Pro", on=DAY).attributes["service_tier"] == "plus"
    with pytest.raises(Unmapped):
        resolve(it, "product", value="InsightPro", on=DAY)


@given(st.lists(st.text(max_size=6), max_size=6), st.text(max_size=6))
def test_never_a_default(known: list[str], value: str) -> None:
    it = estate(*(row(name, target=f"T{name}") for name in dict.fromkeys(known)))
    if value in known:
        assert resolve(it, "product", value=value, on=DAY).target == f"T{value}"
    else:
        refused = refusal(it, value)
        assert set(refused.detail["candidates"]) <= set(known)
        assert msgspec.json.encode(refused.as_dict())
