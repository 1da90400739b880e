"""Violations to plant in a sound history: what is spoiled, the rule that finds it, and others that rightly do."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import msgspec

from accordant.backbone.rows import MessageRow
from accordant.proving.checker.history import Applied
from tests.proving.checker.company import Company, blank

_replace = msgspec.structs.replace
Spoil = Callable[[Company, Random], None]


@dataclass(frozen=True)
class Plant:
    """One violation."""

    rule: str
    spoil: Spoil
    also: frozenset[str]

    @property
    def name(self) -> str:
        return f"{self.rule}: {self.spoil.__name__.replace('_', ' ')}"


PLANTS: list[Plant] = []


def plant(rule: str, *also: str) -> Callable[[Spoil], Spoil]:
    def keep(spoil: Spoil) -> Spoil:
        PLANTS.append(Plant(rule, spoil, frozenset(also)))
        return spoil

    return keep


def pick(rng: Random, rows: list[Any], **fields: Any) -> int:
    """The place of any row with these values."""
    fit = [at for at, row in enumerate(rows) if all(getattr(row, name) == value for name, value in fields.items())]
    return rng.choice(fit)


def again(company: Company, line: Applied, **changed: Any) -> None:
    """The system applies the same once more."""
    n = 1 + sum(one.system == line.system for one in company.applied)
    company.applied.append(_replace(line, **{"n": n, **changed}))


def entries(company: Company, action: str) -> list[int]:
    return [at for at, entry in enumerate(company.audit) if entry["action"] == action]


# -- lost -------------------------------------------------------------------------------------------------------------


@plant("lost")
def the_inbox_forgets_an_acknowledged_delivery(company: Company, rng: Random) -> None:
    del company.messages[pick(rng, company.messages, delivery_id="evt-1")]


@plant("lost")
def a_kept_message_is_never_read(company: Company, rng: Random) -> None:
    at = rng.randrange(len(company.messages))
    company.messages[at] = _replace(company.messages[at], state="kept")


@plant("lost")
def a_message_is_put_aside_and_nobody_owns_it(company: Company, rng: Random) -> None:
    company.delivery("evt-aside", state="quarantined")


@plant("lost")
def a_refused_delivery_was_kept_all_the_same(company: Company, rng: Random) -> None:
    company.delivery("evt-refused", outcome="failed")


@plant("lost")
def nobody_takes_up_a_deal(company: Company, rng: Random) -> None:
    company.wants("D-nobody", "erp", "order", "order-D-nobody")


@plant("lost")
def a_deal_is_called_done_and_nothing_was_written(company: Company, rng: Random) -> None:
    company.wants("D-nothing", "erp", "order", "order-D-nothing")
    company.ends(company.opens("D-nothing", lane="customer-nothing"))


@plant("lost")
def a_deal_is_called_done_and_only_others_wrote_what_it_shares_with_them(company: Company, rng: Random) -> None:
    company.wants("D-nothing", "erp", "customer", "customer-a")
    company.wants("D-nothing", "erp", "order", "order-D-nothing")
    company.ends(company.opens("D-nothing", lane="customer-nothing"))


# -- duplicate --------------------------------------------------------------------------------------------------------


@plant("duplicate")
def a_customer_is_opened_twice(company: Company, rng: Random) -> None:
    again(
        company,
        company.applied[pick(rng, company.applied, kind="customer", business_id="customer-c")],
        native_id="twin",
    )


@plant("duplicate", "money")
def an_order_is_placed_twice(company: Company, rng: Random) -> None:
    again(company, company.applied[pick(rng, company.applied, business_id="order-D-02")], native_id="twin")


@plant("duplicate")
def an_invoice_is_written_twice_under_another_key(company: Company, rng: Random) -> None:
    sold = company.applied[pick(rng, company.applied, kind="subscription", change="create")]
    for native, key, at in (("in_1", sold.key, 1_795_276_120), ("in_2", "acc-random", 1_795_276_127)):
        body = {"id": native, "created": at, "lines": [{"id": f"il_{native}", "of": sold.native_id}]}
        again(company, sold, kind="invoice", native_id=native, key=key, body=body)


@plant("duplicate")
def a_change_is_repeated_under_a_key_that_nobody_knows(company: Company, rng: Random) -> None:
    again(
        company,
        company.applied[pick(rng, company.applied, business_id="subscription-D-3", change="update")],
        key="acc-random",
    )


@plant("duplicate")
def one_effect_is_applied_under_the_keys_of_two_versions(company: Company, rng: Random) -> None:
    line = company.applied[pick(rng, company.applied, business_id="subscription-D-3", change="update")]
    at = pick(rng, company.effects, key=line.key)
    company.effects.append(_replace(company.effects[at], version=2, key="acc-second", state="rejected"))
    again(company, line, key="acc-second")


# -- partial ----------------------------------------------------------------------------------------------------------


@plant("partial")
def a_completed_deal_lacks_its_customer_in_support(company: Company, rng: Random) -> None:
    customer = rng.choice(["customer-a", "customer-b"])
    del company.applied[pick(rng, company.applied, system="support", kind="customer", business_id=customer)]


@plant("partial", "money")
def a_completed_deal_lacks_its_order(company: Company, rng: Random) -> None:
    del company.applied[pick(rng, company.applied, business_id="order-D-02")]


@plant("partial", "liveness")
def a_half_done_deal_has_an_item_that_nobody_owns(company: Company, rng: Random) -> None:
    at = pick(rng, company.exceptions, transaction_id="tx-D-4")
    company.exceptions[at] = _replace(company.exceptions[at], owner="")


@plant("partial", "liveness", "audit")
def a_half_done_deal_has_an_item_that_was_closed_and_went_no_further(company: Company, rng: Random) -> None:
    at = pick(rng, company.exceptions, transaction_id="tx-D-4")
    company.exceptions[at] = _replace(company.exceptions[at], state="released")


@plant("partial", "liveness", "audit")
def a_half_done_deal_waits_past_its_instant(company: Company, rng: Random) -> None:
    at = pick(rng, company.transactions, subject="D-4")
    waits = {"state": "waiting", "waiting_for": "timer", "wake_at_ms": company.moments[1] - 100_000}
    company.transactions[at] = _replace(company.transactions[at], **waits)


@plant("partial")
def what_was_taken_back_still_stands(company: Company, rng: Random) -> None:
    place = ("billing", "subscription", "subscription-D-5")
    company.held_otherwise[place] = {"business_id": place[2], "status": "active", "amount_minor": 50_00}


@plant("partial")
def nothing_takes_back_what_a_compensated_deal_wrote(company: Company, rng: Random) -> None:
    del company.applied[pick(rng, company.applied, business_id="subscription-D-5", change="update")]


# -- orphan -----------------------------------------------------------------------------------------------------------


@plant("orphan")
def a_system_holds_what_nobody_wrote(company: Company, rng: Random) -> None:
    line = rng.choice(company.applied)
    again(company, line, kind="note", native_id="note-1", business_id="from nowhere", key="")


@plant("orphan")
def what_was_called_refused_was_applied(company: Company, rng: Random) -> None:
    transaction = company.deal("D-refused", customer="customer-refused", stops_before="order")
    refused = {effect.name for effect in company.effects if effect.transaction_id == transaction}
    assert "create billing subscription" in refused
    at = pick(rng, company.effects, transaction_id=transaction, name="create billing subscription")
    company.effects[at] = _replace(company.effects[at], state="rejected", native_id="")
    told = next(
        n
        for n, entry in enumerate(company.audit)
        if (entry["transaction_id"], entry["subject"]) == (transaction, "create billing subscription")
    )
    del company.audit[told]


@plant("orphan")
def a_customer_is_opened_that_no_fact_demands(company: Company, rng: Random) -> None:
    line = company.applied[pick(rng, company.applied, system="erp", business_id="customer-b")]
    wanted = next(one for one in company.expected if one.business_id == line.business_id and one.system == "erp")
    phantom = _replace(wanted, business_id="customer-phantom")
    company.writes(f"tx-{wanted.transaction}", phantom, name="open a phantom")


# -- stale and order --------------------------------------------------------------------------------------------------


@plant("stale", "order")
def an_older_entitlement_is_written_last(company: Company, rng: Random) -> None:
    first = pick(rng, company.applied, kind="entitlement", business_id="customer-a", change="create")
    again(company, company.applied[first], change="update")


@plant("stale")
def a_system_holds_an_older_entitlement(company: Company, rng: Random) -> None:
    place = ("support", "entitlement", "customer-a")
    company.held_otherwise[place] = {"business_id": "customer-a", "service_tier": "plus", "ends_on": "2026-01-01"}


@plant("stale")
def a_system_lost_a_record_without_a_write(company: Company, rng: Random) -> None:
    company.held_otherwise["support", "entitlement", "customer-b"] = None


@plant("order")
def an_older_version_is_written_in_between(company: Company, rng: Random) -> None:
    of_a = [line for line in company.applied if (line.kind, line.business_id) == ("entitlement", "customer-a")]
    again(company, of_a[0], change="update")
    again(company, of_a[-1])


@plant("order")
def a_later_deal_of_the_customer_overtakes(company: Company, rng: Random) -> None:
    first = pick(rng, company.applied, business_id="order-D-1")
    second = pick(rng, company.applied, business_id="order-D-02")
    one, other = company.applied[first], company.applied[second]
    company.applied[first], company.applied[second] = _replace(one, n=other.n), _replace(other, n=one.n)


# -- money ------------------------------------------------------------------------------------------------------------


@plant("money")
def an_order_is_one_cent_off(company: Company, rng: Random) -> None:
    at = pick(rng, company.applied, business_id=rng.choice(["order-D-1", "order-D-02"]))
    line = company.applied[at]
    company.applied[at] = _replace(line, amount_minor=(line.amount_minor or 0) + 1)


@plant("money")
def an_amount_went_through_a_float(company: Company, rng: Random) -> None:
    at = pick(rng, company.applied, business_id="subscription-D-1")
    company.applied[at] = _replace(company.applied[at], amount_minor=float(company.applied[at].amount_minor or 0))


@plant("money")
def an_order_is_in_another_currency(company: Company, rng: Random) -> None:
    at = pick(rng, company.applied, business_id="order-D-02")
    company.applied[at] = _replace(company.applied[at], currency="USD")


@plant("money")
def the_books_show_another_sum_than_was_written(company: Company, rng: Random) -> None:
    record = {"business_id": "order-D-1", "status": "open", "amount_minor": 1, "currency": "EUR"}
    company.held_otherwise["erp", "order", "order-D-1"] = record


# -- audit ------------------------------------------------------------------------------------------------------------


@plant("audit")
def the_chain_is_broken(company: Company, rng: Random) -> None:
    company.chain_problem = "entry main/7 does not follow from the one before it"


def _entry_is_missing(action: str) -> Spoil:
    def spoil(company: Company, rng: Random) -> None:
        del company.audit[rng.choice(entries(company, action))]

    spoil.__name__ = f"no entry of {action}"
    return spoil


def _entry_is_double(action: str) -> Spoil:
    def spoil(company: Company, rng: Random) -> None:
        company.audit.append(company.audit[rng.choice(entries(company, action))])

    spoil.__name__ = f"two entries of {action}"
    return spoil


_TOLD = (
    "effect.confirmed",
    "transaction.opened",
    "transaction.completed",
    "transaction.compensated",
    "transaction.parked",
    "exception.opened",
)
for _action in _TOLD:
    plant("audit")(_entry_is_missing(_action))
    plant("audit")(_entry_is_double(_action))


@plant("audit")
def an_entry_confirms_an_effect_that_is_not(company: Company, rng: Random) -> None:
    entry = company.audit[rng.choice(entries(company, "effect.confirmed"))]
    company.audit.append({**entry, "subject": "an effect of nobody"})


@plant("audit")
def an_entry_names_another_key(company: Company, rng: Random) -> None:
    at = rng.choice(entries(company, "effect.confirmed"))
    detail = json.loads(company.audit[at]["detail"]) | {"key": "acc-other"}
    company.audit[at] = {**company.audit[at], "detail": json.dumps(detail)}


# -- in doubt ---------------------------------------------------------------------------------------------------------


@plant("in_doubt")
def nobody_is_asked_about_an_ambiguity(company: Company, rng: Random) -> None:
    at = pick(rng, company.exceptions, code="effect.in_doubt")
    company.exceptions[at] = _replace(company.exceptions[at], code="vendor.rejected")


@plant("in_doubt")
def somebody_is_asked_twice(company: Company, rng: Random) -> None:
    item = company.exceptions[pick(rng, company.exceptions, code="effect.in_doubt")]
    twin = _replace(item, exception_id="exc-twin")
    company.exceptions.append(twin)
    opened = next(entry for entry in company.audit if entry["subject"] == item.exception_id)
    company.audit.append({**opened, "subject": "exc-twin"})


@plant("in_doubt")
def somebody_is_asked_though_the_answer_was_clear(company: Company, rng: Random) -> None:
    del company.ambiguities[rng.randrange(len(company.ambiguities))]


@plant("in_doubt")
def a_remark_in_doubt_was_applied_twice(company: Company, rng: Random) -> None:
    again(company, company.applied[pick(rng, company.applied, kind="comment")], native_id="comment-2")


# -- secrets and liveness ---------------------------------------------------------------------------------------------


@plant("secrets")
def a_secret_stands_in_a_log(company: Company, rng: Random) -> None:
    company.artefacts["platform.log"] += b"signed with " + company.canaries[0].encode()


@plant("liveness")
def it_never_comes_to_rest(company: Company, rng: Random) -> None:
    company.moments = (company.moments[0], 0)


@plant("liveness")
def it_comes_to_rest_too_late(company: Company, rng: Random) -> None:
    company.moments = (company.moments[0], company.moments[0] + 60_001)


@plant("liveness")
def a_transaction_runs_for_ever(company: Company, rng: Random) -> None:
    company.opens("D-running", lane="customer-running")


@plant("liveness")
def a_transaction_waits_in_a_lane_that_is_free(company: Company, rng: Random) -> None:
    company.opens("D-queued", lane="customer-queued")
    company.transactions[-1] = _replace(company.transactions[-1], state="waiting", waiting_for="lane", turn=0)


@plant("liveness")
def an_effect_of_an_ended_transaction_is_undecided(company: Company, rng: Random) -> None:
    at = pick(rng, company.effects, transaction_id="tx-D-1")
    unsure = _replace(company.effects[at], name="something else", key="acc-unsure", state="unknown")
    company.effects.append(unsure)


def quarantined(company: Company, name: str) -> MessageRow:
    """A message that was put aside."""
    company.delivery(name, state="quarantined")
    return company.messages[-1]


__all__ = ["PLANTS", "Plant", "again", "blank", "pick", "quarantined"]
