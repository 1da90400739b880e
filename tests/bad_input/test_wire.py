"""What cannot be said in a table: framings that lie, headers with line breaks, deliveries that come again."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
import uvicorn

from tests.bad_input.doors import Stripe, asgi
from tests.bad_input.makers import EVENT
from tests.bad_input.table import Input
from tests.experience.running import fill
from tests.operations import stored

GOOD = Input(name="good", to=[], code="ok")
RAW = {
    "two lengths": b"POST /hooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 9\r\n\r\n{}",
    "a length and chunks": (
        b"POST /hooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\n\r\nGET /pulse HTTP/1.1\r\nHost: x\r\n\r\n"
    ),
    "a length that is no number": b"POST /hooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Length: 1e3\r\n\r\n{}",
    "a line break in a header": b"POST /hooks/stripe HTTP/1.1\r\nHost: x\r\nStripe-Signature: a\nX-Admin: 1\r\n\r\n",
    "no HTTP at all": b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03",
}


@pytest.fixture
async def door(tmp_path: Path):
    door = Stripe(tmp_path)
    await door.warm()
    yield door
    await door.close()


async def test_a_captured_delivery_sent_again_is_known(door: Stripe) -> None:
    """Four minutes old and rightly signed: it is said to have arrived, and nothing is done a second time."""
    body = EVENT.replace(b"evt_1", b"evt_again")
    headers = door.signature(body, GOOD)
    assert (await door.deliver(body, headers))[0] == 202
    door.clock.advance(240)
    assert (await door.deliver(body, headers)) == (200, {"new": False})
    assert door.inbox.duplicates == 1


async def test_only_post_delivers(door: Stripe) -> None:
    status, _, answer = await asgi(door.hooks, ("GET", "/hooks/stripe"), headers=[], body=b"")
    assert (status, b"method.not_allowed" in answer) == (405, True)


async def test_many_malformed_deliveries_are_one_line_of_what_is_open(door: Stripe) -> None:
    for n in range(5):
        body = b'{"broken":' + str(n).encode()
        door.clock.advance(1)
        assert (await door.deliver(body, door.signature(body, GOOD)))[0] == 202
    assert door.of_item(202).code == "json.syntax"


@pytest.mark.parametrize("name", RAW)
async def test_a_framing_that_lies_is_refused_and_stores_nothing(name: str, door: Stripe) -> None:
    config = uvicorn.Config(door.hooks, port=0, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    before = door.inbox.duplicates
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.servers[0].sockets[0].getsockname()[1])
        writer.write(RAW[name])
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(65_536), 10)
        writer.close()
    finally:
        server.should_exit = True
        await serving
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 401")) or not answer
    assert b"driving" not in answer
    assert b" 500 " not in answer
    assert door.inbox.duplicates == before
    assert door.state() == "ignored"


def test_a_reader_that_went_away_is_no_error(tmp_path: Path) -> None:
    """`accordant tx list | head -1`."""
    fill(tmp_path, *(stored.transaction(n) for n in range(1, 200)))
    command = f"{sys.executable} -m accordant.experience.cli.main tx list --limit 199 --state {tmp_path} | head -1"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in ended.stderr
    assert "BrokenPipe" not in ended.stderr
