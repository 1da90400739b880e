"""The table of bad inputs: what is sent where, and what the product must say to it."""

import base64
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from tests.bad_input.makers import MADE

FOLDER = Path(__file__).parent / "tables"


WORDS = {
    "LONG": "x" * 300,
    "KB20": "x" * 20_000,
    "HUGE": "t=1,v1=" + "0" * 1_000_000,
    "MANY": "t=1795262401," + ",".join(["v1=" + "0" * 64] * 1000),
    "DIGITS": "9" * 5000,
    "LONG_CSV": "value,target,owner,effective_from,effective_to\n" + "a" * 600 + ",b,c,,\n",
    "LONG_VALUE": '{"value":"' + "v" * 600 + '","target":"b"}',
}
"""Texts too long to be written down."""


class Input(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row. Exactly one of `text`, `base64`, `make`, `change` and `args` says what is sent."""

    n: int | list[int] = 0
    """Number, or numbers, in the catalogue; 0 for what our own tests and the fuzzing found."""
    name: str
    to: list[str]
    """Surfaces; see surfaces.py."""
    code: str
    """`ok` where it is read after all."""
    text: str | None = None
    base64: str | None = None
    make: str | None = None
    change: dict[str, Any] | None = None
    """Fields that differ from a good row."""
    args: list[str] | None = None
    """Of a command, or of a function."""
    at: str | None = None
    """JSON pointer, or line:column."""
    says: str = ""
    """Regular expression found in message or hint."""
    status: int | None = None
    headers: dict[str, str] = {}
    signed: str = "yes"
    """yes, no, or a way of signing wrongly that the surface knows."""
    door: str = ""
    """Connection whose address it is sent to, where it is another than the signer's."""
    request: str = ""
    """Method and path of a command to the API."""
    file: str = ""
    """Which file of an estate or export it replaces."""
    env: dict[str, str] = {}

    @property
    def numbers(self) -> list[int]:
        return self.n if isinstance(self.n, list) else [self.n]

    @property
    def body(self) -> bytes:
        if self.make is not None:
            return MADE[self.make]()
        if self.base64 is not None:
            return base64.b64decode(self.base64)
        return WORDS.get(self.text or "", self.text or "").encode()


class Later(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the catalogue whose surface does not exist yet, or that is proved elsewhere."""

    n: list[int]
    why: str


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    inputs: list[Input] = []
    not_yet: list[Later] = []
    codes: dict[str, str] = {}
    """Codes that no input alone can cause, and the test that causes each."""
    elsewhere: list[Later] = []
    """Rows of the catalogue that need more than one input, with the test that gives it."""


@cache
def tables() -> dict[str, _Table]:
    """Every table by the name of its file."""
    return {path.stem: _read(path) for path in sorted(FOLDER.glob("*.yaml"))}


def _read(path: Path) -> _Table:
    table = msgspec.yaml.decode(path.read_bytes(), type=_Table)
    return msgspec.structs.replace(table, inputs=[_spelled(one) for one in table.inputs])


def _spelled(one: Input) -> Input:
    def spelled(value: Any) -> Any:
        return WORDS.get(value, value) if isinstance(value, str) else value

    return msgspec.structs.replace(
        one,
        headers={name: spelled(value) for name, value in one.headers.items()},
        change={name: spelled(value) for name, value in one.change.items()} if one.change is not None else None,
        args=[spelled(word) for word in one.args] if one.args is not None else None,
    )


def inputs() -> list[Input]:
    return [one for table in tables().values() for one in table.inputs]


def cases(surface: str) -> list[Input]:
    return [one for one in inputs() if surface in one.to]
