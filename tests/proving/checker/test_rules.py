"""Every rule finds what is planted, and nothing in what only looks like it."""

import base64
import json
from random import Random
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accordant.backbone.rows import ExceptionRow
from accordant.proving.checker import RULES, judge
from accordant.proving.checker.history import Acknowledged, Final, Truth, Verdict
from tests.proving.checker.company import Company, blank, year
from tests.proving.checker.plants import PLANTS, Plant, again, pick, quarantined

_replace = msgspec.structs.replace
RNG = Random(1)
"""For picks among one."""


def rules_broken(company: Company) -> set[str]:
    return {finding.rule for finding in judge(company.history()).findings}


def test_a_sound_history_holds_and_every_rule_has_looked_at_something() -> None:
    verdict = judge(year().history())
    assert verdict.holds, verdict.findings
    assert list(verdict.judged) == list(RULES)
    assert min(verdict.judged.values()) > 0, verdict.judged


def test_a_history_without_anything_proves_nothing_and_says_so() -> None:
    company = Company()
    company.canaries = ()
    verdict = judge(company.history())
    assert verdict == Verdict(judged=dict.fromkeys(RULES, 0), findings=())


@pytest.mark.parametrize("one", PLANTS, ids=lambda one: one.name)
def test_a_planted_violation_is_found_by_its_rule_and_no_other(one: Plant) -> None:
    company = year()
    one.spoil(company, Random(1))
    assert rules_broken(company) == {one.rule} | one.also


def test_there_are_violations_for_every_rule() -> None:
    assert {one.rule for one in PLANTS} == set(RULES)


def test_a_finding_says_what_and_where() -> None:
    company = year()
    del company.applied[pick(RNG, company.applied, business_id="order-D-02")]
    (found,) = judge(company.history()).of("partial")
    assert (found.what, found.where) == (
        "it is completed, and create order order-D-02 in erp was never applied",
        "D-02",
    )


def test_only_the_named_rules_are_applied() -> None:
    company = year()
    company.moments = (0, 0)
    verdict = judge(company.history(), rules=["lost", "partial"])
    assert verdict.holds
    assert set(verdict.judged) == {"lost", "partial"}


def test_what_was_never_taken_back_is_found_without_asking_the_system() -> None:
    company = year()
    company.asked = ()
    del company.applied[pick(RNG, company.applied, business_id="subscription-D-5", change="update")]
    assert rules_broken(company) == {"partial"}


def test_billing_and_books_are_compared_deal_by_deal_where_nobody_knows_the_facts() -> None:
    company = year()
    at = pick(RNG, company.applied, business_id="order-D-02")
    short = _replace(company.applied[at], amount_minor=249_99)
    unknown = Truth(all_facts_known=False, ambiguities=tuple(company.ambiguities))
    sound = _replace(company.history(), truth=unknown)
    assert judge(sound).holds
    company.applied[at] = short
    (found,) = judge(_replace(company.history(), truth=unknown)).findings
    assert (found.rule, found.where) == ("money", "D-02")
    assert found.what == "the systems differ: billing {'EUR': 25000}, erp {'EUR': 24999}"


