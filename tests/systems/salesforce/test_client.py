import random
from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from joserfc.jwk import RSAKey

from accordant.backbone.message import Message, Told
from accordant.canonical.operation import Attempt, EffectClass, Operation, ReadRef
from accordant.canonical.opportunity import DealStanding
from accordant.connector.capabilities import ConnectionSettings, Row
from accordant.connector.exchange import Answer
from accordant.connector.http import HttpDeps, VendorHttp, open_session
from accordant.connector.polling import Poller, PollPorts
from accordant.connector.sandbox import Fault, FaultPlan, Page, SandboxOptions, serve
from accordant.kernel.clock import SystemClock
from accordant.kernel.errors import (
    AccordantError,
    Busy,
    Misconfigured,
    RateLimited,
    Rejected,
    Retryable,
    Unavailable,
    Unknown,
)
from accordant.systems.salesforce import connector
from accordant.systems.salesforce.client import SalesforceClient, explain, quota
from accordant.systems.salesforce.sandbox import CLIENT_ID, USERNAME
from accordant.systems.salesforce.sandbox.native_ids import id_from_key
from accordant.systems.salesforce.sandbox.server import SalesforceSandbox
from tests.systems.salesforce.org import Org

ACCOUNT_ID = id_from_key("001", "Acme")
DEAL_ID = id_from_key("006", "N-1")


def settings(url: str, **changes: Any) -> ConnectionSettings:
    credentials = changes.pop("credentials", connector.sandbox_seed.credentials)
    return ConnectionSettings(
        name="salesforce", vendor="salesforce", base_url=url, credentials=credentials, timeout_s=1.0, **changes
    )


@pytest.fixture
async def deps() -> AsyncGenerator[HttpDeps]:
    async with open_session() as session:
        yield HttpDeps(session=session, clock=SystemClock(), rng=random.Random(1))


def connected(url: str, deps: HttpDeps, **changes: Any) -> SalesforceClient:
    given = settings(url, **changes)
    client = connector.connect(given, VendorHttp(given, connector.manners(given), deps=deps))
    assert isinstance(client, SalesforceClient)
    return client


@pytest.fixture
def client(org: Org, deps: HttpDeps) -> SalesforceClient:
    org.sandbox.load(
        {
            "Account": [{"Id": ACCOUNT_ID, "Name": "Acme", "BillingCountry": "Kenya"}],
            "Opportunity": [deal("N-1", Id=DEAL_ID)],
        }
    )
    return connected(org.url, deps)


def deal(number: str, **changes: Any) -> dict[str, Any]:
    return {
        "Id": id_from_key("006", number),
        "Name": number,
        "Opportunity_Number__c": number,
        "StageName": "Won",
        "Amount": "1054",
        "CloseDate": "3/1/2017",
        "CurrencyIsoCode": "USD",
        "AccountId": ACCOUNT_ID,
        "Product__c": "GTX Pro",
    } | changes


def standing(**changes: str) -> DealStanding:
    said = {"opportunity_id": "N-1", "source_id": DEAL_ID, "status": "in step", "transaction_id": "tx-1"} | changes
    return DealStanding(**said)


def tell(client: SalesforceClient, **changes: str) -> Operation:
    return client.tell_standing(standing(**changes))


ATTEMPT = Attempt(key="acc-1")
REF = ReadRef(kind="opportunity", native_id=DEAL_ID, business_id="N-1")


async def test_telling_the_standing_sets_three_fields(org: Org, client: SalesforceClient) -> None:
    operation = tell(client, status="blocked", reason="x" * 300)
    applied = await operation.send(ATTEMPT)
    held = (
        await org.query(f"SELECT Accordant_Status__c, Accordant_Reason__c FROM Opportunity WHERE Id = '{DEAL_ID}'")
    )["records"][0]
    assert (held["Accordant_Status__c"], held["Accordant_Reason__c"]) == ("blocked", "x" * 255)
    assert (applied.receipt.native_id, applied.receipt.business_id, applied.status) == (DEAL_ID, "N-1", 204)
    assert applied.request_sha256
    assert (operation.effect_class, operation.kind) == (EffectClass.UPSERT, "opportunity")
    line = org.ledger()[-1]
    assert (line["change"], line["native_id"], line["business_id"], line["amount_minor"]) == (
        "update",
        DEAL_ID,
        "N-1",
        105400,
    )


