"""The sandbox as a public client sees it that knows nothing of us."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from simple_salesforce.exceptions import (
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceResourceNotFound,
)

from tests.systems.salesforce.org import Org, outside_client, outside_type


async def outside(org: Org, use: Callable[[Any], Any]) -> Any:
    token = await org.token()
    return await asyncio.to_thread(lambda: use(outside_client(org.url, token)))


async def test_create_read_change_delete(org: Org) -> None:
    def use(sf: Any) -> None:
        deals = outside_type(sf, "Opportunity")
        made = deals.create({"Name": "Big", "StageName": "Prospecting", "CloseDate": "2026-12-01", "Amount": 10.5})
        assert made["success"] is True
        assert made["errors"] == []
        deal_id = made["id"]
        assert len(deal_id) == 18
        assert deals.update(deal_id, {"StageName": "Won"}) == 204
        held = deals.get(deal_id)
        assert held["StageName"] == "Won"
        assert held["Amount"] == 10.5
        assert held["attributes"]["type"] == "Opportunity"
        assert deals.get(deal_id[:15])["Id"] == deal_id
        assert deals.delete(deal_id) == 204
        with pytest.raises(SalesforceResourceNotFound):
            deals.get(deal_id)

    await outside(org, use)
    assert [line["change"] for line in org.ledger()] == ["create", "update", "delete"]
    assert {line["kind"] for line in org.ledger()} == {"opportunity"}


async def test_upsert_by_external_id_creates_once(org: Org) -> None:
    body = {"Name": "Big", "StageName": "Won", "CloseDate": "2026-12-01", "CurrencyIsoCode": "USD", "Amount": "1054"}

    def use(sf: Any) -> None:
        deals = outside_type(sf, "Opportunity")
        assert deals.upsert("Opportunity_Number__c/N-1", body) == 201
        assert deals.upsert("Opportunity_Number__c/N-1", body) == 200
        assert deals.get_by_custom_id("Opportunity_Number__c", "N-1")["Name"] == "Big"

    await outside(org, use)
    lines = org.ledger()
    assert [line["change"] for line in lines] == ["create", "update"]
    assert lines[0]["business_id"] == "N-1"
    assert (lines[0]["amount_minor"], lines[0]["currency"]) == (105400, "USD")


async def test_an_external_id_of_two_records_is_ambiguous(org: Org) -> None:
    body = {"Name": "Big", "StageName": "Won", "CloseDate": "2026-12-01", "Opportunity_Number__c": "N-1"}

    def use(sf: Any) -> None:
        deals = outside_type(sf, "Opportunity")
        deals.create(body)
        deals.create(body)
        with pytest.raises(SalesforceMoreThanOneRecord):
            deals.upsert("Opportunity_Number__c/N-1", {"Name": "Other"})

    await outside(org, use)
    assert len(org.ledger()) == 2


async def test_query_all_pages(org: Org) -> None:
    org.sandbox.load({"Account": [{"Id": f"001{n:012d}AAA", "Name": f"A{n:04d}"} for n in range(4500)]})

    def use(sf: Any) -> None:
        first = sf.query("SELECT Id, Name FROM Account ORDER BY Name")
        assert (first["totalSize"], first["done"], len(first["records"])) == (4500, False, 2000)
        page = sf.query("SELECT Id, Name FROM Account ORDER BY Name DESC")
        names = [row["Name"] for row in page["records"]]
        while not page["done"]:
            page = sf.query_more(page["nextRecordsUrl"].rpartition("/")[2])
            names += [row["Name"] for row in page["records"]]
        assert names == sorted(names, reverse=True)
        assert len(set(names)) == 4500

    await outside(org, use)


async def test_a_wrong_query_says_where(org: Org) -> None:
    def use(sf: Any) -> None:
        wrong: Any
        with pytest.raises(SalesforceMalformedRequest) as wrong:
            sf.query("SELECT Id, Colour FROM Account")
        assert wrong.value.content[0]["errorCode"] == "INVALID_FIELD"
        with pytest.raises(SalesforceMalformedRequest) as wrong:
            sf.query("SELECT Id FROM Account WHERE")
        assert wrong.value.content[0]["errorCode"] == "MALFORMED_QUERY"

    await outside(org, use)


async def test_expired_tokens_are_refused(org: Org) -> None:
    token = await org.token()
    org.sandbox.expire_tokens()
    with pytest.raises(SalesforceExpiredSession) as refused:
        await asyncio.to_thread(outside_client(org.url, token).query, "SELECT Id FROM Account")
    assert refused.value.content == [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]


async def test_limits_and_describe(org: Org) -> None:
    def use(sf: Any) -> None:
        assert sf.limits()["DailyApiRequests"]["Max"] == 100_000
        described = outside_type(sf, "Opportunity").describe()
        types = {field["name"]: field["type"] for field in described["fields"]}
        assert types["Amount"] == "currency"
        assert "SystemModstamp" in types
        assert {one["name"] for one in sf.describe()["sobjects"]} >= {"Account", "Opportunity"}
        assert sf.api_usage["api-usage"].total == 100_000

    await outside(org, use)