class TestWhatMustNotBeFlagged:
    def test_a_version_that_a_newer_one_made_needless(self) -> None:
        company = year()
        del company.applied[pick(RNG, company.applied, kind="entitlement", business_id="customer-a", change="create")]
        assert rules_broken(company) == set()

    def test_a_newer_version_whose_deal_a_person_still_holds(self) -> None:
        company = year()
        company.deal("D-later", customer="customer-a", stops_before="entitlement")
        assert rules_broken(company) == set()

    def test_a_newer_version_that_was_written_before_its_deal_stopped(self) -> None:
        company = year()
        company.deal("D-later", customer="customer-a", stops_before="opportunity")
        assert rules_broken(company) == set()

    def test_a_delivery_that_may_have_arrived_whether_or_not_it_did(self) -> None:
        company = year()
        company.delivery("evt-either", outcome="unknown")
        company.delivery("evt-neither", outcome="unknown", kept=False)
        assert rules_broken(company) == set()

    def test_a_delivery_that_was_refused_once_and_taken_the_next_time(self) -> None:
        company = year()
        company.delivery("evt-again", outcome="failed")
        company.acknowledged.append(Acknowledged(connection="stripe", delivery_id="evt-again", outcome="ok"))
        assert rules_broken(company) == set()

    @pytest.mark.parametrize(("state", "owner"), [("open", "integration operations"), ("resolved", "")])
    def test_a_message_put_aside_that_somebody_owns_or_has_settled(self, state: str, owner: str) -> None:
        company = year()
        row = quarantined(company, "evt-aside")
        item = {"exception_id": "exc-aside", "message_id": row.message_id, "state": state, "owner": owner}
        company.exceptions.append(blank(ExceptionRow, code="json.syntax", **item))
        company._tell("", "exception.opened", "exc-aside")
        if state == "resolved":
            company._tell("", "exception.resolved", "exc-aside")
        assert rules_broken(company) == set()

    def test_a_deal_that_nobody_could_read_and_somebody_owns(self) -> None:
        company = year()
        company.wants("D-unread", "erp", "order", "order-D-unread")
        quarantined(company, "evt-unread")
        item = {"exception_id": "exc-unread", "message_id": "msg-evt-unread", "subject": "D-unread", "state": "open"}
        company.exceptions.append(blank(ExceptionRow, owner="sales operations", code="row.malformed", **item))
        company._tell("", "exception.opened", "exc-unread")
        assert rules_broken(company) == set()

    def test_a_parent_that_another_deal_opened(self) -> None:
        company = year()
        company.wants("D-cancelled", "erp", "customer", "customer-a")
        company.ends(company.opens("D-cancelled", lane="customer-child"), state="cancelled")
        company.deal("D-child", customer="customer-child")
        company.wants("D-child", "erp", "customer", "customer-a")
        assert rules_broken(company) == set()

    def test_what_was_taken_back_by_deleting_it(self) -> None:
        company = year()
        at = pick(RNG, company.applied, business_id="subscription-D-5", change="update")
        company.applied[at] = _replace(company.applied[at], change="delete")
        assert rules_broken(company) == set()

    def test_a_step_that_a_person_let_it_skip(self) -> None:
        company = year()
        del company.applied[pick(RNG, company.applied, system="support", kind="customer", business_id="customer-b")]
        at = pick(RNG, company.transactions, subject="D-3")
        company.transactions[at] = _replace(company.transactions[at], waivers="open customer: done by hand\n")
        assert rules_broken(company) == set()

    def test_a_record_that_was_deleted_and_created_anew(self) -> None:
        company = year()
        customer = company.applied[pick(RNG, company.applied, system="billing", business_id="customer-c")]
        again(company, customer, change="delete")
        again(company, customer, native_id="anew")
        assert rules_broken(company) == set()

    def test_a_second_invoice_of_another_period(self) -> None:
        company = year()
        sold = company.applied[pick(RNG, company.applied, business_id="subscription-D-5", change="create")]
        for native, key, at in (("in_1", sold.key, 1_795_276_120), ("in_2", "acc-next year", 1_826_812_120)):
            again(company, sold, kind="invoice", native_id=native, key=key, body={"id": native, "period_start": at})
        assert rules_broken(company) == set()

    def test_two_changes_of_one_content_that_two_deals_asked_for(self) -> None:
        company = year()
        company.expansion("X-2", of="D-3", customer="customer-b", amount=120_00)
        assert rules_broken(company) == set()

    def test_a_later_deal_that_went_first_because_the_earlier_one_was_not_known_yet(self) -> None:
        company = year()
        at = pick(RNG, company.transactions, subject="D-02")
        company.transactions[at] = _replace(company.transactions[at], lane_seq=1)
        assert rules_broken(company) == set()

    def test_a_later_deal_that_passed_one_waiting_for_an_approval(self) -> None:
        company = year()
        next(one for one in PLANTS if one.spoil.__name__ == "a_later_deal_of_the_customer_overtakes").spoil(
            company, RNG
        )
        company._tell("tx-D-1", "transaction.waiting", "D-1", **{"for": "approval"})
        assert rules_broken(company) == set()

    def test_a_deal_in_billing_that_the_books_refused_and_finance_owns(self) -> None:
        company = year()
        company.expansion("X-2", of="D-1", customer="customer-a", amount=777_00)
        at = pick(RNG, company.applied, business_id="order-D-1", change="update")
        del company.applied[at]
        effect = pick(RNG, company.effects, transaction_id="tx-X-2", system="erp")
        name = company.effects[effect].name
        company.effects[effect] = _replace(company.effects[effect], state="rejected")
        company.audit = [
            entry
            for entry in company.audit
            if (entry["transaction_id"], entry["subject"]) != ("tx-X-2", name)
            and (entry["transaction_id"], entry["action"]) != ("tx-X-2", "transaction.completed")
        ]
        company.stops("tx-X-2", code="vendor.rejected", step=name)
        assert rules_broken(company) == set()

    def test_a_transaction_that_was_driven_again_after_it_had_ended(self) -> None:
        company = year()
        company._tell("tx-D-1", "transaction.replayed", "D-1", state="completed")
        company.ends("tx-D-1")
        assert rules_broken(company) == set()

    def test_a_stop_that_was_released_and_carried_to_its_end(self) -> None:
        company = year()
        company.stops("tx-D-1", code="map.missing", step="terms")
        company._tell("tx-D-1", "transaction.repinned", "D-1")
        item = company.exceptions[-1]
        company.exceptions[-1] = _replace(item, state="released")
        company._tell("tx-D-1", "exception.released", item.exception_id)
        company.ends("tx-D-1")
        told = [at for at, entry in enumerate(company.audit) if entry["action"] == "transaction.completed"]
        del company.audit[next(at for at in told if company.audit[at]["transaction_id"] == "tx-D-1")]
        assert rules_broken(company) == set()

    def test_an_item_in_doubt_that_was_tried_again_and_is_as_unclear_as_before(self) -> None:
        company = year()
        at = pick(RNG, company.exceptions, code="effect.in_doubt")
        item = company.exceptions[at]
        company.exceptions[at] = _replace(item, state="released")
        company._tell(item.transaction_id, "exception.released", item.exception_id)
        company._tell(item.transaction_id, "transaction.repinned", item.subject)
        company.stops(item.transaction_id, code="effect.in_doubt", step=item.step)
        assert rules_broken(company) == set()

    def test_an_ambiguity_that_was_settled_without_asking(self) -> None:
        company = year()
        company.remark("ticket-3", applied=True, settled=True)
        assert rules_broken(company) == set()

    def test_an_item_in_doubt_because_the_process_died_while_sending(self) -> None:
        company = year()
        company.remark("ticket-3", applied=True)
        del company.ambiguities[-1]
        detail = json.dumps({"vendor_code": "interrupted"})
        company.exceptions[-1] = _replace(company.exceptions[-1], detail=detail)
        assert rules_broken(company) == set()

    @pytest.mark.parametrize(
        "wait",
        [
            {"waiting_for": "approval", "turn": 2},
            {"waiting_for": "timer", "turn": 2, "wake_at_ms": 2_000_000},
            {"waiting_for": "event", "turn": 1, "wake_at_ms": 2_000_000},
        ],
        ids=lambda wait: wait["waiting_for"],
    )
    def test_waiting_for_a_person_an_instant_or_an_event(self, wait: dict[str, Any]) -> None:
        company = year()
        company.opens("D-waits", lane="customer-waits")
        company.transactions[-1] = _replace(company.transactions[-1], state="waiting", **wait)
        assert rules_broken(company) == set()

    def test_waiting_behind_one_that_a_person_holds(self) -> None:
        company = year()
        company.opens("D-behind", lane="customer-c")
        company.transactions[-1] = _replace(company.transactions[-1], state="waiting", waiting_for="lane", turn=0)
        assert rules_broken(company) == set()

    def test_a_notice_whose_fate_nobody_knows(self) -> None:
        company = year()
        at = pick(RNG, company.effects, transaction_id="tx-D-1")
        notice = _replace(company.effects[at], name="tell it stopped (1)", key="acc-notice", state="unknown")
        company.effects.append(notice)
        assert rules_broken(company) == set()

    def test_a_version_that_was_proved_absent_before_the_next_was_sent(self) -> None:
        company = year()
        at = pick(RNG, company.effects, transaction_id="tx-D-1", system="billing", kind="subscription")
        effect = company.effects[at]
        company.effects.insert(at, _replace(effect, version=0, key="acc-absent", state="rejected", native_id=""))
        assert rules_broken(company) == set()

    def test_more_than_the_facts_demand_where_not_every_fact_is_known(self) -> None:
        company = year()
        next(one for one in PLANTS if one.spoil.__name__ == "a_customer_is_opened_that_no_fact_demands").spoil(
            company, RNG
        )
        history = company.history()
        truth = _replace(history.truth, all_facts_known=False)
        assert judge(_replace(history, truth=truth)).holds

    def test_a_system_that_was_not_asked_contradicts_nobody(self) -> None:
        company = year()
        company.asked = ()
        assert rules_broken(company) == set()


