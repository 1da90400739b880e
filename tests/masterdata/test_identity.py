import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from accordant.canonical.customer import SourceAccount
from accordant.kernel.database import Changes
from accordant.kernel.errors import Malformed
from accordant.masterdata.identity import (
    Ambiguous,
    Decision,
    KnownCustomer,
    Marks,
    New,
    Same,
    ambiguous_identity,
    decide,
    identity_rows,
    identity_table,
    known_customers,
    marks_of,
)
from accordant.masterdata.identity_marks import normal_domain, normal_name, normal_tax_id
from tests.governance.databases import Storage


def account(name: str, *, domain: str | None = None, tax_id: str | None = None) -> SourceAccount:
    return SourceAccount(source_id=f"id of {name}", name=name, country_word="", domain=domain, tax_id=tax_id)


def known(customer_id: str, *accounts: Marks) -> KnownCustomer:
    return KnownCustomer(
        customer_id=customer_id,
        tax_ids=frozenset(each.tax_id for each in accounts if each.tax_id),
        domains=frozenset(each.domain for each in accounts if each.domain),
        names=frozenset(each.name_country for each in accounts),
    )


def marks(name: str, country: str = "DE", **more: str) -> Marks:
    return Marks(name_country=f"{name}|{country}", **more)


@pytest.mark.parametrize(
    ("candidate", "decision"),
    [
        (marks("other"), New()),
        (marks("qq", "FR"), New()),
        (marks("qq"), Same("A", "name_country")),
        (marks("qq", tax_id="DE:1"), Same("A", "tax_id")),
        (marks("renamed", "FR", tax_id="DE:1", domain="else.example"), Same("A", "tax_id")),
        (marks("other", domain="qq.example"), Same("A", "domain")),
        (marks("qq", domain="qq.example"), Same("A", "domain")),
        # A stronger mark contradicts the name.
        (marks("qq", tax_id="DE:2"), Ambiguous(("A",), "")),
        (marks("qq", domain="else.example"), Ambiguous(("A",), "")),
        (marks("qq", tax_id="DE:2", domain="qq.example"), Ambiguous(("A",), "")),
        # A domain is shared by the companies of a group.
        (marks("other", "FR", domain="qq.example"), Ambiguous(("A",), "")),
        (marks("other", domain="qq.example", parent_id="P"), Ambiguous(("A",), "")),
        (marks("other", domain="qq.example", tax_id="DE:2"), New()),
        # A subsidiary is not its parent.
        (marks("other", domain="qq.example", parent_id="A"), New()),
        (marks("qq", parent_id="A"), New()),
    ],
)
def test_each_rule_on_its_border(candidate: Marks, decision: Decision) -> None:
    found = decide(candidate, [known("A", marks("qq", tax_id="DE:1", domain="qq.example"))])
    if isinstance(decision, Ambiguous):
        assert isinstance(found, Ambiguous)
        assert found.candidates == decision.candidates
        assert found.reason
    else:
        assert found == decision


@pytest.mark.parametrize(
    "candidate",
    [marks("qq"), marks("x", tax_id="DE:1"), marks("x", domain="qq.example")],
    ids=["name", "tax", "domain"],
)
def test_two_customers_with_one_mark_are_for_a_person_to_decide(candidate: Marks) -> None:
    both = [known(each, marks("qq", tax_id="DE:1", domain="qq.example")) for each in ("B", "A")]
    found = decide(candidate, both)
    assert isinstance(found, Ambiguous)
    assert found.candidates == ("A", "B")
    refused = ambiguous_identity(account("Qq"), found=found)
    assert refused.code == "identity.ambiguous"
    assert refused.detail["candidates"] == ["A", "B"]
    assert "A or B" in refused.message


def test_a_customer_without_marks_contradicts_nothing() -> None:
    assert decide(marks("qq", tax_id="DE:1", domain="q.example"), [known("A", marks("qq"))]) == Same(
        "A", "name_country"
    )


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Qq-holding", "Qq-mabon"),
        ("Plotfind", "Plottech"),
        ("Plot find", "Plotfind"),
        ("Zimtron", "Zimtrom"),
        ("Ulmo Group", "Ulmo"),
        ("Ulmo-Co", "Ulmo"),
        ("Ulmo Germany", "Ulmo France"),
    ],
)
def test_alike_is_not_the_same(left: str, right: str) -> None:
    first, second = (marks_of(account(name), country="US") for name in (left, right))
    assert decide(second, [known("A", first)]) == New()


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("ULMO, Inc.", "ulmo"),
        ("Ulmo GmbH & Co. KG", "ulmo"),
        ("ＵＬＭＯ Ltd", "ulmo"),
        ("Ulmo  &  Sons S.A.", "ulmo sons"),
        ("Straße AG", "strasse"),
        ("Co", "co"),
        ("!!!", ""),
        ("KG GmbH", "kg"),
        ("SS Inc.", "ss"),
        ("- GmbH", "gmbh"),
        ("! Co. GmbH", "co"),
    ],
)
def test_a_name_is_reduced_to_its_words(text: str, normal: str) -> None:
    assert normal_name(text) == normal


