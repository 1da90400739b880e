from typing import Any

import msgspec
import pytest

from accordant.backbone.message import Ignored, Message, Told
from accordant.canonical.contract import ContractAmended
from accordant.canonical.opportunity import OpportunityWon
from accordant.kernel.errors import Malformed
from accordant.systems.salesforce.mapping import translate

ACCOUNT = {
    "Id": "001A",
    "Name": "Acme",
    "Industry": "medical",
    "BillingCountry": "Kenya",
    "Website": "https://www.acme.com/x",
}
WON = {
    "Id": "006A",
    "StageName": "Won",
    "Amount": "1054",
    "CloseDate": "3/1/2017",
    "CurrencyIsoCode": "USD",
    "AccountId": "001A",
    "SystemModstamp": "2026-11-21T12:00:00.123+0000",
    "Opportunity_Number__c": "N-1",
    "Product__c": "GTX Pro",
    "Account_Name__c": "Acme",
    "Account": ACCOUNT,
}


def message(row: dict[str, Any] | bytes, stream: str = "Opportunity") -> Message:
    body = row if isinstance(row, bytes) else msgspec.json.encode(row)
    return Message(
        message_id="m",
        tenant="t",
        connection="salesforce",
        stream=stream,
        delivery_id="006A@2026-11-21T12:00:00.123Z",
        body=body,
        received_at_ms=1_795_262_400_123,
        correlation_id="c",
    )


def told(**changes: Any) -> Told:
    found = translate(message({**WON, **changes}))
    assert isinstance(found, list)
    return found[0]


def refusal(**changes: Any) -> Malformed:
    with pytest.raises(Malformed) as refused:
        translate(message({**WON, **changes}))
    return refused.value


def test_a_won_deal_is_told() -> None:
    fact = told()
    assert isinstance(fact.fact, OpportunityWon)
    deal = fact.fact.opportunity
    assert (deal.opportunity_id, deal.source_id, deal.amount_text, deal.currency_word) == ("N-1", "006A", "1054", "USD")
    assert (deal.closed_on.isoformat(), deal.quantity, deal.product_word) == ("2017-03-01", 1, "GTX Pro")
    assert (deal.account.name, deal.account.country_word, deal.account.domain) == ("Acme", "Kenya", "acme.com")
    assert (fact.source_record, fact.subject, fact.orderingkey) == ("salesforce/Opportunity/006A", "N-1", "001A")
    assert fact.sequence == "2026-11-21T12:00:00.123Z 006A"
    assert fact.happened_at_ms % 1000 == 123


def test_the_record_id_stands_in_for_a_missing_number() -> None:
    assert told(Opportunity_Number__c=None).subject == "006A"


def test_amounts_stay_exact_and_are_never_floats() -> None:
    body = msgspec.json.encode(WON).replace(b'"1054"', b"1234567890.10")
    found = translate(message(body))
    assert isinstance(found, list)
    assert isinstance(found[0].fact, OpportunityWon)
    assert found[0].fact.opportunity.amount_text == "1234567890.10"


def test_parents_come_along() -> None:
    top = {"Id": "001C", "Name": "Top", "BillingCountry": "Kenya"}
    parent = {"Id": "001B", "Name": "Mid", "ParentId": "001C", "Parent": top}
    fact = told(Account={**ACCOUNT, "ParentId": "001B", "Parent": parent}).fact
    assert isinstance(fact, OpportunityWon)
    above = fact.opportunity.account.parent
    assert above is not None
    assert above.parent is not None
    assert (above.name, above.parent.name, above.parent.parent) == ("Mid", "Top", None)


@pytest.mark.parametrize("kind", ["Upgrade", "Downgrade"])
def test_an_amendment_is_told(kind: str) -> None:
    fact = told(Type=f"Existing Customer - {kind}", Amends_Opportunity__c="N-0", TotalOpportunityQuantity=3.0).fact
    assert isinstance(fact, ContractAmended)
    assert (fact.amendment.amends_opportunity_id, fact.amendment.quantity) == ("N-0", 3)


def test_an_upgrade_that_names_no_deal_is_a_deal_of_its_own() -> None:
    assert isinstance(told(Type="Existing Customer - Upgrade").fact, OpportunityWon)


@pytest.mark.parametrize("stage", ["Prospecting", "Engaging", "Lost", "Closed Lost", "Negotiation/Review"])
def test_open_and_lost_deals_tell_nothing(stage: str) -> None:
    bare = {"Id": "006A", "StageName": stage, "SystemModstamp": WON["SystemModstamp"], "Amount": "0"}
    assert translate(message(bare)) == Ignored(reason="not_won")


