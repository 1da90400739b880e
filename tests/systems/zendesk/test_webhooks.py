"""A delivery is proved or refused; there is nothing in between."""

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accordant.kernel.clock import parse_utc_ms
from accordant.kernel.errors import Unverified
from accordant.systems.zendesk.webhooks import INVOCATION, SIGNATURE, TIMESTAMP, TOLERANCE_S, verify

SECRET, OLD = "new secret", "old secret"
AT = "2026-11-21T12:00:00Z"
NOW_S = parse_utc_ms(AT) // 1000
BODY = b'{"type":"zen:event-type:organization.created","id":"a540ab78","detail":{}}'


def signed(body: bytes = BODY, *, secret: str = SECRET, at: str = AT, invocation: str = "8350205582") -> dict[str, str]:
    mac = hmac.new(secret.encode(), at.encode() + body, hashlib.sha256)
    return {SIGNATURE: base64.b64encode(mac.digest()).decode(), TIMESTAMP: at, INVOCATION: invocation}


def test_the_event_names_the_delivery_whatever_the_invocation() -> None:
    for invocation in ("1", "2"):
        assert verify(signed(invocation=invocation), BODY, (SECRET,), NOW_S).delivery_id == "a540ab78"


@pytest.mark.parametrize("body", [b"", b"subject=1", b"[]", b'{"id": 7}', b'{"id": ""}', b"\xff", b"[" * 100_000])
def test_without_an_event_id_the_invocation_names_it(body: bytes) -> None:
    assert verify(signed(body), body, (SECRET,), NOW_S).delivery_id == "8350205582"


@pytest.mark.parametrize("used", [SECRET, OLD])
def test_two_secrets_are_good_while_one_replaces_the_other(used: str) -> None:
    assert verify(signed(secret=used), BODY, (SECRET, OLD), NOW_S).delivery_id == "a540ab78"
    with pytest.raises(Unverified):
        verify(signed(secret=used), BODY, ("third",), NOW_S)


def test_the_signature_is_the_documented_one() -> None:
    """Zendesk publishes no example with its secret, so the documented parts are spelled out."""
    mac = hmac.new(b"s", b"2026-11-21T12:00:00Z{}", hashlib.sha256).digest()
    headers = {SIGNATURE: base64.b64encode(mac).decode(), TIMESTAMP: AT, INVOCATION: "1"}
    assert verify(headers, b"{}", ("s",), NOW_S).delivery_id == "1"


@pytest.mark.parametrize(
    ("secrets", "why"),
    [
        ((), "no signing secret"),
        (("",), "no signing secret"),
        (("", ""), "no signing secret"),
        ((SECRET, ""), "does not match"),
    ],
)
def test_an_empty_secret_proves_nothing(secrets: tuple[str, ...], why: str) -> None:
    with pytest.raises(Unverified, match=why):
        verify(signed(secret=""), BODY, secrets, NOW_S)


def test_one_changed_byte_is_refused() -> None:
    with pytest.raises(Unverified):
        verify(signed(), BODY.replace(b"created", b"deleted"), (SECRET,), NOW_S)


@pytest.mark.parametrize("away_s", [TOLERANCE_S, -TOLERANCE_S])
def test_the_time_may_be_off_by_the_tolerance(away_s: int) -> None:
    assert verify(signed(), BODY, (SECRET,), NOW_S + away_s).delivery_id
    with pytest.raises(Unverified):
        verify(signed(), BODY, (SECRET,), NOW_S + away_s + (1 if away_s > 0 else -1))


@pytest.mark.parametrize("missing", [SIGNATURE, TIMESTAMP])
def test_a_missing_header_is_refused(missing: str) -> None:
    headers = signed()
    del headers[missing]
    with pytest.raises(Unverified):
        verify(headers, BODY, (SECRET,), NOW_S)


@pytest.mark.parametrize(
    "at", ["", "soon", "2026-11-21T12:00:00", "0001-01-01T00:00:00+23:59", "1.5e9", "٢٠٢٦", "\x00"]
)
def test_a_time_that_is_none_is_refused_though_signed(at: str) -> None:
    with pytest.raises(Unverified):
        verify(signed(at=at), BODY, (SECRET,), NOW_S)


@pytest.mark.parametrize("invocation", ["", "x" * 256, "a\nb", "é"])
def test_what_is_proved_and_has_no_name_is_known_by_its_bytes(invocation: str) -> None:
    """Refusing it would only bring it again: it is kept, and what is wrong with it is said where it is translated."""
    named = {verify(signed(b, invocation=invocation), b, (SECRET,), NOW_S).delivery_id for b in (b"", b"{}", b"")}
    assert len(named) == 2
    assert all(name.startswith("body-") for name in named)


@pytest.mark.parametrize(("at", "rest"), [("2026-11-21T12:00:00+00", b":00{}"), ("2026-11-21T12", b":00:00Z{}")])
def test_time_and_body_lend_each_other_no_characters(at: str, rest: bytes) -> None:
    """They are signed one after the other without a sign between them."""
    with pytest.raises(Unverified):
        verify(signed(rest, at=at), rest, (SECRET,), NOW_S)


@pytest.mark.parametrize("at", ["2026-W47-6T12:00:00Z", "20261121T120000Z", "2026-11-21 12:00:00Z", "9" * 5000])
def test_a_time_in_another_fashion_is_refused(at: str) -> None:
    with pytest.raises(Unverified):
        verify(signed(at=at), BODY, (SECRET,), NOW_S)


@given(headers=st.dictionaries(st.sampled_from([SIGNATURE, TIMESTAMP, INVOCATION]), st.text()), body=st.binary())
def test_garbage_is_unverified_and_nothing_else(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(Unverified):
        verify(headers, body, (SECRET,), NOW_S)


@pytest.mark.parametrize("sent", ["\ud800", "é", "=" * 10_000])
def test_a_signature_of_strange_characters_is_unverified(sent: str) -> None:
    with pytest.raises(Unverified):
        verify({**signed(), SIGNATURE: sent}, BODY, (SECRET,), NOW_S)
