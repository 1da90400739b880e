from pathlib import Path

import pytest

from accordant.kernel.errors import Malformed, Misconfigured
from accordant.systems.salesforce.sandbox.export import records_from_export
from accordant.systems.salesforce.sandbox.native_ids import normalized

ACCOUNTS = """account,sector,year_established,revenue,employees,office_location,subsidiary_of
Acme,medical,1996,1100.04,2822,Kenya,
Bolt,technolgy,1999,251.41,495,Philipines,Acme
"""
DEALS = """opportunity_id,sales_agent,product,account,deal_stage,engage_date,close_date,close_value
A1,Moses,GTX Pro,Acme,Won,10/20/2016,3/1/2017,1054
A2,Moses,GTXPro,Nobody,Won,10/20/2016,31/31/2017,abc
A3,Moses,MG Special,,Prospecting,,,
"""
PRODUCTS = "product,series,sales_price\nGTX Pro,GTX,4821\n"


def export(directory: Path, *, accounts: str = ACCOUNTS, deals: str = DEALS) -> Path:
    (directory / "accounts.csv").write_bytes(b"\xef\xbb\xbf" + accounts.encode())
    (directory / "sales_pipeline.csv").write_text(deals)
    (directory / "products.csv").write_text(PRODUCTS)
    return directory


def test_accounts_parents_deals_and_products(tmp_path: Path) -> None:
    found = records_from_export(export(tmp_path))
    acme, bolt = found["Account"]
    assert (acme["Name"], bolt["ParentId"], bolt["BillingCountry"]) == ("Acme", acme["Id"], "Philipines")
    first, second, third = found["Opportunity"]
    assert (first["AccountId"], first["Amount"], first["CloseDate"]) == (acme["Id"], "1054", "3/1/2017")
    assert first["CurrencyIsoCode"] == "USD"
    assert (second.get("AccountId"), second["Account_Name__c"], second["CloseDate"]) == (None, "Nobody", "31/31/2017")
    assert (third["StageName"], "Amount" in third) == ("Prospecting", False)
    assert found["Product2"][0]["List_Price__c"] == "4821"


def test_ids_are_valid_and_the_same_every_time(tmp_path: Path) -> None:
    first, again = records_from_export(export(tmp_path)), records_from_export(tmp_path)
    assert first == again
    ids = [record["Id"] for records in first.values() for record in records]
    assert len(set(ids)) == len(ids)
    assert all(normalized(one) == one for one in ids)


@pytest.mark.parametrize(
    "broken", ["A9,too,short", "A9,a,b,c,Won,e,f,7,too many", 'A9,"open,GTX Pro,Acme,Won,,3/1/2017,5']
)
def test_a_row_that_does_not_fit_keeps_its_text_and_spoils_no_other(tmp_path: Path, broken: str) -> None:
    lines: list[str] = list(DEALS.splitlines())
    lines.insert(2, broken)
    deals = records_from_export(export(tmp_path, deals="\n".join(lines)))["Opportunity"]
    assert [deal.get("Source_Row__c") for deal in deals] == [None, broken, None, None]
    assert [deal["Opportunity_Number__c"] for deal in deals] == ["A1", "A9", "A2", "A3"]


def test_a_malformed_account_row_does_not_stop_the_load(tmp_path: Path) -> None:
    found = records_from_export(export(tmp_path, accounts=ACCOUNTS + "Crux,short\n"))
    assert found["Account"][2]["Source_Row__c"] == "Crux,short"
    assert len(found["Opportunity"]) == 3


def test_a_quoted_cell_may_hold_a_line_break(tmp_path: Path) -> None:
    deals = DEALS + '"A4","Mo\nses",GTX Pro,"Acme",Won,,3/1/2017,"1,054"\n'
    last = records_from_export(export(tmp_path, deals=deals))["Opportunity"][-1]
    assert (last["Opportunity_Number__c"], last["Amount"], last.get("Source_Row__c")) == ("A4", "1,054", None)


def test_a_duplicate_id_names_both_lines(tmp_path: Path) -> None:
    with pytest.raises(Malformed) as refused:
        records_from_export(export(tmp_path, deals=DEALS + "A1,Moses,GTX Pro,Acme,Won,,3/1/2017,1\n"))
    assert refused.value.detail["lines"] == [2, 5]
    assert "line 2" in refused.value.message
    assert "line 5" in refused.value.message


def test_a_missing_file_or_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"accounts\.csv"):
        records_from_export(tmp_path)
    with pytest.raises(Misconfigured, match="close_value"):
        records_from_export(export(tmp_path, deals=DEALS.replace("close_value", "value")))
