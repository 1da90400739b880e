"""Every decision says what was measured and what would change it, and every glossary entry stands in its place."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = sorted((DOCS / "decisions").glob("[0-9]*.md"))
SECTIONS = ["Context", "Decision", "Measurement", "Consequences", "What would change our mind"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_decision_has_its_five_sections_filled(page: Path) -> None:
    _, *sections = re.split(r"^## ", page.read_text(), flags=re.MULTILINE)
    titles, texts = zip(*(section.split("\n", 1) for section in sections), strict=True)
    assert list(titles) == SECTIONS
    assert all(text.strip() for text in texts)


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [page.name[:4] for page in PAGES] == [f"{number:04}" for number in range(1, len(PAGES) + 1)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_index_tells_the_status_the_page_tells(page: Path) -> None:
    found = re.search(r"^Status: (.+)$", page.read_text(), re.MULTILINE)
    assert found
    assert re.search(rf"\({page.name}\) \|[^|]+\| {found[1]} \|", (DOCS / "decisions" / "README.md").read_text())


def test_the_glossary_explains_each_word_once_and_in_order() -> None:
    words = re.findall(r"^\*\*(.+?)\.?\*\*", (DOCS / "glossary.md").read_text(), re.MULTILINE)
    assert len(words) > 0
    assert words == sorted(set(words), key=str.casefold)
