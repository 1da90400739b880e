"""The seeded company and its truth: the same for a seed, complete, and worked out apart from the product."""

import re
from collections import Counter
from typing import Any

from accordant.kernel.ids import canonical_id
from accordant.kernel.money import parse_money
from accordant.proving import truth
from accordant.proving.workload import MISSPELT, SLIPPED, UNSOLD, Workload, minor_units


def sold(seed: int = 3, *, batches: int = 12) -> tuple[Workload, list[dict[str, Any]]]:
    """A company in which everything goes at once: what is told is in step, or blocked, before the next batch."""
    company, rows = Workload(seed), list[dict[str, Any]]()
    for _ in range(batches):
        told = company.batch(50)["Opportunity"]
        rows += told
        for row in told:
            number = row["Opportunity_Number__c"]
            mended = company.blocked(number, row)
            for one in (mended, company.in_step(number, mended or row) if row["StageName"] == "Closed Won" else None):
                rows += [one] if one else []
    rows += company.batch(0)["Opportunity"]
    return company, rows


def test_equal_seeds_tell_equal_stories_and_others_do_not() -> None:
    assert sold(3)[1] == sold(3)[1]
    assert sold(3)[1] != sold(4)[1]


def test_every_kind_of_deal_comes_up() -> None:
    company, rows = sold()
    kinds = Counter(deal.kind for deal in company.deals.values())
    assert set(kinds) == truth_kinds()
    words = {row["Product__c"] for row in rows}
    assert {MISSPELT, SLIPPED, UNSOLD} <= words
    assert company.corrected
    assert any(account.parent is not None for account in company.accounts)
    assert len({account.currency for account in company.accounts}) > 4


def truth_kinds() -> set[str]:
    from typing import get_args

    from accordant.proving.workload import Kind

    return set(get_args(Kind))


def test_ids_names_and_websites_are_nobody_elses() -> None:
    company, rows = sold()
    assert len({account.name for account in company.accounts}) == len(company.accounts)
    by_id: dict[str, set[str]] = {}
    for row in rows:
        by_id.setdefault(row["Id"], set()).add(row["Opportunity_Number__c"])
    assert all(len(numbers) == 1 for numbers in by_id.values())
    assert all(re.fullmatch(r"006VR\d{10}YAA", native_id) for native_id in by_id)


def test_the_truth_names_things_as_the_platform_does_without_asking_it() -> None:
    assert truth.name_of("order", "D-000001") == canonical_id("order", "D-000001")
    assert truth.name_of("customer", "demo", "crm", "001") == canonical_id("customer", "demo", "crm", "001")


def test_amounts_in_the_crm_are_the_minor_units_of_the_truth() -> None:
    company, rows = sold()
    for row in rows:
        deal = company.deals[row["Opportunity_Number__c"]]
        minor = parse_money(row["Amount"], row["CurrencyIsoCode"]).amount_minor
        assert minor == minor_units(row["Amount"], row["CurrencyIsoCode"])
        assert minor in {deal.amount_minor, deal.amount_minor * 2}
    assert any(row["CurrencyIsoCode"] == "JPY" for row in rows)


def test_every_deal_that_goes_through_reaches_billing_and_the_books_once() -> None:
    company, _ = sold()
    writes = truth.expected_writes(company)
    made = Counter((one.system, one.kind, one.business_id) for one in writes if one.change == "create")
    assert max(made.values()) == 1
    carried = [deal for deal in company.deals.values() if deal.kind not in {"not_won", "unsold"}]
    lines = [one for one in writes if one.kind in {"subscription", "order"}]
    assert len(lines) == 2 * len(carried)
    assert sum(one.amount_minor or 0 for one in lines if one.system == "billing") == sum(
        one.amount_minor or 0 for one in lines if one.system == "erp"
    )


def test_an_expansion_is_the_second_version_of_what_was_sold() -> None:
    company, _ = sold()
    (deal, *_) = [deal for deal in company.deals.values() if deal.amends]
    (changed,) = [
        one for one in truth.expected_writes(company) if (one.transaction, one.system) == (deal.number, "billing")
    ][:1]
    assert (changed.business_id, changed.version) == (truth.name_of("subscription", deal.amends), 2)
    assert company.deals[deal.amends].account == deal.account


def test_what_nobody_sells_is_expected_nowhere_but_in_the_crm() -> None:
    company, _ = sold()
    unsold = {deal.number for deal in company.deals.values() if deal.kind == "unsold"}
    systems = {one.system for one in truth.expected_writes(company) if one.transaction in unsold}
    assert unsold
    assert systems == {"crm"}
    assert {number: code for number, code in truth.left_open(company).items() if code == "map.missing"}.keys() == unsold


def test_a_parent_is_opened_with_the_first_deal_of_its_family_and_has_no_support_of_its_own() -> None:
    company, _ = sold(batches=1)
    opened = {one.business_id for one in truth.expected_writes(company) if one.kind == "customer"}
    entitled = {one.business_id for one in truth.final_entitlements(company)}
    parents = {
        truth.customer_of(company.accounts[parent])
        for deal in company.deals.values()
        if deal.kind not in {"not_won", "unsold"}
        for parent in [company.accounts[deal.account].parent]
        if parent is not None
    }
    assert parents <= opened
    assert entitled <= opened


def test_a_deal_is_corrected_once_however_often_it_is_said_to_be_in_step() -> None:
    company, _ = sold()
    assert all(company.in_step(number, {}) is None for number in company.deals)
