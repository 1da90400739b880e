"""A person looked in the system and says what a doubtful write came to; then it goes on, on every engine."""

import pytest

from accordant.kernel.errors import Refused
from tests.backbone.conformance.conftest import Rigs
from tests.backbone.conformance.rig import Rig
from tests.backbone.conformance.test_effects import single
from tests.backbone.conformance.vendor import A, D


async def _in_doubt(rigs: Rigs, happens: str) -> Rig:
    rig = rigs(single(D))
    rig.vendor.plan = {"o": [happens]}
    await rig.start()
    await rig.tell("o", customer="c")
    await rig.tell("next", customer="c")
    await rig.settled()
    return rig


async def test_what_was_found_is_confirmed_and_never_sent_again(rigs: Rigs) -> None:
    rig = await _in_doubt(rigs, "timeout after")
    assert await rig.desk.settle(rig.open_items()[0].exception_id, native_id="N-7", actor="kim") == 1
    await rig.settled()
    assert rig.state("o") == rig.state("next") == "completed"
    assert rig.open_items() == []
    assert [one for one, _ in rig.vendor.calls] == ["o", "next"]
    (effect,) = [one for one in rig.effects() if one.business_id == "o"]
    assert (effect.state, effect.native_id, effect.own) == ("confirmed", "N-7", 1)
    rig.check()


async def test_what_was_not_found_is_sent_once_more_under_a_new_key(rigs: Rigs) -> None:
    rig = await _in_doubt(rigs, "5xx before")
    await rig.desk.settle(rig.open_items()[0].exception_id, native_id="", actor="kim")
    await rig.settled()
    assert rig.state("o") == "completed"
    sent = [key for one, key in rig.vendor.calls if one == "o"]
    assert len(sent) == 2
    assert len(set(sent)) == 2
    assert rig.vendor.times("o") == 1
    rig.check()


async def test_only_a_doubt_that_is_open_can_be_settled_and_only_once(rigs: Rigs) -> None:
    rig = await _in_doubt(rigs, "timeout after")
    item = rig.open_items()[0]
    await rig.desk.settle(item.exception_id, native_id="N-7", actor="kim")
    with pytest.raises(Refused, match="not an open exception"):
        await rig.desk.settle(item.exception_id, native_id="N-8", actor="lee")
    with pytest.raises(Refused, match="not an open exception"):
        await rig.desk.settle("exc-none", native_id="N-8", actor="lee")


async def test_a_refusal_is_no_doubt(rigs: Rigs) -> None:
    rig = rigs(single(A))
    rig.vendor.plan = {"o": ["no"]}
    await rig.start()
    await rig.tell("o")
    await rig.settled()
    with pytest.raises(Refused, match="asks about no doubtful write") as refused:
        await rig.desk.settle(rig.open_items()[0].exception_id, native_id="N-7", actor="kim")
    assert refused.value.code == "exception.not_doubtful"
    assert len(rig.open_items()) == 1
