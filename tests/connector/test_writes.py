"""A write ends in one of three ways, and never in a guess."""

import gzip
import hashlib
import logging
import socket
import time

import pytest
from tests.connector.scripted import SECRET, Kit, Vendor, say, say_late, say_raw

from accordant.canonical.operation import Attempt
from accordant.connector.http import Request, segment
from accordant.kernel.errors import Misconfigured, RateLimited, Rejected, Retryable, Unavailable, Unknown

ATTEMPT = Attempt(key="acc-1")
ORDER = Request("POST", "/v1/orders", (("expand", "lines & more"),), body=b'{"n":1}')


async def test_a_success_is_handed_back_with_what_a_proof_shows(vendor: Vendor, kit: Kit) -> None:
    vendor.will(say(201, '{"id":"o_1","amount":10.10}', headers={"Location": "/v1/orders/o_1"}))
    answer = await kit.http().write(ORDER, attempt=ATTEMPT)
    sent = b'POST /v1/orders?expand=lines%20%26%20more\n{"n":1}'
    assert answer.status == 201
    assert answer.headers["location"] == "/v1/orders/o_1"
    assert str(answer.json()["amount"]) == "10.10"
    assert answer.request_sha256 == hashlib.sha256(sent).hexdigest()
    assert answer.response_sha256 == hashlib.sha256(answer.body).hexdigest()
    [request] = vendor.seen
    assert vendor.bodies == [b'{"n":1}']
    assert request.raw_path == "/v1/orders?expand=lines%20%26%20more"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Authorization"] == f"Bearer {SECRET}"


