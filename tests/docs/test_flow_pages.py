"""Every shipped flow has its page and picture, and both say what its code does."""

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from accordant.backbone.flow import Describe, Flow, flow
from accordant.backbone.transaction import Transaction
from accordant.canonical.case import CreditRequested
from accordant.canonical.operation import Operation
from accordant.canonical.payment import PaymentReceived
from accordant.canonical.ports import Billing, Erp
from accordant.experience.flow_pages.__main__ import pages
from accordant.experience.flow_pages.outline import End, Frame, Step, Verb
from accordant.experience.flow_pages.reading import outline_of
from accordant.kernel.errors import Malformed, Misconfigured
from accordant.wiring import FLOWS

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs/flows"
MADE = pages()


def test_the_pages_are_what_the_code_says() -> None:
    there = {file.name: file.read_text(encoding="utf-8") for file in FOLDER.iterdir()}
    assert there.keys() == MADE.keys(), "run `make docs` and commit docs/flows"
    assert [name for name in MADE if there[name] != MADE[name]] == [], "run `make docs` and commit docs/flows"


@pytest.mark.parametrize("name", list(FLOWS.all()))
def test_page_and_picture_show_every_step(name: str) -> None:
    outline, page = outline_of(FLOWS.named(name)), MADE[f"{name}.md"]
    picture = ElementTree.fromstring(MADE[f"{name}.svg"])
    words = [one.text for one in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert [one.name for one in outline.steps() if one.name not in words] == []
    assert [one.name for one in outline.steps() if one.kind == "effect" and f"| {one.name} |" not in page] == []
    assert f"]({name}.md)" in MADE["README.md"]


def test_every_link_leads_somewhere() -> None:
    for name, page in MADE.items():
        for target in re.findall(r"\]\(([^)]+)\)", page if name.endswith(".md") else ""):
            file, _, anchor = target.partition("#")
            assert (FOLDER / file).exists(), f"{name} → {target}"
            if anchor:
                heads = re.findall(r"^#+ (.*)$", (FOLDER / file).read_text(encoding="utf-8"), re.MULTILINE)
                assert anchor in {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in heads}, target


def in_both(billing: Billing, erp: Erp, body: Any) -> dict[str, Operation]:
    return {"billing": billing.open_customer(body), "erp": erp.open_customer(body, erp_entity="1")}


def positive(amount: int, estate: Any, /) -> int:
    """Refuse nothing and less. It says more after the first sentence."""
    if amount <= 0:
        raise Malformed("too little", code="money.negative")
    return amount


async def opened(tx: Transaction, *, known: dict[str, str], billing: Billing, erp: Erp) -> None:
    for system, operation in in_both(billing, erp, None).items():
        if system in known:
            continue
        await tx.effect(f"open in {system}", operation)


def described(run: Any) -> Flow:
    return flow(on=CreditRequested, owner="x", describe=Describe(party=str, worth=lambda _: None))(run)


def test_a_flow_is_read_in_the_order_in_which_it_acts() -> None:
    async def small(tx: Transaction, event: Any, *, billing: Billing, erp: Erp) -> None:
        amount = await tx.check("amount", positive, event.amount)
        if amount > 10:
            await tx.until("a day later", 5)
            return
        await opened(tx, known={}, billing=billing, erp=erp)
        for line in event.lines:
            granting = billing.grant_credit(line, account=line)
            await tx.effect(f"grant {line}", granting, undo=lambda _: billing.counter_credit(event, account=event))
        await tx.expect("payment", PaymentReceived, match="x", within_s=5)

    items = outline_of(described(small)).items
    first, second, third, fourth, fifth, last = items
    assert isinstance(first, Step)
    assert (first.rule, first.says, first.codes) == ("positive", "Refuse nothing and less", ("money.negative",))
    assert isinstance(second, Frame)
    assert (second.kind, second.label) == ("if", "if amount > 10")
    assert second.items == (Step(kind="until", name="a day later"), End())
    assert third == Step(
        kind="effect",
        name="open in billing",
        verbs=(Verb("billing", "open_customer"),),
        unless="billing is known already",
    )
    assert isinstance(fourth, Step)
    assert fourth.verbs == (Verb("erp", "open_customer"),)
    assert isinstance(fifth, Frame)
    assert fifth.label == "for each line"
    assert fifth.items[0] == Step(
        kind="effect",
        name="grant …",
        verbs=(Verb("billing", "grant_credit"),),
        undo=(Verb("billing", "counter_credit"),),
    )
    assert isinstance(last, Step)
    assert (last.event, last.codes) == (PaymentReceived.type, ("promise.broken",))


def test_a_step_that_cannot_be_followed_is_said() -> None:
    async def hidden(tx: Transaction, event: Any, *, billing: Billing) -> None:
        steps = [lambda one: tx.effect(one, billing.open_customer(one))]
        for step in steps.copy():
            await step("x")

    async def handed_on(tx: Transaction, event: Any) -> None:
        await event.run(tx)

    for run, missed in ((hidden, "tx.effect"), (handed_on, "event.run")):
        with pytest.raises(Misconfigured, match=f"cannot tell when .*{missed}"):
            outline_of(described(run))