class TestWhatARecordComesTo:
    def _company(self, **says: Any) -> Company:
        company = year()
        words = {"service_tier": "premium", "ends_on": "2028-01-01", **says}
        reached = next(one for one in reversed(company.expected) if one.kind == "entitlement" and one.version == 2)
        words["service_tier"] = says.get("service_tier", reached.says["service_tier"])
        final = Final(
            system="support", kind="entitlement", business_id="customer-a", says=words, transactions=("D-1", "D-02")
        )
        company.final.append(final)
        return company

    def test_it_holds_where_the_system_says_so(self) -> None:
        assert rules_broken(self._company()) == set()

    def test_it_is_found_where_it_says_something_else(self) -> None:
        assert rules_broken(self._company(ends_on="2029-01-01")) == {"stale"}

    def test_it_is_found_in_the_ledger_where_the_system_was_not_asked(self) -> None:
        company = self._company(ends_on="2029-01-01")
        company.asked = ()
        assert rules_broken(company) == {"stale"}

    def test_it_is_not_judged_before_everything_that_leads_to_it_is_done(self) -> None:
        company = self._company(ends_on="2029-01-01")
        company.deal("D-later", customer="customer-a", stops_before="entitlement")
        company.final[0] = _replace(company.final[0], transactions=("D-1", "D-02", "D-later"))
        assert rules_broken(company) == set()


