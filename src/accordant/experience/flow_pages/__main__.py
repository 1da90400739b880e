"""`python -m accordant.experience.flow_pages docs/flows` writes a page and a picture for each shipped flow."""

import sys
import tempfile
from functools import lru_cache
from pathlib import Path

from accordant.backbone.flow import Flow
from accordant.experience.cli.flow_demo import how_played
from accordant.experience.flow_pages.drawing import Told, drawn
from accordant.experience.flow_pages.page import Facts, page_of, story_of, title_of
from accordant.experience.flow_pages.reading import outline_of
from accordant.governance import demo_estate
from accordant.governance.estate import Estate
from accordant.governance.estate_files import load_estate
from accordant.wiring import FLOWS, VENDORS

INDEX = "README.md"
_INDEX_HEAD = """<!-- Written by `make docs` from the code. -->

# Flows

What is shipped, each on a page of its own: its steps as a picture, what it writes and how that is taken back, what it
waits for, and what can stop it. A flow is a module of `src/accordant/process`.

| flow | begins with | what it does | owner | played by |
| --- | --- | --- | --- | --- |
"""


def pages() -> dict[str, str]:
    """Every file of the folder, by its name."""
    made = {INDEX: _INDEX_HEAD + "".join(_row(name, one) for name, one in FLOWS.all().items())}
    for name, one in FLOWS.all().items():
        outline = outline_of(one)
        classes = _classes()
        alike = {key: found[0][1] for key, found in classes.items() if len({letter for _, letter in found}) == 1}
        told = Told(
            title=title_of(name),
            event=one.on.__name__,
            producer=one.on.producer,
            classes=alike,
            deciders={kind: found.roles for kind, found in _estate().approvals.kinds.items()},
        )
        facts = Facts(flow=one, estate=_estate(), classes=classes, played_by=how_played(name))
        made[f"{name}.md"] = page_of(outline, facts)
        made[f"{name}.svg"] = drawn(outline, told)
    return made


def _row(name: str, one: Flow) -> str:
    story = story_of(one.story)
    cells = (f"[{title_of(name)}]({name}.md)", f"`{one.on.type}`", story.title, one.owner, f"`{how_played(name)}`")
    return f"| {' | '.join(cells)} |\n"


@lru_cache(maxsize=1)
def _estate() -> Estate:
    with tempfile.TemporaryDirectory() as folder:
        demo_estate.install(Path(folder))
        return load_estate(Path(folder))


@lru_cache(maxsize=1)
def _classes() -> dict[tuple[str, str], list[tuple[str, str]]]:
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for connector in VENDORS.values():
        for able in connector.capabilities:
            found.setdefault((connector.role, able.verb), []).append((connector.vendor, able.effect_class.value))
    return found


def main(arguments: list[str]) -> int:
    """Write every page; what no flow stands for any more is removed."""
    folder = Path(arguments[0] if arguments else "docs/flows")
    folder.mkdir(parents=True, exist_ok=True)
    made = pages()
    for file in folder.iterdir():
        if file.suffix in (".md", ".svg") and file.name not in made:
            file.unlink()
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