async def test_an_expected_refusal_is_handed_back(vendor: Vendor, kit: Kit) -> None:
    vendor.will(say(404))
    answer = await kit.http().write(Request("DELETE", "/v1/orders/1", accept=frozenset({404})), attempt=ATTEMPT)
    assert answer.status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "line",
    [
        pytest.param(say(500), id="500"),
        pytest.param(say(502, "<html>bad gateway</html>"), id="502 page"),
        pytest.param(say(503, headers={"Retry-After": "1"}), id="503"),
        pytest.param(say(408), id="408"),
        pytest.param(say(302, headers={"Location": "/elsewhere"}), id="302"),
        pytest.param(say_late(5), id="no answer in time"),
        pytest.param(say_raw(b""), id="cut before the answer"),
        pytest.param(say_raw(b"HTTP/1.1 20"), id="cut in the status line"),
        pytest.param(say_raw(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"id"'), id="cut in the body"),
        pytest.param(
            say_raw(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"id"\r\n'), id="cut between chunks"
        ),
        pytest.param(say_raw(b"SSH-2.0-OpenSSH_9.2\r\n"), id="not HTTP"),
        pytest.param(say(200, b"x" * (8 << 20) + b"x"), id="too large"),
        pytest.param(say(200, gzip.compress(bytes(9 << 20)), headers={"Content-Encoding": "gzip"}), id="gzip bomb"),
    ],
)
async def test_whatever_goes_wrong_after_sending_is_unknown_and_sent_once(
    vendor: Vendor, kit: Kit, method: str, line: object
) -> None:
    vendor.will(line)  # pyright: ignore[reportArgumentType]
    with pytest.raises(Unknown) as caught:
        await kit.http(timeout_s=0.3).write(Request(method, "/v1/orders", body=b"{}"), attempt=ATTEMPT)
    assert len(vendor.seen) == 1
    assert caught.value.detail["request_sha256"]


async def test_a_socket_that_dies_while_idle_never_sends_a_put_twice(vendor: Vendor, kit: Kit) -> None:
    vendor.will(say(200), say_raw(b""))
    http = kit.http()
    await http.write(Request("PUT", "/v1/orders/1", body=b"{}"), attempt=ATTEMPT)
    with pytest.raises(Unknown):
        await http.write(Request("PUT", "/v1/orders/1", body=b"{}"), attempt=ATTEMPT)
    assert len(vendor.seen) == 2


@pytest.mark.parametrize(
    "body", ["<html>Please log in</html>", '{"id":', '{"id":1,"id":2}', "[" * 65 + "]" * 65, '{"n": NaN}', "\ufffe"]
)
async def test_a_success_that_is_not_json_is_unknown(vendor: Vendor, kit: Kit, body: str) -> None:
    vendor.will(say(200, body))
    answer = await kit.http().write(ORDER, attempt=ATTEMPT)
    with pytest.raises(Unknown) as caught:
        answer.json()
    assert caught.value.code == "vendor.not_json"


async def test_nobody_listening_means_nothing_was_sent(vendor: Vendor, kit: Kit) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        kit.url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(Unavailable):
            await kit.http().write(ORDER, attempt=ATTEMPT)


async def test_a_host_that_does_not_take_the_connection_means_nothing_was_sent(kit: Kit) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        address = deaf.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        kit.url = f"http://127.0.0.1:{address[1]}"
        with pytest.raises(Unavailable):
            await kit.http(timeout_s=0.4).write(ORDER, attempt=ATTEMPT)
        for filler in fillers:
            filler.close()


async def test_a_name_that_does_not_resolve_means_nothing_was_sent(kit: Kit) -> None:
    kit.url = "https://no-such-host.invalid"
    with pytest.raises(Unavailable):
        await kit.http(timeout_s=2).write(ORDER, attempt=ATTEMPT)


async def test_a_refusal_is_explained_in_the_vendors_words(vendor: Vendor, kit: Kit) -> None:
    vendor.will(say(400, '{"error":"no such plan"}'))
    with pytest.raises(Rejected, match="no such plan"):
        await kit.http().write(ORDER, attempt=ATTEMPT)


async def test_a_refusal_that_the_vendor_module_cannot_read_is_still_a_refusal(vendor: Vendor, kit: Kit) -> None:
    vendor.will(say(403, '{"error":' * 3))
    http = kit.http()
    http._verdict._explain = lambda answer: answer.json()["error"]["code"]
    with pytest.raises((Rejected, Unknown)):
        await http.write(ORDER, attempt=ATTEMPT)
    vendor.will(say(403, '{"message":"not so"}'))
    with pytest.raises(Rejected, match="not so"):
        await http.write(ORDER, attempt=ATTEMPT)


@pytest.mark.parametrize("status", [301, 307, 308])
async def test_redirects_are_never_followed(vendor: Vendor, kit: Kit, status: int) -> None:
    vendor.will(say(status, headers={"Location": f"{vendor.url}/elsewhere"}))
    with pytest.raises(Misconfigured):
        await kit.http().write(ORDER, attempt=ATTEMPT)
    assert [request.path for request in vendor.seen] == ["/v1/orders"]


@pytest.mark.parametrize("path", ["v1/x", "//evil.example/x", "/\\evil", "http://evil.example/", "/a/../../b"])
async def test_only_the_connections_host_is_ever_called(vendor: Vendor, kit: Kit, path: str) -> None:
    try:
        await kit.http().write(Request("POST", path), attempt=ATTEMPT)
    except Misconfigured:
        assert not vendor.seen
    else:
        assert vendor.seen[0].host == vendor.url.removeprefix("http://")


@pytest.mark.parametrize("path", ["/a b", "/a?b=1", "/a#b", "/ä", "/a\r\nX: 1", ""])
async def test_a_path_that_is_not_encoded_is_refused(vendor: Vendor, kit: Kit, path: str) -> None:
    with pytest.raises(Misconfigured):
        await kit.http().write(Request("POST", path), attempt=ATTEMPT)
    assert not vendor.seen


@pytest.mark.parametrize("text", ["../../x", "a/b", "a?b", "ü ", "..", ".", "%2e", "acc:1"])
async def test_an_id_stays_one_segment_whatever_it_holds(vendor: Vendor, kit: Kit, text: str) -> None:
    await kit.http().write(Request("POST", f"/v1/orders/{segment(text)}/lines"), attempt=ATTEMPT)
    assert vendor.seen[0].raw_path.count("/") == 4
    assert vendor.seen[0].match_info["tail"].endswith(f"{text}/lines")


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "ftp://x",
        "http://api.example.com",
        "https://u:p@x.example",
        "https://x.example/v1",
        "https://x?y",
        "https://",
    ],
)
async def test_a_base_url_that_is_more_or_less_than_an_origin_is_refused(kit: Kit, base_url: str) -> None:
    with pytest.raises(Misconfigured):
        kit.http(base_url=base_url)