@example("ß", " GmbH")
@given(st.text(max_size=30), st.sampled_from([" GmbH", " Inc.", ", Ltd.", " S.A."]))
def test_case_spaces_and_legal_form_never_matter(name: str, legal_form: str) -> None:
    plain = normal_name(name)
    assert normal_name(f"  {name}\t") == plain
    assert normal_name(name.casefold()) == plain
    if plain and name[-1:].isalnum():
        assert normal_name(name + legal_form) == plain


@given(st.lists(st.text("abcdefgh", min_size=4, max_size=8), min_size=2, max_size=2, unique=True))
def test_different_words_stay_different(words: list[str]) -> None:
    assert normal_name(words[0]) != normal_name(words[1])


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("https://www.Ulmo.Example/about?x=1", "ulmo.example"),
        ("ulmo.example.", "ulmo.example"),
        ("sales@ulmo.example", "ulmo.example"),
        ("ulmo.example:8443", "ulmo.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("someone@gmail.com", None),
        ("localhost", None),
        ("127.0.0.1", None),
        ("n/a", None),
        ("", None),
    ],
)
def test_a_domain_is_reduced_to_its_host(text: str, domain: str | None) -> None:
    assert normal_domain(text) == domain


@given(st.text(max_size=60))
def test_no_text_breaks_the_reading_of_a_domain(text: str) -> None:
    found = normal_domain(text)
    assert found is None or normal_domain(found) == found


@pytest.mark.parametrize(
    ("text", "country", "tax_id"),
    [
        ("DE 136,695 976", "DE", "DE:136695976"),
        ("136695976", "DE", "DE:136695976"),
        ("NL4495445B01", "DE", "NL:004495445B01"),
        ("91-1144442", "US", "US:911144442"),
        ("ab 12/3", "ZZ", "ZZ:AB123"),
    ],
)
def test_a_tax_id_is_checked_and_has_one_spelling(text: str, country: str, tax_id: str) -> None:
    assert normal_tax_id(text, country=country) == tax_id


@pytest.mark.parametrize(("text", "country"), [("DE136695979", "DE"), ("12", "US"), ("--", "ZZ"), ("n/a", "DE")])
def test_a_tax_id_that_cannot_be_right_is_refused(text: str, country: str) -> None:
    with pytest.raises(Malformed) as refused:
        normal_tax_id(text, country=country)
    assert refused.value.code == "value.tax_id"


async def test_what_is_stored_is_recognised(storage: Storage) -> None:
    first = marks_of(account("Ulmo GmbH", domain="ulmo.example", tax_id="DE136695976"), country="DE")
    second = marks_of(account("Vessa"), country="DE")
    changes = Changes()
    foreign = identity_rows("other", "A", marks=marks("foreign", domain="foreign.example"))
    for row in (*identity_rows("t", "A", marks=first), *identity_rows("t", "B", marks=second), *foreign):
        changes.add(identity_table, row)
        changes.add(identity_table, row)
    await storage.writer.commit(changes, at="test")

    def seen(asked: Marks, tenant: str = "t") -> tuple[KnownCustomer, ...]:
        return storage.database.read_now(lambda c: known_customers(c, tenant, marks=asked))

    assert seen(marks_of(account("ULMO"), country="DE")) == (known("A", first),)
    assert seen(marks_of(account("x", domain="www.ulmo.example"), country="FR")) == (known("A", first),)
    assert seen(marks_of(account("Nobody"), country="DE")) == ()
    assert seen(marks_of(account("ULMO"), country="DE"), tenant="other") == ()
    assert [each.customer_id for each in seen(marks("vessa", domain="ulmo.example"))] == ["A", "B"]
    assert seen(marks_of(account("!!!"), country="DE")) == ()