def test_other_streams_tell_nothing() -> None:
    assert translate(message(WON, stream="webhook")) == Ignored(reason="unknown_type")


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"StageName": "Wonn"}, "stage.unknown", "/StageName"),
        ({"StageName": None}, "stage.unknown", "/StageName"),
        ({"CloseDate": "31/31/2017"}, "date.format", "/CloseDate"),
        ({"CloseDate": "2017-02-29"}, "date.format", "/CloseDate"),
        ({"CloseDate": "2026-W53-1"}, "date.format", "/CloseDate"),
        ({"CloseDate": "9999-12-31"}, "date.suspicious", "/CloseDate"),
        ({"CloseDate": "1/1/1970"}, "date.suspicious", "/CloseDate"),
        ({"CloseDate": "0001-01-01"}, "date.suspicious", "/CloseDate"),
        ({"SystemModstamp": "2036-11-21T12:00:00Z"}, "time.future", "/SystemModstamp"),
        ({"SystemModstamp": "2026-11-21T12:00:00"}, "time.zone_missing", "/SystemModstamp"),
        ({"Account": {**ACCOUNT, "Name": " \u200b"}}, "name.empty", "/Account/Name"),
        ({"Account": {**ACCOUNT, "Name": "Ac\nme"}}, "text.control", "/Account/Name"),
        ({"Account": {**ACCOUNT, "Name": "x" * 256}}, "name.too_long", "/Account/Name"),
        ({"Account": {**ACCOUNT, "Name": "N/A"}}, "value.placeholder", "/Account/Name"),
        ({"CloseDate": "1.3.2017"}, "date.format", "/CloseDate"),
        ({"CloseDate": None}, "date.missing", "/CloseDate"),
        ({"StageName": "Lost", "CloseDate": "soon"}, "date.format", "/CloseDate"),
        ({"Amount": None}, "money.missing", "/Amount"),
        ({"Amount": "abc"}, "money.format", "/Amount"),
        ({"Amount": "1,054"}, "money.format", "/Amount"),
        ({"Amount": "1e3"}, "money.format", "/Amount"),
        ({"Amount": "١٢"}, "money.format", "/Amount"),
        ({"Amount": "-5"}, "money.negative", "/Amount"),
        ({"Amount": "0.00"}, "money.zero", "/Amount"),
        ({"StageName": "Lost", "Amount": "-5"}, "money.negative", "/Amount"),
        ({"TotalOpportunityQuantity": "1.5"}, "quantity.format", "/TotalOpportunityQuantity"),
        ({"TotalOpportunityQuantity": 0}, "quantity.format", "/TotalOpportunityQuantity"),
        ({"Product__c": None}, "product.missing", "/Product__c"),
        ({"CurrencyIsoCode": None}, "currency.missing", "/CurrencyIsoCode"),
        ({"Source_Row__c": "a,b", "StageName": None}, "row.malformed", "/Source_Row__c"),
        ({"Account": None, "AccountId": None, "Account_Name__c": "Nobody"}, "account.missing", "/Account_Name__c"),
        ({"Account": None, "AccountId": None, "Account_Name__c": None}, "account.missing", "/Account_Name__c"),
        ({"Account": {**ACCOUNT, "Parent_Name__c": "Nobody"}}, "account.missing", "/Account/Parent_Name__c"),
        ({"Account": {**ACCOUNT, "Source_Row__c": "a,b"}}, "row.malformed", "/Account/Source_Row__c"),
        ({"SystemModstamp": "yesterday"}, "time.syntax", "/SystemModstamp"),
    ],
)
def test_what_cannot_be_read_is_named(changes: dict[str, Any], code: str, field: str) -> None:
    error = refusal(**changes)
    assert (error.code, error.detail["field"], error.detail["record"]) == (code, field, "N-1")
    assert error.detail["expected"]
    assert "N-1" in error.message


def test_an_unknown_stage_lists_what_is_allowed() -> None:
    error = refusal(StageName="Wonn")
    assert error.detail["value"] == "Wonn"
    assert "Closed Won" in error.detail["expected"]


def test_long_values_are_cut() -> None:
    assert len(refusal(Amount="x" * 500).detail["value"]) == 100


def test_a_hierarchy_too_deep_is_refused_and_not_cut() -> None:
    top = {"Id": "001C", "Name": "Top", "ParentId": "001D"}
    parent = {"Id": "001B", "Name": "Mid", "ParentId": "001C", "Parent": top}
    error = refusal(Account={**ACCOUNT, "ParentId": "001B", "Parent": parent})
    assert (error.code, error.detail["field"]) == ("account.too_deep", "/Account/Parent/Parent/ParentId")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"Id":1,"Id":2}', b'{"StageName":"\xff"}'])
def test_a_body_that_is_no_row_is_named_by_its_delivery(body: bytes) -> None:
    with pytest.raises(Malformed) as refused:
        translate(message(body))
    assert refused.value.detail["record"] == "006A"


@pytest.mark.parametrize(
    "changes",
    [
        {"SystemModstamp": "2026-11-21T13:00:00.000+0000"},
        {"Accordant_Status__c": "in step", "Accordant_Reason__c": "x", "Accordant_Transaction__c": "tx-1"},
    ],
)
def test_our_own_write_does_not_change_the_content(changes: dict[str, Any]) -> None:
    assert told(**changes).content == told().content


@pytest.mark.parametrize(
    "changes",
    [
        {"StageName": "Closed Won"},
        {"Product__c": "GTX Basic"},
        {"AccountId": "001Z"},
        {"Amount": "1055"},
        {"CurrencyIsoCode": "EUR"},
        {"TotalOpportunityQuantity": 2},
        {"CloseDate": "3/2/2017"},
        {"Type": "New Customer"},
        {"Amends_Opportunity__c": "N-0"},
        {"Account": {**ACCOUNT, "Name": "Acme Inc"}},
        {"Account": {**ACCOUNT, "BillingCountry": "Korea"}},
        {"Account": {**ACCOUNT, "ParentId": "001B", "Parent": {"Id": "001B", "Name": "Mid"}}},
    ],
)
def test_every_commercial_field_changes_the_content(changes: dict[str, Any]) -> None:
    assert told(**changes).content != told().content