CANARY = "whsec_canary/one+1"
WRITINGS = {
    "hex": CANARY.encode().hex().encode(),
    "HEX": CANARY.encode().hex().upper().encode(),
    "URL": quote(CANARY, safe="").encode(),
    "JSON": json.dumps('a "quoted" ' + CANARY).encode(),
    **{f"base64 after {n}": base64.b64encode(b"x" * n + CANARY.encode() + b"yy"[: n % 3]) for n in range(4)},
    "URL base64": base64.urlsafe_b64encode(b"?>?" + CANARY.encode()),
}


class TestSecretsInEveryWriting:
    @pytest.mark.parametrize("writing", WRITINGS)
    def test_it_is_found(self, writing: str) -> None:
        company = year()
        company.artefacts["export.csv"] = b"a,b\n1," + WRITINGS[writing] + b"\n"
        (found,) = judge(company.history()).findings
        assert (found.rule, found.where) == ("secrets", "export.csv")
        assert CANARY not in found.what

    def test_a_quoted_or_accented_secret_is_found_in_json(self) -> None:
        company = year()
        company.canaries = ('pässword"quoted',)
        company.artefacts["audit.json"] = json.dumps({"detail": 'pässword"quoted'}).encode()
        assert rules_broken(company) == {"secrets"}

    @pytest.mark.parametrize("before", [b"", b"x", b"xy"])
    def test_a_secret_that_needs_the_letters_in_which_the_base64_alphabets_differ_is_found(self, before: bytes) -> None:
        company = year()
        company.canaries = ("~~~???>>>~~~???>>>",)
        written = base64.urlsafe_b64encode(before + company.canaries[0].encode() + b"!!!")
        assert {b"-", b"_"} & {written[at : at + 1] for at in range(len(written))}
        company.artefacts["token.txt"] = written
        assert rules_broken(company) == {"secrets"}

    def test_a_part_of_it_is_no_secret(self) -> None:
        company = year()
        company.artefacts["platform.log"] = b"whsec_canary/one and nothing more"
        assert rules_broken(company) == set()


@st.composite
def companies(draw: st.DrawFn) -> Company:
    """A sound year with more deals of any customers, some of which stop, change or are taken back."""
    company = year()
    for n in range(draw(st.integers(0, 6))):
        customer = draw(st.sampled_from(["customer-a", "customer-b", "customer-e", "customer-f"]))
        amount = draw(st.integers(1, 10**9))
        match draw(st.sampled_from(["deal", "expansion", "taken back", "remark"])):
            case "deal":
                company.deal(f"D-more-{n}" + "x" * draw(st.integers(0, 2)), customer=customer, amount=amount)
            case "expansion":
                company.expansion(f"X-more-{n}", of="D-3", customer="customer-b", amount=amount)
            case "taken back":
                company.taken_back(f"D-back-{n}", customer=f"customer-back-{n}", amount=amount)
            case _:
                company.remark(f"ticket-more-{n}", applied=draw(st.booleans()), settled=False)
    return company


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(company=companies(), one=st.sampled_from(PLANTS), seed=st.integers(0, 2**32))
def test_in_any_sound_history_any_planted_violation_is_found(company: Company, one: Plant, seed: int) -> None:
    sound = judge(company.history())
    assert sound.holds, sound.findings
    one.spoil(company, Random(seed))
    assert one.rule in rules_broken(company)
