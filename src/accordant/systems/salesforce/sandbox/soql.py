"""Reads the part of SOQL that integrations use: fields and paths, AND-ed conditions, order and limit.

Source: https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select.htm
"""

import re
from decimal import Decimal
from typing import Any

import msgspec

from accordant.systems.salesforce.sandbox.rows import RowError

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>'(?:[^'\\]|\\.)*')
    | (?P<moment>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))
    | (?P<date>\d{4}-\d\d-\d\d)
    | (?P<number>-?\d+(?:\.\d+)?)
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)
    | (?P<sign>!=|<>|<=|>=|=|<|>|\(|\)|,)
    )""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_COMPARISONS = frozenset({"=", "!=", "<", "<=", ">", ">="})
MAX_LENGTH = 100_000


class Token(msgspec.Struct, frozen=True):
    """One word of a query; `kind` is a group of the pattern, `at` its first character counted from 1."""

    kind: str
    text: str
    at: int


class Moment(msgspec.Struct, frozen=True):
    """A date-time literal."""

    text: str


class Condition(msgspec.Struct, frozen=True):
    """`path` compared with `value`; for IN and NOT IN the value is a list."""

    path: str
    operator: str
    value: Any


class Order(msgspec.Struct, frozen=True):
    """One term of ORDER BY."""

    path: str
    descending: bool
    nulls_first: bool


class Query(msgspec.Struct, frozen=True):
    """One SELECT; no `paths` means count()."""

    paths: tuple[str, ...]
    object_word: str
    conditions: tuple[Condition, ...]
    orders: tuple[Order, ...]
    limit: int | None
    offset: int
    text: str


def parse(text: str) -> Query:
    """Read a query.

    Raises:
        RowError: MALFORMED_QUERY, pointing at the word that is wrong.
    """
    if len(text) > MAX_LENGTH:
        raise RowError("MALFORMED_QUERY", f"SOQL statements cannot be longer than {MAX_LENGTH} characters.")
    return _Parser(text).query()


def caret(text: str, at: int, *, message: str) -> str:
    """The vendor's way to point into a query."""
    return f"\n{text}\n{' ' * (at - 1)}^\nERROR at Row:1:Column:{at}\n{message}"


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split(text)
        self._next = 0

    def query(self) -> Query:
        self._expect("select")
        paths = self._paths()
        self._expect("from")
        object_word = self._take("word").text
        conditions = self._conditions() if self._skip("where") else ()
        orders = self._orders() if self._skip("order") else ()
        limit = int(self._take("number").text) if self._skip("limit") else None
        offset = int(self._take("number").text) if self._skip("offset") else 0
        if self._peek() is not None:
            raise self._unexpected()
        return Query(paths, object_word, conditions, orders, limit, offset, self._text)

    def _paths(self) -> tuple[str, ...]:
        first = self._take("word").text
        if first.lower() == "count" and self._skip("("):
            self._expect(")")
            return ()
        paths = [first]
        while self._skip(","):
            paths.append(self._take("word").text)
        return tuple(paths)

    def _conditions(self) -> tuple[Condition, ...]:
        found = [self._condition()]
        while self._skip("and"):
            found.append(self._condition())
        return tuple(found)

    def _condition(self) -> Condition:
        if self._skip("("):
            inner = self._condition()
            self._expect(")")
            return inner
        path = self._take("word").text
        if self._skip("in"):
            return Condition(path, "in", self._list())
        if self._skip("not"):
            self._expect("in")
            return Condition(path, "not in", self._list())
        sign = self._take("sign").text
        sign = "!=" if sign == "<>" else sign
        if sign not in _COMPARISONS:
            raise self._unexpected(back=1)
        return Condition(path, sign, self._value())

    def _list(self) -> list[Any]:
        self._expect("(")
        values = [self._value()]
        while self._skip(","):
            values.append(self._value())
        self._expect(")")
        return values

    def _value(self) -> Any:
        token = self._peek()
        if token is None:
            raise self._unexpected()
        self._next += 1
        if token.kind == "text":
            return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), token.text[1:-1])
        if token.kind == "moment":
            return Moment(token.text)
        if token.kind == "number":
            return Decimal(token.text)
        if token.kind == "date":
            return token.text
        words = {"null": None, "true": True, "false": False}
        if token.kind == "word" and token.text.lower() in words:
            return words[token.text.lower()]
        raise self._unexpected(back=1)

    def _orders(self) -> tuple[Order, ...]:
        self._expect("by")
        orders = [self._order()]
        while self._skip(","):
            orders.append(self._order())
        return tuple(orders)

    def _order(self) -> Order:
        path = self._take("word").text
        descending = self._skip("desc")
        if not descending:
            self._skip("asc")
        nulls_first = True
        if self._skip("nulls"):
            nulls_first = self._skip("first")
            if not nulls_first:
                self._expect("last")
        return Order(path, descending, nulls_first)

    def _peek(self) -> Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _skip(self, word: str) -> bool:
        token = self._peek()
        if token is None or token.kind not in ("word", "sign") or token.text.lower() != word:
            return False
        self._next += 1
        return True

    def _expect(self, word: str) -> None:
        if not self._skip(word):
            raise self._unexpected()

    def _take(self, kind: str) -> Token:
        token = self._peek()
        if token is None or token.kind != kind:
            raise self._unexpected()
        self._next += 1
        return token

    def _unexpected(self, back: int = 0) -> RowError:
        place = self._next - back
        if place >= len(self._tokens):
            return RowError(
                "MALFORMED_QUERY", caret(self._text, len(self._text) or 1, message="unexpected token: '<EOF>'")
            )
        token = self._tokens[place]
        return RowError("MALFORMED_QUERY", caret(self._text, token.at, message=f"unexpected token: '{token.text}'"))

    def _split(self, text: str) -> list[Token]:
        tokens: list[Token] = []
        at = 0
        stop = len(text.rstrip())
        while at < stop:
            found = _TOKEN.match(text, at)
            if found is None or found.lastgroup is None:
                message = f"unexpected token: '{text[at : at + 10].strip()}'"
                raise RowError("MALFORMED_QUERY", caret(text, at + 1, message=message))
            tokens.append(Token(found.lastgroup, found[found.lastgroup], found.start(found.lastgroup) + 1))
            at = found.end()
        return tokens
