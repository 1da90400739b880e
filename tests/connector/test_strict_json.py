"""What comes from outside is either read exactly or refused by name, quickly."""

import contextlib
import json
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accordant.connector.strict_json import ANSWER, WEBHOOK, JsonLimits, decode, encode
from accordant.kernel.errors import Malformed

REFUSED: list[tuple[bytes, str, str | None]] = [
    (b"", "json.empty", None),
    (b" \r\n\t", "json.empty", None),
    (b'{"id":1', "json.syntax", None),
    (b"{} {}", "json.trailing", None),
    (b"{'id':1}", "json.syntax", None),
    (b'{"id":1,}', "json.syntax", None),
    (b"[1,]", "json.syntax", None),
    (b"{} // why", "json.trailing", None),
    (b"<html>", "json.syntax", None),
    (b'{"amount":1,"amount":100}', "json.duplicate_key", "/amount"),
    (b'{"\\u0061mount":1,"amount":1}', "json.duplicate_key", "/amount"),
    (b'{"a" :1,"a":2}', "json.duplicate_key", "/a"),
    (b'{"a"\n:1,"a"\t:2}', "json.duplicate_key", "/a"),
    (b'{"x":[{"a/b":{"c~d":":\\":","c~d":0}}]}', "json.duplicate_key", "/x/0/a~1b/c~0d"),
    (b'{"a":"b\\"c:","a":"\\":"}', "json.duplicate_key", "/a"),
    (b'{"a":":","a":1}', "json.duplicate_key", "/a"),
    (b'{"":1,"":2}', "json.duplicate_key", "/"),
    (b"NaN", "json.nonfinite", None),
    (b"[Infinity]", "json.nonfinite", None),
    (b'{"a":-Infinity}', "json.nonfinite", None),
    (b"1e400", "number.out_of_range", None),
    (b"-1e-400", "number.out_of_range", None),
    (b"1E+1000000", "number.exponent", None),
    (b"1E+99999999999999999999", "number.exponent", None),
    (b"0E-99999999999999999999", "number.exponent", None),
    (b"9" * 41, "number.too_long", None),
    (b"[1." + b"1" * 41 + b"]", "number.too_long", None),
    (b"9" * 1_000_000, "number.too_long", None),
    (b"00123", "json.syntax", None),
    (b"+1", "json.syntax", None),
    (b"1_000", "json.syntax", None),
    ("１".encode(), "json.syntax", None),
    (b"[" * 65 + b"]" * 65, "json.depth", None),
    (b"[" * 100_000, "json.depth", None),
    (b'{"a":' * 100_000, "json.depth", None),
    (b'["]",' * 65 + b"0" + b"]" * 65, "json.depth", None),
    ('{"id":1}'.encode("utf-16"), "encoding.not_utf8", None),
    ('{"id":1}'.encode("utf-16-le"), "encoding.not_utf8", None),
    (b'"\xff"', "encoding.not_utf8", None),
    (b"\xff", "encoding.not_utf8", None),
    (b'"\xc0\xaf"', "encoding.not_utf8", None),
    (b'"\xed\xa0\x80"', "encoding.not_utf8", None),
    (b'{"\xff":1}', "encoding.not_utf8", None),
    (b'{"n":"\\ud800"}', "text.surrogate", None),
    (b'{"n":"\\uDC00x"}', "text.surrogate", None),
    (b'{"n":["a","b\\u0000c"]}', "text.nul", "/n/1"),
    (b'{"a\\u0000":1}', "text.nul", ""),
    (b'"a\x00b"', "json.syntax", None),
    (b'"a\nb"', "json.syntax", None),
    (b"\xef\xbb\xbf\xef\xbb\xbf{}", "json.syntax", None),
    (b'"' + b"x" * (1 << 20) + b'"', "body.too_large", None),
    (b"[" + b",".join(b'{"a":1}' for _ in range(20_001)) + b"]", "json.too_many_members", None),
]

