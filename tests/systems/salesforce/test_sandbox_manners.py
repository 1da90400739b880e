import re
import time
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from accordant.connector.sandbox import Fault, FaultPlan, SandboxOptions, serve
from accordant.connector.sandbox.faults import FaultKind
from accordant.systems.salesforce.sandbox import AUDIENCE, CLIENT_ID, USERNAME
from accordant.systems.salesforce.sandbox.native_ids import id_from_key, normalized, with_suffix
from accordant.systems.salesforce.sandbox.server import SalesforceSandbox
from tests.systems.salesforce.org import ROOT, Org, secrets

DEAL = {"Name": "Big", "StageName": "Won", "CloseDate": "2026-12-01"}


def deals(count: int) -> list[dict[str, str]]:
    return [{"Id": id_from_key("006", str(n)), "Opportunity_Number__c": f"N-{n:05d}", **DEAL} for n in range(count)]


def test_the_suffix_of_ids_is_the_vendors() -> None:
    for recorded in ("0015500001QdRaYAAV", "0035500001H9dBLAAZ", "0017e00001W4GYRAA3", "0012300000bVTq1AAG"):
        assert with_suffix(recorded[:15]) == recorded
    assert normalized("0015500001QdRaYAAX") is None


async def test_sign_in_is_refused_where_wrong(org: Org) -> None:
    grant = {"grant_type": "client_credentials"}
    assert (await org.form(grant | secrets() | {"client_id": "x"}))[1]["error"] == "invalid_client_id"
    assert (await org.form(grant | secrets() | {"client_secret": "x"}))[1]["error"] == "invalid_client"
    assert (await org.form({"grant_type": "password"}))[1]["error"] == "unsupported_grant_type"
    status, _, body = await org.call("GET", f"{ROOT}/limits", headers={"Authorization": "Bearer x"})
    assert (status, body[0]["errorCode"]) == (401, "INVALID_SESSION_ID")


@pytest.mark.parametrize(
    ("claims", "granted"),
    [({}, True), ({"aud": "https://elsewhere"}, False), ({"sub": "mallory"}, False), ({"exp": 1}, False)],
)
async def test_jwt_bearer(tmp_path: Path, claims: dict[str, object], granted: bool) -> None:
    key = RSAKey.generate_key(2048)
    settings = {"jwt_public_key": key.as_pem(private=False).decode()}
    every = {"iss": CLIENT_ID, "sub": USERNAME, "aud": AUDIENCE, "exp": int(time.time()) + 120} | claims
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": jwt.encode({"alg": "RS256"}, every, key),
    }
    async with serve(SalesforceSandbox, SandboxOptions(system="crm", state_dir=tmp_path, settings=settings)) as serving:
        status, body = await Org(serving, tmp_path).form(form)
    assert (status == 200) is granted, body


async def test_a_token_dies_of_age(org: Org) -> None:
    headers = {"Authorization": f"Bearer {await org.token()}"}
    assert (await org.call("GET", f"{ROOT}/limits", headers=headers))[0] == 200
    org.kit.clock.advance(7201)
    assert (await org.call("GET", f"{ROOT}/limits", headers=headers))[0] == 401


async def test_the_daily_limit(tmp_path: Path) -> None:
    options = SandboxOptions(system="crm", state_dir=tmp_path, limits="real", settings={"daily_limit": "3"})
    async with serve(SalesforceSandbox, options) as serving:
        org = Org(serving, tmp_path)
        usages = [(await org.call("GET", f"{ROOT}/limits"))[1]["Sforce-Limit-Info"] for _ in range(3)]
        status, headers, body = await org.call("GET", f"{ROOT}/limits")
    assert usages == ["api-usage=1/3", "api-usage=2/3", "api-usage=3/3"]
    assert status == 403
    assert body == [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]
    assert "Retry-After" not in headers