async def test_telling_it_twice_leaves_one_state(org: Org, client: SalesforceClient) -> None:
    before = org.sandbox.dump()
    await tell(client).send(ATTEMPT)
    once = org.sandbox.dump()
    await tell(client).send(ATTEMPT)
    assert org.sandbox.dump() == once != before
    assert {line["change"] for line in org.ledger()} == {"update"}


async def test_being_in_step_empties_the_reason(client: SalesforceClient, org: Org) -> None:
    await tell(client, status="blocked", reason="no such product").send(ATTEMPT)
    await tell(client).send(ATTEMPT)
    assert org.sandbox.dump()["opportunity"][0]["reason"] is None


async def test_read_back_shows_what_was_expected_and_what_differs(org: Org, client: SalesforceClient) -> None:
    operation = tell(client)
    assert (await client.read_back("opportunity", [REF]))[DEAL_ID] != operation.expected
    await operation.send(ATTEMPT)
    assert (await client.read_back("opportunity", [REF]))[DEAL_ID] == operation.expected
    await tell(client, status="blocked").send(ATTEMPT)
    assert (await client.read_back("opportunity", [REF]))[DEAL_ID] != operation.expected


async def test_read_back_takes_two_hundred_in_one_query(org: Org, client: SalesforceClient) -> None:
    numbers = [f"B-{n:04d}" for n in range(450)]
    org.sandbox.load({"Opportunity": [deal(number) for number in numbers]})
    refs = [ReadRef(kind="opportunity", native_id=id_from_key("006", n), business_id=n) for n in numbers]
    gone = ReadRef(kind="opportunity", native_id=id_from_key("006", "gone"), business_id="gone")
    asked = org.kit.limiter.used
    held = await client.read_back("opportunity", [*refs, gone])
    assert set(held) == {ref.native_id for ref in refs}
    assert org.kit.limiter.used - asked == 4  # one sign-in, three queries
    with pytest.raises(Misconfigured):
        await client.read_back("ticket", [REF])


async def test_look_up_knows_its_own_write(client: SalesforceClient) -> None:
    operation = tell(client)
    assert operation.look_up is not None
    assert await operation.look_up(ATTEMPT) is None
    await operation.send(ATTEMPT)
    found = await operation.look_up(ATTEMPT)
    assert found is not None
    assert found.receipt.native_id == DEAL_ID
    await tell(client, reason="other").send(ATTEMPT)
    assert await operation.look_up(ATTEMPT) is None
    missing = tell(client, source_id=id_from_key("006", "gone"))
    assert missing.look_up is not None
    assert await missing.look_up(ATTEMPT) is None


async def test_a_refusal_names_code_message_and_field(client: SalesforceClient) -> None:
    with pytest.raises(Rejected) as refused:
        await tell(client, status="x" * 256).send(ATTEMPT)
    assert refused.value.code == "salesforce.string_too_long"
    assert refused.value.detail["field"] == "Accordant_Status__c"
    with pytest.raises(Rejected) as refused:
        await tell(client, source_id="006nobody").send(ATTEMPT)
    assert refused.value.detail["vendor_code"] == "NOT_FOUND"


async def test_an_id_cannot_leave_its_place(org: Org, client: SalesforceClient) -> None:
    for evil in ("../Account/001", f"{DEAL_ID}' OR Id != '", "a/b"):
        with pytest.raises(Rejected):
            await tell(client, source_id=evil).send(ATTEMPT)
        ref = ReadRef(kind="opportunity", native_id=evil, business_id="x")
        assert await client.read_back("opportunity", [ref]) == {}
    assert org.ledger() == []


