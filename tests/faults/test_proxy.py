"""The bad network does exactly what it is told: so many bytes, so many connections, and nothing once it is well."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from accordant.proving.proxy import NONE, ChaosProxy, Fault, before


@pytest.fixture
async def proxy() -> AsyncIterator[ChaosProxy]:
    """Before a server that says back what it hears."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1000):
                writer.write(data)
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with before(server.sockets[0].getsockname()[1], rng=random.Random(3)) as one:
        yield one
    server.close()


async def said(proxy: ChaosProxy, data: bytes) -> bytes:
    """What comes back until everything did, or the line broke."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    back = b""
    try:
        writer.write(data)
        while len(back) < len(data):
            if not (more := await asyncio.wait_for(reader.read(1000), 2)):
                break
            back += more
    except ConnectionError:
        back += b"!"
    finally:
        writer.close()
    return back


async def test_a_well_line_passes_everything_on(proxy: ChaosProxy) -> None:
    assert await said(proxy, b"x" * 200_000) == b"x" * 200_000
    assert proxy.did["request_bytes"] == proxy.did["response_bytes"] == 200_000


async def test_an_answer_is_cut_after_exactly_so_many_bytes_and_so_often(proxy: ChaosProxy) -> None:
    proxy.arm(Fault(cut_response_after=3, times=2))
    for _ in range(2):
        assert (await said(proxy, b"hello")).rstrip(b"!") in {b"hel", b""}  # a reset may overtake what was sent
    assert await said(proxy, b"hello") == b"hello"
    assert proxy.did["response_bytes"] == 3 + 3 + 5
    assert proxy.did["cut_response"] == 2


async def test_what_is_cut_off_a_request_never_arrives(proxy: ChaosProxy) -> None:
    proxy.arm(Fault(cut_request_after=2, times=1))
    assert (await said(proxy, b"hello")).rstrip(b"!") in {b"he", b""}
    assert proxy.did["request_bytes"] == 2


async def test_a_swallowing_line_is_silent_and_is_reset_when_the_network_is_well(proxy: ChaosProxy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    proxy.arm(Fault(half_open=True))
    writer.write(b"hello")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.2)
    proxy.heal()
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(1), 2)
    writer.close()
    assert await said(proxy, b"hello") == b"hello"


async def test_nobody_listens_while_it_refuses(proxy: ChaosProxy) -> None:
    port = proxy.port
    await proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        await said(proxy, b"hello")
    await proxy.open()
    assert proxy.port == port
    assert await said(proxy, b"hello") == b"hello"


async def test_a_swarm_is_the_same_for_the_same_seed(proxy: ChaosProxy) -> None:
    drawn: list[int] = []

    def draw(rng: random.Random) -> Fault:
        drawn.append(rng.randrange(1000))
        return NONE

    proxy.swarm(draw)
    for _ in range(5):
        await said(proxy, b"x")
    expected = random.Random(3)
    assert drawn == [expected.randrange(1000) for _ in range(5)]
