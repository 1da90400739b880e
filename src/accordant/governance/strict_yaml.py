"""YAML as a plain form: no tags, no aliases, no key twice, and every value knows its line.

Source: YAML 1.2.2, https://yaml.org/spec/1.2.2/
"""

import io
import re
from pathlib import Path
from typing import Any

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from accordant.governance.problems import File, Place

_BYTES_MAX = 1_000_000
_DEPTH_MAX = 20
_BRACKETS = re.compile(r"(?:[\[{][ \t\r\n]*){21}")
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?", re.ASCII)
"""No underscores, exponents, infinities or other digits; what looks otherwise stays text, and is refused as such."""

Plain = str | int | float | bool | None


class Spot(msgspec.Struct, frozen=True):
    """A value and where it stands."""

    at: Place
    key_at: Place
    """Where the key of this value stands; the value's own place where it has none."""
    value: "Plain | dict[str, Spot] | list[Spot]"

    @property
    def entries(self) -> dict[str, "Spot"]:
        """The entries of a mapping; none for anything else."""
        return self.value if isinstance(self.value, dict) else {}

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: spot.plain() for key, spot in self.value.items()}
        if isinstance(self.value, list):
            return [spot.plain() for spot in self.value]
        return self.value


def read_yaml(path: Path, file: File) -> Spot | None:
    """The mapping a file holds; None, and a problem noted, where it holds none."""
    text = _text(path, file)
    if text is None:
        return None
    try:
        if not _is_plain_form(text, file):
            return None
        node: Any = _yaml().compose(io.StringIO(text))
    except (YAMLError, ValueError) as broken:
        _note_syntax(broken, file)
        return None
    if node is None or node.id != "mapping":
        file.problem((1, 1), "yaml.shape", what="no mapping", expected="`key: value` lines", fix="write one")
        return None
    return _spot(node, _place(node), file=file)


def _text(path: Path, file: File) -> str | None:
    try:
        with path.open("rb") as opened:
            raw = opened.read(_BYTES_MAX + 1)
        if len(raw) > _BYTES_MAX:
            file.problem((1, 1), "yaml.too_large", what="a longer file", expected="at most 1 MB", fix="shorten it")
            return None
        return raw.decode()
    except OSError as failed:
        file.unreadable(failed)
    except UnicodeDecodeError:
        file.problem((1, 1), "yaml.encoding", what="not UTF-8", expected="UTF-8 text", fix="save it as UTF-8")
    return None


def _yaml() -> Any:
    return YAML(typ="safe", pure=True)


def _is_plain_form(text: str, file: File) -> bool:
    """Look at the events, which cost no more than the text is long, before anything is built from them."""
    deep = _BRACKETS.search(text)
    if deep is not None:  # the parser looks far ahead in such a text, at every bracket
        at = text.count("\n", 0, deep.start()) + 1, deep.start() - text.rfind("\n", 0, deep.start())
        file.problem(at, "yaml.too_deep", what="nested too deeply", expected="few levels", fix="flatten it")
        return False
    depth = 0
    for event in _yaml().parse(io.StringIO(text)):
        kind = type(event).__name__
        depth += kind.endswith("StartEvent") - kind.endswith("EndEvent")
        at = _place(event)
        if kind == "AliasEvent" or getattr(event, "anchor", None):
            file.problem(at, "yaml.alias", what="an anchor or alias", expected="plain values", fix="repeat the value")
        elif getattr(event, "ctag", None) is not None:
            file.problem(at, "yaml.tag", what=f"the tag {event.ctag}", expected="plain values", fix="remove the tag")
        if depth > _DEPTH_MAX:
            file.problem(at, "yaml.too_deep", what="nested too deeply", expected="few levels", fix="flatten it")
            return False
    return file.is_sound


def _spot(node: Any, key_at: Place, *, file: File) -> Spot:
    at = _place(node)
    if node.id == "mapping":
        return Spot(at, key_at, _entries(node, file))
    if node.id == "sequence":
        return Spot(at, key_at, [_spot(item, _place(item), file=file) for item in node.value])
    return Spot(at, key_at, _scalar(node))


def _entries(node: Any, file: File) -> dict[str, Spot]:
    entries: dict[str, Spot] = {}
    for key, value in node.value:
        at = _place(key)
        if key.id != "scalar":
            file.problem(at, "yaml.key", what="a key that is no word", expected="a word", fix="write a word")
        elif key.value in entries:
            file.problem(
                at, "yaml.duplicate_key", what=f"{key.value!r} twice", expected="each key once", fix="remove one"
            )
        else:
            entries[key.value] = _spot(value, at, file=file)
    return entries


def _scalar(node: Any) -> Plain:
    """Text stays text, also where it looks like a date; only plain decimal numbers are numbers."""
    kind = str(node.tag).rpartition(":")[2]
    text: str = node.value
    if kind == "null":
        return None
    if kind == "bool":
        return text.casefold() == "true"
    if kind not in {"int", "float"} or not _NUMBER.fullmatch(text):
        return text
    return int(text) if kind == "int" else float(text)


def _place(thing: Any) -> Place:
    return thing.start_mark.line + 1, thing.start_mark.column + 1


def _note_syntax(broken: Exception, file: File) -> None:
    mark: Any = getattr(broken, "problem_mark", None)
    at = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    what = str(getattr(broken, "problem", None) or "cannot be read").strip()
    file.problem(at, "yaml.syntax", what=what, expected="YAML", fix="mend the line; indent with spaces")