READ: list[tuple[bytes, Any]] = [
    (b"{}", {}),
    (b"null", None),
    (b"[]", []),
    (b'"x"', "x"),
    (b"42", 42),
    (b"-0", 0),
    (b"\xef\xbb\xbf{}", {}),
    (b"9007199254740993", 9007199254740993),
    (b"9" * 40, int("9" * 40)),
    (b"1.10", Decimal("1.10")),
    (b"1054.0", Decimal("1054.0")),
    (b"0.1000000000000000055511151231257827", Decimal("0.1000000000000000055511151231257827")),
    (b"1e3", Decimal("1E+3")),
    (b'"\\ud83d\\ude00"', "😀"),
    (b'"\\\\u0000"', "\\u0000"),
    (b'{"a":{"a":[{"a":1}]}}', {"a": {"a": [{"a": 1}]}}),
    (b'{"a" : 1, "b":\n2}', {"a": 1, "b": 2}),
    (b'{"a":"\\":","b":":"}', {"a": '":', "b": ":"}),
    (b'{"a":":\\\\","b":1}', {"a": ":\\", "b": 1}),
    (b'{"id":"' + b"7" * 60 + b'"}', {"id": "7" * 60}),
    (b"[" * 64 + b"]" * 64, None),
    (b'["[[[[","{{{{"]' * 1, ["[[[[", "{{{{"]),
]


@pytest.mark.parametrize(("body", "code", "pointer"), REFUSED, ids=[f"{n} {row[1]}" for n, row in enumerate(REFUSED)])
def test_bad_json_is_refused_by_name(body: bytes, code: str, pointer: str | None) -> None:
    began = time.perf_counter()
    with pytest.raises(Malformed) as caught:
        decode(body)
    assert caught.value.code == code
    assert caught.value.detail.get("pointer") == pointer
    assert len(caught.value.message) < 300
    assert time.perf_counter() - began < 0.5


@pytest.mark.parametrize(("body", "value"), READ)
def test_good_json_is_read_exactly(body: bytes, value: Any) -> None:
    assert value is None or decode(body) == value
    assert decode(body) is not None or body == b"null"


def test_a_syntax_error_names_its_place() -> None:
    with pytest.raises(Malformed) as caught:
        decode(b'{\n  "a": tru\n}')
    assert caught.value.detail == {"line": 2, "column": 8}


def test_limits_are_the_callers() -> None:
    body = b"[[" + b"1," * 600_000 + b"1]]"
    assert len(decode(body, ANSWER)[0]) == 600_001
    with pytest.raises(Malformed):
        decode(body, WEBHOOK)
    with pytest.raises(Malformed):
        decode(body, JsonLimits(bytes_max=1 << 30, members_max=1, depth_max=1))


def test_a_row_cut_out_of_a_page_keeps_its_numbers() -> None:
    page = decode(b'{"records":[{"Amount":1054.10,"Id":"006","N":12345678901234567890}]}')
    assert encode(page["records"][0]) == b'{"Amount":1054.10,"Id":"006","N":12345678901234567890}'


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.text(st.characters(exclude_characters="\0", codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_characters="\0", codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=30,
)


@settings(max_examples=300, deadline=None)
@given(
    value=values,
    ascii_only=st.booleans(),
    indent=st.sampled_from([None, 1]),
    colon=st.sampled_from([":", " : ", "\n:"]),
)
def test_whatever_is_written_properly_is_read_the_same(
    value: Any, ascii_only: bool, indent: int | None, colon: str
) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only, indent=indent, separators=(",", colon)).encode()
    assert decode(body) == value


@settings(max_examples=500, deadline=None)
@given(body=st.text(st.sampled_from(list('{}[]":,\\ a0\n')), max_size=40).map(str.encode))
def test_it_agrees_with_the_standard_library_or_refuses(body: bytes) -> None:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise ValueError("twice")
        return dict(pairs)

    try:
        expected = json.loads(body, object_pairs_hook=once)
    except ValueError:
        with pytest.raises(Malformed):
            decode(body)
    else:
        assert decode(body) == expected


@settings(max_examples=500, deadline=None)
@given(body=st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(Malformed):
        decode(body)
