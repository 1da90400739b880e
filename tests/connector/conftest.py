"""A scripted vendor and a kit that talks to it."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from tests.connector.scripted import Kit, Vendor

from accordant.connector.http import open_session


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    told = Vendor()
    app = web.Application(client_max_size=64 << 20)
    app.router.add_route("*", "/{tail:.*}", told.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    told.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield told
    await runner.cleanup()


@pytest.fixture
async def kit(vendor: Vendor) -> AsyncIterator[Kit]:
    async with open_session() as session:
        yield Kit(vendor.url, session)