@pytest.mark.parametrize(
    ("fault", "error", "applied"),
    [
        (Fault(kind="rate_limited", operation="record.update"), RateLimited, False),
        (Fault(kind="error_before_apply", operation="record.update"), (Retryable, Unknown), False),
        (Fault(kind="error_after_apply", operation="record.update"), Unknown, True),
        (Fault(kind="timeout_after_apply", operation="record.update", delay_s=3.0), Unknown, True),
        (Fault(kind="reset_after_apply", operation="record.update"), Unknown, True),
    ],
)
async def test_each_fault_has_its_branch(
    org: Org, client: SalesforceClient, fault: Fault, error: Any, applied: bool
) -> None:
    org.kit.faults.set_plan(FaultPlan(faults=(fault,)))
    with pytest.raises(error):
        await tell(client).send(ATTEMPT)
    assert len(org.ledger()) == int(applied)
    org.kit.faults.clear()
    operation = tell(client)
    assert operation.look_up is not None
    assert (await operation.look_up(ATTEMPT) is not None) is applied


async def test_a_lie_is_found_by_reading_back(org: Org, client: SalesforceClient) -> None:
    org.kit.faults.set_plan(FaultPlan(faults=(Fault(kind="ok_without_apply"),)))
    operation = tell(client)
    await operation.send(ATTEMPT)
    assert (await client.read_back("opportunity", [REF]))[DEAL_ID] != operation.expected


async def test_an_expired_token_is_renewed_unseen(org: Org, client: SalesforceClient) -> None:
    await tell(client).send(ATTEMPT)
    org.sandbox.expire_tokens()
    await tell(client, status="blocked").send(ATTEMPT)
    assert org.sandbox.dump()["opportunity"][0]["status"] == "blocked"


async def test_a_wrong_secret_is_refused(org: Org, deps: HttpDeps) -> None:
    client = connected(org.url, deps, credentials={"client_id": CLIENT_ID, "client_secret": "wrong"})
    with pytest.raises(AccordantError) as refused:
        await tell(client).send(ATTEMPT)
    assert not isinstance(refused.value, Unknown)
    with pytest.raises(Misconfigured, match="client_secret"):
        connector.manners(settings(org.url, credentials={"client_id": CLIENT_ID}))


async def test_signing_in_with_a_key(org: Org, deps: HttpDeps) -> None:
    key = RSAKey.generate_key(2048)
    options = SandboxOptions(
        system="crm",
        state_dir=org.state_dir / "jwt",
        settings={"jwt_public_key": key.as_pem(private=False).decode()},
    )
    async with serve(SalesforceSandbox, options) as serving:
        pem = key.as_pem(private=True).decode()
        credentials = {"client_id": CLIENT_ID, "username": USERNAME, "private_key": pem}
        client = connected(serving.url, deps, credentials=credentials)
        assert await client.read_back("opportunity", [REF]) == {}