async def test_bad_business_values_are_kept(org: Org) -> None:
    sent = {**DEAL, "CloseDate": "31/31/2017", "Amount": "abc"}
    status, _, made = await org.call("POST", f"{ROOT}/sobjects/Opportunity", json=sent)
    assert status == 201
    held = (await org.call("GET", f"{ROOT}/sobjects/Opportunity/{made['id']}"))[2]
    assert (held["CloseDate"], held["Amount"]) == ("31/31/2017", "abc")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({**DEAL, "Colour": "red"}, "INVALID_FIELD"),
        ({"Name": "Big"}, "REQUIRED_FIELD_MISSING"),
        ({**DEAL, "SystemModstamp": "2026-01-01"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({**DEAL, "AccountId": "nobody"}, "MALFORMED_ID"),
        ({**DEAL, "AccountId": "0015500001QdRaYAAV"}, "INVALID_CROSS_REFERENCE_KEY"),
        ({**DEAL, "Accordant_Reason__c": "x" * 256}, "STRING_TOO_LONG"),
    ],
)
async def test_refusals_are_the_vendors(org: Org, sent: dict[str, str], code: str) -> None:
    status, _, body = await org.call("POST", f"{ROOT}/sobjects/Opportunity", json=sent)
    assert (status, body[0]["errorCode"]) == (400, code)
    assert org.ledger() == []


async def test_unreadable_json_and_unknown_addresses(org: Org) -> None:
    status, _, body = await org.call("POST", f"{ROOT}/sobjects/Opportunity", data=b"{")
    assert (status, body[0]["errorCode"]) == (400, "JSON_PARSER_ERROR")
    assert (await org.call("GET", f"{ROOT}/sobjects/Foo/001"))[0] == 404
    assert (await org.call("PUT", f"{ROOT}/limits"))[2][0]["errorCode"] == "METHOD_NOT_ALLOWED"


async def test_collections_answer_row_by_row(org: Org) -> None:
    rows = [{"attributes": {"type": "Opportunity"}, **DEAL}, {"attributes": {"type": "Opportunity"}, "Name": "Half"}]
    _, _, body = await org.call("POST", f"{ROOT}/composite/sobjects", json={"allOrNone": True, "records": rows})
    assert [one["errors"][0]["statusCode"] for one in body] == [
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "REQUIRED_FIELD_MISSING",
    ]
    assert org.ledger() == []
    _, _, body = await org.call("POST", f"{ROOT}/composite/sobjects", json={"records": rows})
    assert [one["success"] for one in body] == [True, False]
    assert len(org.ledger()) == 1
    many = {"records": rows[:1] * 201}
    assert (await org.call("POST", f"{ROOT}/composite/sobjects", json=many))[0] == 400


async def test_collection_upsert_and_delete(org: Org) -> None:
    named = {"attributes": {"type": "Opportunity"}, "Opportunity_Number__c": "N-1", **DEAL}
    path = f"{ROOT}/composite/sobjects/Opportunity/Opportunity_Number__c"
    _, _, first = await org.call("PATCH", path, json={"records": [named]})
    _, _, second = await org.call("PATCH", path, json={"records": [named, named]})
    assert first[0]["created"] is True
    assert [one["created"] for one in second] == [False, False]
    assert {one["id"] for one in second} == {first[0]["id"]}
    _, _, gone = await org.call("DELETE", f"{ROOT}/composite/sobjects", params={"ids": first[0]["id"]})
    assert gone[0]["success"] is True


async def test_composite_uses_earlier_answers(org: Org) -> None:
    parts: list[dict[str, Any]] = [
        {"method": "POST", "url": f"{ROOT}/sobjects/Account", "referenceId": "acme", "body": {"Name": "Acme"}},
        {
            "method": "POST",
            "url": f"{ROOT}/sobjects/Opportunity",
            "referenceId": "deal",
            "body": {**DEAL, "AccountId": "@{acme.id}"},
        },
    ]
    _, _, body = await org.call("POST", f"{ROOT}/composite", json={"allOrNone": True, "compositeRequest": parts})
    assert [one["httpStatusCode"] for one in body["compositeResponse"]] == [201, 201]
    found = await org.query("SELECT Account.Name FROM Opportunity")
    assert found["records"][0]["Account"]["Name"] == "Acme"
    del parts[1]["body"]["CloseDate"]
    _, _, body = await org.call("POST", f"{ROOT}/composite", json={"allOrNone": True, "compositeRequest": parts})
    assert [one["body"][0]["errorCode"] for one in body["compositeResponse"]] == [
        "PROCESSING_HALTED",
        "REQUIRED_FIELD_MISSING",
    ]
    assert len(org.ledger()) == 2


