"""Open items by cause, what they are worth, and which words have no meaning."""

from datetime import date
from typing import Any

from accordant.governance.estate import Estate, ReferenceRow
from accordant.governance.policies import ExceptionPolicy, Policies
from accordant.operations.causes import items_called, open_causes, open_items, runbook_of
from accordant.operations.progress import progress
from accordant.operations.reference import coverage, words_of
from accordant.operations.timeline import timeline
from accordant.operations.transactions import story
from tests.operations import stored
from tests.operations.stored import TENANT, Storage

TODAY = date(2026, 11, 21)


async def test_items_of_one_cause_are_counted_and_added_up_by_currency(storage: Storage) -> None:
    await storage.put(
        stored.item(1, opened_at_ms=500, amount_minor=100),
        stored.item(2, opened_at_ms=300, amount_minor=250, title="the oldest names the cause"),
        stored.item(3, amount_minor=7, currency="EUR"),
        stored.item(4, amount_minor=None, currency=""),
        stored.item(5, state="released"),
        stored.item(6, cause_group="cause-other", detail="{}", code="vendor.rejected"),
        stored.item(7, tenant="other"),
    )
    causes = storage.database.read_now(lambda c: open_causes(c, tenant=TENANT))
    assert [(one.cause_group, one.count) for one in causes] == [("cause-gtx", 4), ("cause-other", 1)]
    first = causes[0]
    assert first.money == {"EUR": 7, "USD": 350}
    assert first.title == "the oldest names the cause"
    assert first.oldest_at_ms == 300
    assert first.candidates == ("GTX Pro", "GTX Basic")
    assert (first.table, first.value) == ("product", "GTXPro")
    assert causes[1].candidates == ()


async def test_causes_of_one_owner(storage: Storage) -> None:
    await storage.put(stored.item(1), stored.item(2, owner="finance operations", cause_group="cause-f"))
    causes = storage.database.read_now(lambda c: open_causes(c, tenant=TENANT, owner="finance operations"))
    assert [one.cause_group for one in causes] == ["cause-f"]


async def test_items_are_found_by_the_beginning_of_their_id_even_when_closed(storage: Storage) -> None:
    await storage.put(stored.item(1, state="released"), stored.item(0xABC))
    found = storage.database.read_now(lambda c: items_called(c, "exc-" + "0" * 19 + "1", tenant=TENANT))
    assert [one.state for one in found] == ["released"]
    assert len(storage.database.read_now(lambda c: items_called(c, "0000", tenant=TENANT))) == 2
    assert len(storage.database.read_now(lambda c: open_items(c, tenant=TENANT))) == 1


def test_the_runbook_of_a_rejection_is_the_one_of_the_system_that_refused() -> None:
    def policy(runbook: str) -> ExceptionPolicy:
        return ExceptionPolicy(cause_class="process", owner="o", severity="high", deadline_h=1, runbook=runbook)

    policies = Policies(exceptions={"*": policy("any"), "vendor.rejected.erp": policy("books")})
    estate = Estate(version=1, tables={}, policies=policies, ownership={})
    refused = stored.item(1, code="vendor.rejected", detail='{"system":"erp"}')
    assert runbook_of(refused, estate) == "books"
    assert runbook_of(stored.item(1), estate) == "any"


async def test_coverage_counts_what_holds_today_and_names_the_words_that_are_missing(storage: Storage) -> None:
    def row(value: str, **days: Any) -> tuple[ReferenceRow, ...]:
        return (ReferenceRow(value=value, target=value, owner="product operations", **days),)

    rows = {
        "GTX Pro": row("GTX Pro"),
        "Old": row("Old", effective_to=TODAY),
        "New": row("New", effective_from=date(2026, 11, 22)),
    }
    policies = Policies(exceptions={})
    estate = Estate(version=1, tables={"product": rows}, policies=policies, ownership={})
    await storage.put(stored.item(1), stored.item(2))
    tables = storage.database.read_now(lambda c: coverage(c, estate, tenant=TENANT, on=TODAY))
    assert (tables[0].values, tables[0].in_force) == (3, 1)
    assert [(gap.value, gap.count) for gap in tables[0].missing] == [("GTXPro", 2)]
    assert [word.holds for word in words_of(estate, "product", on=TODAY)] == ["in force", "not yet", "ended"]


async def test_progress_counts_by_state(storage: Storage) -> None:
    await storage.put(
        stored.message(1, state="kept"),
        stored.message(2),
        stored.transaction(1),
        stored.transaction(2, state="running"),
        stored.transaction(3, state="waiting"),
        stored.effect("a"),
        stored.effect("b", checked=""),
        stored.effect("c", state="sent", checked=""),
        stored.item(1),
        stored.item(2, state="released"),
    )
    found = storage.database.read_now(progress)
    assert found.inbox == {"kept": 1, "published": 1}
    assert found.transactions == {"completed": 1, "running": 1, "waiting": 1}
    assert (found.open_exceptions, found.effects_confirmed, found.effects_unverified) == (1, 2, 1)
    assert found.backlog == 3


async def test_a_timeline_tells_arrival_decision_refusal_retry_and_end_in_order(storage: Storage) -> None:
    refused = stored.effect("place order", system="erp", state="rejected", checked="", error='{"message":"closed"}')
    again = stored.effect("place order", system="erp", version=2, redriven=1)
    at = stored.NOW_MS + 1000

    def line(n: int, action: str, **more: Any) -> stored.AuditEntry:
        return stored.entry(action, at_ms=at + n, **more)

    erp = {"system": "erp"}
    await storage.put(
        stored.message(),
        stored.event(),
        stored.transaction(),
        stored.item(1, message="the period is closed"),
        refused,
        again,
        stored.effect("raise entitlement", system="support", state="sent", checked="", first_sent_at_ms=at + 90),
        audit=[
            line(0, "transaction.opened"),
            line(1, "decision.made", subject="terms", detail={"estate": 3}),
            line(2, "transaction.waiting", detail={"for": "vendor", "error": "vendor.unavailable"}),
            line(3, "transaction.waiting", detail={"for": "vendor", "error": "vendor.unavailable"}),
            line(4, "effect.rejected", subject="place order", detail={**erp, "version": 1, "error": "vendor.rejected"}),
            line(5, "exception.opened", subject=stored.item(1).exception_id, detail={"owner": "finance operations"}),
            line(6, "exception.released", subject=stored.item(1).exception_id, actor="jo"),
            line(7, "transaction.repinned", actor="jo", detail={"estate_before": 3, "estate_now": 4}),
            line(8, "effect.confirmed", subject="place order", detail={**erp, "version": 2}),
            line(9, "effect.verified", subject="place order"),
            line(99, "transaction.completed"),
        ],
    )
    told = storage.database.read_now(lambda c: story(c, f"tx-{1:024x}"))
    assert told is not None
    moments = timeline(told)
    assert [one.word for one in moments] == [
        "arrived",
        "decided",
        "waiting",
        "rejected",
        "exception",
        "released",
        "retried",
        "verified",
        "sent",
        "completed",
    ]
    assert moments[2].times == 2
    assert moments[3].note == "closed"
    assert moments[4].what == "the period is closed"
    assert moments[6].what == "estate 3 → 4"
    assert (moments[7].system, moments[7].note) == ("erp", "settled after a restart")
    assert moments[8].system == "support"