async def test_plain_http_inside_ones_own_network_must_be_asked_for(kit: Kit) -> None:
    assert kit.http(base_url="http://sandbox:8101", options={"plain_http": True})


# --- 429 --------------------------------------------------------------------------------------------------------------


async def test_a_short_rate_limit_is_waited_out_and_the_write_sent_again(vendor: Vendor, kit: Kit) -> None:
    vendor.will(say(429, headers={"Retry-After": "1"}), say(200))
    began = time.monotonic()
    answer = await kit.http().write(ORDER, attempt=ATTEMPT)
    assert answer.status == 200
    assert 1.0 <= time.monotonic() - began < 2.0


@pytest.mark.parametrize(
    ("retry_after", "least_s", "most_s"),
    [("6", 6, 6.3), ("3600", 3600, 3601), ("1e9", 3600, 3601), ("9" * 60, 3600, 3601)],
)
async def test_a_long_rate_limit_goes_back_to_the_ledger_at_once(
    vendor: Vendor, kit: Kit, retry_after: str, least_s: float, most_s: float
) -> None:
    vendor.will(say(429, headers={"Retry-After": retry_after}))
    http = kit.http()
    with pytest.raises(RateLimited) as caught:
        await http.write(ORDER, attempt=ATTEMPT)
    assert caught.value.retry_after_s is not None
    assert least_s <= caught.value.retry_after_s <= most_s
    with pytest.raises(RateLimited):
        await http.write(ORDER, attempt=ATTEMPT)
    assert len(vendor.seen) == 1, "the second write knew better than to ask"


async def test_a_rate_limit_that_does_not_end_is_given_up_politely(vendor: Vendor, kit: Kit) -> None:
    vendor.will(say(429, headers={"Retry-After": "-1"}))
    began = time.monotonic()
    with pytest.raises(RateLimited):
        await kit.http().write(ORDER, attempt=ATTEMPT)
    assert len(vendor.seen) == 4
    assert time.monotonic() - began > 0.7, "no hot loop"


# --- Secrets ----------------------------------------------------------------------------------------------------------


async def test_credentials_show_up_nowhere(vendor: Vendor, kit: Kit, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    vendor.will(say(400, f'{{"error":"bad header Bearer {SECRET}"}}'), say(500, SECRET), say(401, SECRET))
    http = kit.http()
    shown: list[str] = [repr(http), repr(vars(http)["_auth"])]
    for _ in range(3):
        try:
            await http.write(ORDER, attempt=ATTEMPT)
        except (Rejected, Unknown, Retryable) as error:
            shown += [str(error), repr(error), repr(error.as_dict()), repr(error.__cause__)]
    assert len(vendor.seen) == 3
    assert SECRET not in " ".join(shown) + caplog.text


async def test_a_page_of_html_is_quoted_in_200_characters(vendor: Vendor, kit: Kit) -> None:
    vendor.will(say(500, "<p>\x1b[31m" + "x" * 5000))
    with pytest.raises(Unknown) as caught:
        await kit.http().write(ORDER, attempt=ATTEMPT)
    assert len(caught.value.detail["excerpt"]) == 200
    assert caught.value.detail["excerpt"].isprintable()
