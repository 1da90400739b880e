"""The ledger's decisions, every combination of them: what must never follow, whatever came before."""

from collections.abc import Iterator
from itertools import product

import pytest

from accordant.backbone.ledger import decisions
from accordant.backbone.ledger.decisions import (
    CONFIRMED,
    INTENDED,
    MAYBE_APPLIED,
    REJECTED,
    SENT,
    UNKNOWN,
    Asked,
    Do,
    Known,
)
from accordant.canonical.operation import KEY_SPENT, EffectClass

A, B, C, D = EffectClass.NATIVE_KEY, EffectClass.UPSERT, EffectClass.LOOKUP, EffectClass.ONCE
STATES = (INTENDED, SENT, CONFIRMED, REJECTED, UNKNOWN)
LIFE_S = 1000.0
NOW_MS = 10_000_000
YOUNG_MS, AT_THE_BORDER_MS, OLD_MS = NOW_MS - 1, NOW_MS - 800_000, NOW_MS - 800_001
CODES = ("", "vendor.unknown_outcome", *sorted(KEY_SPENT))


def asked(effect_class: EffectClass = A, *, look_up: bool = True, same: bool = True, change: bool = False) -> Asked:
    return Asked(effect_class=effect_class, can_look_up=look_up, key_life_s=LIFE_S, same_input=same, may_change=change)


def all_asked() -> Iterator[Asked]:
    for effect_class, look_up, life, same, change in product(
        EffectClass, (True, False), (None, LIFE_S), (True, False), (True, False)
    ):
        yield Asked(effect_class=effect_class, can_look_up=look_up, key_life_s=life, same_input=same, may_change=change)


def known(state: str, first_sent_at_ms: int | None = YOUNG_MS) -> Known:
    return Known(state=state, first_sent_at_ms=first_sent_at_ms)


@pytest.mark.parametrize(
    ("state", "same", "change", "do"),
    [
        (INTENDED, True, False, Do.SEND),
        (INTENDED, True, True, Do.SEND),
        (INTENDED, False, False, Do.REFUSE_PAYLOAD),
        (INTENDED, False, True, Do.NEXT_VERSION),
        (SENT, True, False, Do.SETTLE),
        (SENT, True, True, Do.SETTLE),
        (SENT, False, False, Do.REFUSE_PAYLOAD),
        (SENT, False, True, Do.SETTLE),
        (UNKNOWN, True, False, Do.SETTLE),
        (UNKNOWN, True, True, Do.SETTLE),
        (UNKNOWN, False, False, Do.REFUSE_PAYLOAD),
        (UNKNOWN, False, True, Do.SETTLE),
        (CONFIRMED, True, False, Do.RETURN),
        (CONFIRMED, True, True, Do.RETURN),
        (CONFIRMED, False, False, Do.REFUSE_PAYLOAD),
        (CONFIRMED, False, True, Do.REFUSE_PAYLOAD),
        (REJECTED, True, False, Do.REFUSE_AGAIN),
        (REJECTED, True, True, Do.NEXT_VERSION),
        (REJECTED, False, False, Do.REFUSE_PAYLOAD),
        (REJECTED, False, True, Do.NEXT_VERSION),
    ],
)
def test_how_a_drive_begins(state: str, do: Do, *, same: bool, change: bool) -> None:
    for effect_class in EffectClass:
        assert decisions.begin(known(state), asked(effect_class, same=same, change=change)) is do


def test_what_may_have_been_applied_is_never_sent_before_it_is_settled() -> None:
    for state, one in product(sorted(MAYBE_APPLIED), all_asked()):
        assert decisions.begin(known(state), one) in {Do.SETTLE, Do.REFUSE_PAYLOAD}


def test_what_is_confirmed_is_never_sent_again() -> None:
    for one in all_asked():
        assert decisions.begin(known(CONFIRMED), one) in {Do.RETURN, Do.REFUSE_PAYLOAD}


@pytest.mark.parametrize(
    ("effect_class", "first_sent_at_ms", "code", "look_up", "same", "do"),
    [
        (A, YOUNG_MS, "", True, True, Do.SEND),
        (A, AT_THE_BORDER_MS, "", True, True, Do.SEND),
        (A, OLD_MS, "", True, True, Do.LOOK_UP),
        (A, OLD_MS, "", False, True, Do.IN_DOUBT),
        (A, YOUNG_MS, "vendor.replayed_failure", True, True, Do.LOOK_UP),
        (A, YOUNG_MS, "vendor.key_conflict", False, True, Do.IN_DOUBT),
        (A, YOUNG_MS, "", True, False, Do.LOOK_UP),
        (A, YOUNG_MS, "", False, False, Do.IN_DOUBT),
        (B, OLD_MS, "", True, True, Do.SEND),
        (B, YOUNG_MS, "", False, True, Do.SEND),
        (B, YOUNG_MS, "", True, False, Do.LOOK_UP),
        (B, YOUNG_MS, "", False, False, Do.NEXT_VERSION),
        (C, YOUNG_MS, "", True, True, Do.LOOK_UP),
        (C, YOUNG_MS, "", True, False, Do.LOOK_UP),
        (C, YOUNG_MS, "", False, True, Do.IN_DOUBT),
        (D, YOUNG_MS, "", False, True, Do.IN_DOUBT),
        (D, YOUNG_MS, "", True, True, Do.IN_DOUBT),
        (D, YOUNG_MS, "", True, False, Do.IN_DOUBT),
    ],
)
def test_an_ambiguous_sending_is_settled_by_class(
    effect_class: EffectClass, first_sent_at_ms: int, code: str, do: Do, *, look_up: bool, same: bool
) -> None:
    one = asked(effect_class, look_up=look_up, same=same)
    assert decisions.settle(known(UNKNOWN, first_sent_at_ms), one, problem_code=code, now_ms=NOW_MS) is do