async def test_soql_conditions_order_and_paths(org: Org) -> None:
    top, middle, low = (id_from_key("001", name) for name in ("top", "middle", "low"))
    org.sandbox.load(
        {
            "Account": [
                {"Id": top, "Name": "Top"},
                {"Id": middle, "Name": "Middle", "ParentId": top},
                {"Id": low, "Name": "O'Low", "ParentId": middle},
            ],
            "Opportunity": [{**deal, "AccountId": low, "Amount": str(n)} for n, deal in enumerate(deals(5))],
        }
    )
    found = await org.query(
        "select id, account.parent.parent.name from opportunity where Amount > 1 and Amount <= 4 "
        "and StageName in ('won', 'Lost') and Account.Name = 'O\\'Low' order by StageName, Amount desc limit 2"
    )
    assert [row["Id"] for row in found["records"]] == [id_from_key("006", "4"), id_from_key("006", "3")]
    assert found["records"][0]["Account"]["Parent"]["Parent"]["Name"] == "Top"
    assert (await org.query("SELECT count() FROM Opportunity WHERE Amount != 0"))["totalSize"] == 4
    assert (await org.query("SELECT Id FROM Opportunity WHERE SystemModstamp > 2099-01-01T00:00:00Z"))["records"] == []


async def test_every_write_moves_the_timestamp_to_the_end(org: Org) -> None:
    org.sandbox.load({"Opportunity": deals(3)})
    changed = id_from_key("006", "0")
    before = await org.query("SELECT Id, SystemModstamp FROM Opportunity ORDER BY SystemModstamp, Id")
    last = before["records"][-1]["SystemModstamp"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000", last)
    await org.call("PATCH", f"{ROOT}/sobjects/Opportunity/{changed}", json={"Accordant_Status__c": "in step"})
    since = last.replace("+0000", "Z")
    soql = f"SELECT Id FROM Opportunity WHERE SystemModstamp > {since} ORDER BY SystemModstamp, Id"
    assert [row["Id"] for row in (await org.query(soql))["records"]] == [changed]


async def test_a_changed_record_leaves_its_old_places(org: Org) -> None:
    org.sandbox.load({"Opportunity": deals(3)})
    path = f"{ROOT}/sobjects/Opportunity"
    await org.call("PATCH", f"{path}/{id_from_key('006', '0')}", json={"Opportunity_Number__c": "N-new"})
    assert (await org.query("SELECT Id FROM Opportunity ORDER BY SystemModstamp"))["totalSize"] == 3
    assert (await org.call("GET", f"{path}/Opportunity_Number__c/N-00000"))[0] == 404
    assert (await org.call("GET", f"{path}/Opportunity_Number__c/n-NEW"))[0] == 200


@pytest.mark.parametrize("kind", ["page_repeated", "page_overlap", "page_reordered"])
async def test_page_faults_lose_no_row(org: Org, kind: FaultKind) -> None:
    org.sandbox.load({"Opportunity": deals(1000)})
    org.kit.faults.set_plan(FaultPlan(faults=(Fault(kind=kind, operation="query.run"),)))
    headers = {"Authorization": f"Bearer {await org.token()}", "Sforce-Query-Options": "batchSize=200"}
    soql = "SELECT Id FROM Opportunity ORDER BY Opportunity_Number__c"
    page = await org.query(soql, headers=headers)
    rows = [row["Id"] for row in page["records"]]
    while "nextRecordsUrl" in page:
        page = (await org.call("GET", page["nextRecordsUrl"], headers=headers))[2]
        rows += [row["Id"] for row in page["records"]]
    wanted = [deal["Id"] for deal in deals(1000)]
    assert set(rows) == set(wanted)
    assert rows != wanted


async def test_dumps_of_the_same_outcome_are_equal(tmp_path: Path) -> None:
    dumps = []
    for name in ("one", "two"):
        async with serve(SalesforceSandbox, SandboxOptions(system="crm", state_dir=tmp_path / name)) as serving:
            org = Org(serving, tmp_path / name)
            for number in ("N-1", "N-2") if name == "one" else ("N-2", "N-1"):
                await org.call("PATCH", f"{ROOT}/sobjects/Opportunity/Opportunity_Number__c/{number}", json=DEAL)
            dumps.append(org.sandbox.dump())
    assert dumps[0] == dumps[1]
    assert [deal["business_id"] for deal in dumps[0]["opportunity"]] == ["N-1", "N-2"]