class Inbox:
    """Keeps rows as the platform would, each delivery once."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.cursor = ""
        self.failures: list[Exception] = []

    def poller(self, client: SalesforceClient) -> Poller:
        async def keep(rows: Any) -> None:
            self.rows |= {row.delivery_id: row for row in rows}

        async def load_cursor() -> str:
            return self.cursor

        async def save_cursor(cursor: str) -> None:
            self.cursor = cursor

        ports = PollPorts(
            keep=keep,
            load_cursor=load_cursor,
            save_cursor=save_cursor,
            failed=lambda error, _: self.failures.append(error),
        )
        return Poller(connector.streams[0], client, ports=ports, rng=random.Random(1))

    def told(self) -> list[Told]:
        found: list[Told] = []
        for row in self.rows.values():
            outcome = connector.translate(
                Message(
                    message_id="m",
                    tenant="t",
                    connection="salesforce",
                    stream="Opportunity",
                    delivery_id=row.delivery_id,
                    body=row.body,
                    received_at_ms=SystemClock().now_ms(),
                    correlation_id="c",
                )
            )
            found += outcome if isinstance(outcome, list) else []
        return found


async def test_polling_brings_every_stage_and_all_that_mapping_needs(org: Org, client: SalesforceClient) -> None:
    org.sandbox.load({"Opportunity": [deal("N-2", StageName="Wonn"), deal("N-3", StageName="Lost")]})
    inbox = Inbox()
    assert await inbox.poller(client).poll_once() == 3
    stages = {msgspec.json.decode(row.body)["StageName"] for row in inbox.rows.values()}
    assert stages == {"Won", "Wonn", "Lost"}
    del inbox.rows[next(key for key, row in inbox.rows.items() if b"Wonn" in row.body)]
    [told] = inbox.told()
    assert (told.subject, told.orderingkey) == ("N-1", ACCOUNT_ID)
    assert inbox.cursor.endswith("Z")


async def test_rows_at_the_cursor_itself_are_read_again(org: Org, client: SalesforceClient) -> None:
    [page] = [page async for page in client.changed_opportunities("")]
    again = [page async for page in client.changed_opportunities(page[0].sequence)]
    assert again == [page]
    later = f"{page[0].sequence[:-4]}999Z"
    assert [page async for page in client.changed_opportunities(later)] == [[]]


async def test_a_change_is_a_new_delivery_and_our_own_echo_is_the_same_fact(org: Org, client: SalesforceClient) -> None:
    inbox = Inbox()
    poller = inbox.poller(client)
    await poller.poll_once()
    await tell(client).send(ATTEMPT)
    await poller.poll_once()
    first, echo = inbox.told()
    assert first.content == echo.content
    assert first.sequence < echo.sequence
    assert await poller.poll_once() == 0


async def test_two_changes_in_one_tick_are_two_deliveries(org: Org, client: SalesforceClient) -> None:
    inbox = Inbox()
    poller = inbox.poller(client)
    await poller.poll_once()
    table = org.sandbox.database.tables["Opportunity"]
    table.put({**table.records[DEAL_ID], "Amount": "2000"})
    await poller.poll_once()
    assert len(inbox.rows) == 2


@pytest.mark.parametrize("kind", ["page_repeated", "page_overlap", "page_reordered"])
async def test_polling_misses_nothing_when_pages_go_wrong(org: Org, client: SalesforceClient, kind: Any) -> None:
    org.sandbox.load({"Opportunity": [deal(f"P-{n:05d}") for n in range(8800)]})
    org.kit.faults.set_plan(FaultPlan(faults=(Fault(kind=kind, operation="query.run"),)))
    inbox = Inbox()
    await inbox.poller(client).poll_once()
    assert len(inbox.rows) == 8801
    assert org.kit.faults.injected[kind] > 0


async def test_a_cursor_that_never_moves_ends_the_poll(org: Org, client: SalesforceClient) -> None:
    org.sandbox.load({"Opportunity": [deal(f"P-{n:05d}") for n in range(3000)]})
    stuck = Page(rows=[{"Id": DEAL_ID, "SystemModstamp": 1}], next_start=0)
    standing_still = cast("Any", SimpleNamespace(page=lambda *_, **__: stuck))
    resource = next(one for one in org.sandbox.resources if one.operation == "query.run")
    resource.answer.__self__._kit = standing_still
    with pytest.raises(Unavailable):
        await Inbox().poller(client).poll_once()


def answer(status: int, body: Any) -> Answer:
    return Answer(status=status, headers={}, body=msgspec.json.encode(body), request_sha256="", response_sha256="")


def test_refusals_are_read_as_what_they_mean() -> None:
    def said(code: str, message: str = "m", status: int = 400) -> AccordantError:
        return explain(answer(status, [{"errorCode": code, "message": message}]))

    assert isinstance(said("UNABLE_TO_LOCK_ROW"), Busy)
    assert isinstance(said("INVALID_FIELD"), Rejected)
    daily, short = (
        said("REQUEST_LIMIT_EXCEEDED", f"{name} Limit exceeded.", 403)
        for name in ("TotalRequests", "ConcurrentPerOrgLongTxn")
    )
    assert isinstance(daily, RateLimited)
    assert isinstance(short, RateLimited)
    assert (daily.retry_after_s or 0) > 100 > (short.retry_after_s or 0)
    assert explain(answer(403, "proxy page")).code == "salesforce.http_403"
    assert (
        explain(answer(400, {"error": "invalid_grant", "error_description": "no"})).code == "salesforce.invalid_grant"
    )


def test_the_daily_budget_is_read_from_the_header() -> None:
    learned = quota({"sforce-limit-info": "api-usage=18/15000; per-app-api-usage=17/250(appName=x)"})
    assert learned is not None
    assert (learned.limit, learned.remaining) == (15000, 14982)
    assert quota({}) is None


async def test_the_connector_says_what_it_is() -> None:
    assert (connector.role, connector.verify, connector.streams[0].name) == ("crm", None, "Opportunity")
    assert connector.capabilities[0].effect_class is EffectClass.UPSERT