def every_settlement() -> Iterator[tuple[Known, Asked, str, Do]]:
    times = (None, YOUNG_MS, AT_THE_BORDER_MS, OLD_MS)
    for state, at_ms, one, code in product(sorted(MAYBE_APPLIED), times, all_asked(), CODES):
        remembered = known(state, at_ms)
        yield remembered, one, code, decisions.settle(remembered, one, problem_code=code, now_ms=NOW_MS)


def test_class_d_is_never_sent_again() -> None:
    found = {do for _, one, _, do in every_settlement() if one.effect_class is D}
    assert found == {Do.IN_DOUBT}


def test_only_a_live_key_or_an_upsert_of_the_same_state_is_repeated_blindly() -> None:
    for remembered, one, code, do in every_settlement():
        if do is Do.SEND:
            assert one.same_input
            assert one.effect_class in {A, B}
            assert code not in KEY_SPENT
            if one.effect_class is A and one.key_life_s is not None and remembered.first_sent_at_ms is not None:
                assert NOW_MS - remembered.first_sent_at_ms <= 0.8 * 1000 * one.key_life_s


def test_a_new_key_without_a_look_up_is_for_upserts_of_a_changed_state_alone() -> None:
    for _, one, _, do in every_settlement():
        if do is Do.NEXT_VERSION:
            assert one.effect_class is B
            assert not one.same_input


def test_nothing_is_looked_up_that_cannot_be() -> None:
    assert all(one.can_look_up for _, one, _, do in every_settlement() if do is Do.LOOK_UP)


def test_every_ambiguity_has_a_way_out() -> None:
    assert {do for *_, do in every_settlement()} == {Do.SEND, Do.LOOK_UP, Do.NEXT_VERSION, Do.IN_DOUBT}


def test_what_a_look_up_means() -> None:
    for one, spent in product(all_asked(), (True, False)):
        found = decisions.looked_up(one, found=True, key_spent=spent)
        assert found is (Do.CONFIRM if one.same_input else Do.CONFIRM_AND_STOP)
        absent = decisions.looked_up(one, found=False, key_spent=spent)
        assert absent is (Do.NEXT_VERSION if spent or not one.same_input else Do.SEND)


def test_an_unclear_answer_is_never_a_failure() -> None:
    for one, tries_left in product(all_asked(), (0, 1, 4)):
        verdict = decisions.unknown(one, tries_left=tries_left)
        assert verdict.note == UNKNOWN
        expected = Do.IN_DOUBT if one.effect_class is D else Do.TRY_AGAIN if tries_left else Do.WAIT
        assert verdict.do is expected


@pytest.mark.parametrize(
    ("state", "ambiguous", "note"),
    [
        (SENT, False, INTENDED),
        (SENT, True, UNKNOWN),
        (UNKNOWN, True, None),
        (INTENDED, False, None),
        (INTENDED, True, None),
    ],
)
def test_a_vendor_that_is_away_leaves_an_earlier_doubt_as_it_was(
    state: str, note: str | None, *, ambiguous: bool
) -> None:
    for tries_left, too_long in product((0, 1), (True, False)):
        verdict = decisions.not_now(state, ambiguous=ambiguous, tries_left=tries_left, too_long=too_long)
        assert verdict.note == note
        assert verdict.do is (Do.TRY_AGAIN if tries_left and not too_long else Do.WAIT)


def test_a_refusal_of_the_first_sending_is_remembered_as_one() -> None:
    for one in all_asked():
        assert decisions.refused(one, ambiguous=False) == decisions.Verdict(do=Do.REFUSE, note=REJECTED)


def test_a_refusal_of_a_repeat_leaves_the_first_sending_open() -> None:
    for one in all_asked():
        verdict = decisions.refused(one, ambiguous=True)
        if one.effect_class is D:
            assert verdict == decisions.Verdict(do=Do.REFUSE, note=REJECTED)
            continue
        assert verdict.note == UNKNOWN
        assert verdict.do is (Do.LOOK_UP if one.can_look_up else Do.REFUSE)


@pytest.mark.parametrize(
    ("effect_class", "since_ms", "look_up", "asks"),
    [
        (A, AT_THE_BORDER_MS, True, False),
        (A, OLD_MS, True, True),
        (A, OLD_MS, False, False),
        (B, OLD_MS, True, False),
        (C, OLD_MS, True, False),
        (D, OLD_MS, True, False),
    ],
)
def test_an_old_transaction_asks_before_it_uses_a_key_that_may_be_forgotten(
    effect_class: EffectClass, since_ms: int, *, look_up: bool, asks: bool
) -> None:
    one = asked(effect_class, look_up=look_up)
    assert decisions.may_be_forgotten(one, since_ms=since_ms, now_ms=NOW_MS) is asks
