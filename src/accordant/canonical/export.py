"""Writes the canonical data model down as JSON Schemas that others can build against.

`python -m accordant.canonical.export docs/reference/schemas` writes one file for each version of a noun or event and
an `index.json` that says of each event its CloudEvents type, who alone tells it, and where its ordering key stands.
A file of an earlier version stays where it is: somebody may still read events of that version.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import msgspec

import accordant.canonical
from accordant.canonical.envelope import Event, Fact

DIALECT = "https://json-schema.org/draft/2020-12/schema"
INDEX = "index.json"


def exported() -> Mapping[str, bytes]:
    """Every file of the export by its name, the same bytes on every machine."""
    nouns = sorted(_nouns(), key=lambda noun: noun.__name__)
    events = sorted(_events(), key=lambda event: event.type)
    files = {_file_of(_kebab(noun.__name__), _version_of(noun)): noun for noun in nouns}
    files |= {_event_file(event): event for event in events}
    index = {
        "envelope": "event.v1.json",
        "nouns": {
            _kebab(noun.__name__): {"version": _version_of(noun), "schema": name}
            for name, noun in files.items()
            if noun in nouns
        },
        "events": {
            event.type: {
                "version": event.version,
                "producer": event.producer,
                "ordering_key": event.ordering_key,
                "schema": _event_file(event),
            }
            for event in events
        },
    }
    files["event.v1.json"] = Event
    return {INDEX: _text(index), **{name: _schema(name, kind) for name, kind in sorted(files.items())}}


def _structs() -> Iterator[type[msgspec.Struct]]:
    """The structs of every module of the canonical model, where they are defined."""
    for found in iter_modules(accordant.canonical.__path__, "accordant.canonical."):
        if found.name != __name__:
            for one in vars(import_module(found.name)).values():
                if isinstance(one, type) and issubclass(one, msgspec.Struct) and one.__module__ == found.name:
                    yield one


def _nouns() -> list[type[msgspec.Struct]]:
    return [one for one in _structs() if "schema_version" in one.__struct_fields__]


def _events() -> list[type[Fact]]:
    return [one for one in _structs() if issubclass(one, Fact) and one is not Fact]


def _version_of(noun: type[msgspec.Struct]) -> int:
    (field,) = (one for one in msgspec.structs.fields(noun) if one.name == "schema_version")
    return int(field.default)


def _kebab(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


def _file_of(name: str, version: int) -> str:
    return f"{name}.v{version}.json"


def _event_file(event: type[Fact]) -> str:
    return _file_of(event.type.removeprefix("accordant."), event.version)


def _schema(name: str, kind: type[msgspec.Struct]) -> bytes:
    return _text({"$schema": DIALECT, "$id": name, **msgspec.json.schema(kind)})


def _text(value: dict[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=2) + b"\n"


def main(arguments: list[str]) -> int:
    """Write the export into the folder that is named; returns the exit code."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m accordant.canonical.export DIR\n")
        return 2
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    files = exported()
    for name, text in files.items():
        (folder / name).write_bytes(text)
    sys.stdout.write(f"{len(files)} files in {folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
