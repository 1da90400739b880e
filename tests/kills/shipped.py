"""The shipped flows on the whole platform, with the four sandboxes over HTTP."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import uvicorn
from sqlalchemy import select, text

from accordant import wiring
from accordant.backbone.rows import exception_table, transaction_table
from accordant.experience.api import serving
from accordant.governance import connections, estate_files, strict_yaml
from accordant.kernel.database import Database
from accordant.kernel.settings import Settings, settings_for
from accordant.launch import state as states
from accordant.launch.progress import read_progress
from accordant.operations import lateness, telling, verification
from accordant.proving.checker import Moments, judge, read_history
from accordant.proving.checker.history import Truth
from tests.kills import records
from tests.kills.company import Company, applied
from tests.kills.scene import Ending, Seat

LOOK_EVERY_S = 0.04
TRUTH = Truth(all_facts_known=False)
"""What must be there is told by an undisturbed play; the checker judges what may never be, whatever was played."""
ALONE: Mapping[str, tuple[str, ...]] = {"sqlite": ("journal",), "postgresql": ("journal",)}
Director = Callable[["Stage"], Awaitable[None]]


def hurry() -> None:
    """Shorter pauses between two looks; how long nothing happens is no part of what is proved."""
    telling._PAUSE_S = 0.03
    verification._SECOND_LOOK_S = 0.2
    serving.settle_collector = lambda: None
    crm = wiring.VENDORS["salesforce"]
    streams = tuple(msgspec.structs.replace(one, every_s=0.1) for one in crm.streams)
    wiring.VENDORS = {**wiring.VENDORS, "salesforce": msgspec.structs.replace(crm, streams=streams)}
    estate_files.read_yaml = connections.read_yaml = _read_once
    lateness._LOOK_EVERY_S = 0.1
    uvicorn.Config(_doors, interface="asgi3").load()


_READ: dict[tuple[str, bytes], Any] = {}


def _read_once(path: Path, file: Any) -> Any:
    """The same file is parsed once for all lives; parsing takes half of the time of a start."""
    key = path.name, path.read_bytes()
    if key not in _READ:
        _READ[key] = strict_yaml.read_yaml(path, file)
    return _READ[key]


async def _doors(scope: object, receive: object, send: object) -> None: ...


class _Opened(serving._Server):
    """The doors, at whatever port was free."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        _opened.append(self)


_opened: list[_Opened] = []


class Stage:
    """The platform of this life, and whoever acts from outside: sales, and people at the desk."""

    def __init__(self, settings: Settings, platform: wiring.Platform) -> None:
        self.settings = settings
        self.platform = platform

    async def crm_shows(self, body: Mapping[str, Any]) -> None:
        """Records as sales leaves them, once: showing them again would replace what we wrote into them meanwhile."""
        shown = self.settings.state / "shown"
        if shown.exists():
            return
        base = msgspec.json.decode((self.settings.state / "sandboxes.json").read_bytes())["salesforce"]
        headers = {"X-Sandbox-Token": states.command_token(self.settings.state)}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{base}/__sandbox__/load", data=msgspec.json.encode(body)) as answer,
        ):
            assert answer.status == 200, await answer.text()
        shown.touch()

    async def port(self) -> int:
        """Where the doors are."""
        await self.until(lambda: _opened and _opened[-1].started)
        return _opened[-1].servers[0].sockets[0].getsockname()[1]

    async def no_more_comes(self) -> None:
        """Stop asking the CRM, so that nothing is kept in the moment between rest and the end."""
        self.platform._stop_polling.set()
        polls = [task for task in self.platform._tasks if task.get_name().startswith("poll ")]
        await asyncio.gather(*polls, return_exceptions=True)

    async def until(self, holds: Callable[[], Any]) -> Any:
        while not (found := holds()):
            await asyncio.sleep(LOOK_EVERY_S)
        return found

    def rows(self, query: Any) -> list[Any]:
        return self.platform.database.read_now(lambda c: list(c.execute(query).mappings()))

    def open(self, code: str) -> list[Any]:
        item = exception_table.c
        return self.rows(select(exception_table).where(item.state == "open", item.code == code))

    def is_so(self, flow: str, state: str) -> bool:
        tx = transaction_table.c
        return bool(self.rows(select(tx.subject).where(tx.flow == flow, tx.state == state)))

    def at_rest(self, transactions: int) -> bool:
        now = read_progress(self.platform.database)
        quiet = now.settled and not now.unverified and not self.platform.engine.driving
        return quiet and now.total >= transactions and not self.rows(_UNTOLD)


_UNTOLD = text("SELECT 1 FROM exception WHERE state = 'open' AND told = 0")


class Shipped(msgspec.Struct, frozen=True, kw_only=True):
    """One story on the whole platform."""

    name: str
    before: tuple[Mapping[str, Any], ...] = ()
    """What the CRM showed, one batch after the other, before the scene begins."""
    ended_before: int = 0
    """How many transactions that makes."""
    shows: Mapping[str, Any] = {}
    """What the CRM shows when the scene begins."""
    ended: int = 1
    """How many transactions there are at its end."""
    director: Director | None = None
    prepare: Callable[[Path], None] = lambda _: None
    then: Callable[[Company], None] = lambda _: None
    """What changes at the vendors between what was before and the scene."""
    read_back_every_s: float = 0.03
    only: tuple[str, ...] = ()
    """Beginnings of the places to kill at; all of them where there are none."""
    is_sampled: bool = False
    """The quick sample draws from it."""
    on: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=lambda: ALONE)
    """The engines on each database."""

    def engines_on(self, database: str) -> tuple[str, ...]:
        return self.on.get(database, ())

    def build(self, seat: Seat, engine: str) -> Company:
        seat.folder.mkdir(parents=True, exist_ok=True)
        states.prepare(seat.folder)
        self.prepare(seat.folder)
        states.command_token(seat.folder)
        company = Company(seat.folder)
        if self.before:
            asyncio.run(self._begin(_settings(seat, engine), company))
        if self.shows:
            company.vendors["salesforce"].load(self.shows)
        self.then(company)
        return company

    async def _begin(self, settings: Settings, company: Company) -> None:
        async with company.served():
            platform = wiring.Platform(settings)
            await platform.start()
            stage, ended = Stage(settings, platform), 0
            for batch in self.before:
                ended += self.ended_before // len(self.before)
                company.vendors["salesforce"].load(batch)
                await stage.until(lambda wanted=ended: stage.at_rest(wanted))
            await platform.stop()

    def live(self, seat: Seat, engine: str) -> None:
        verification._PAUSE_S = self.read_back_every_s
        asyncio.run(self._life(_settings(seat, engine)))

    async def _life(self, settings: Settings) -> None:
        """The process as `accordant worker` runs it, with somebody who acts and who ends it when all is quiet."""
        started: asyncio.Future[wiring.Platform] = asyncio.get_running_loop().create_future()

        class Seen(wiring.Platform):
            async def start(self) -> None:
                await super().start()
                started.set_result(self)

        serving.Platform = Seen
        serving._Server = _Opened
        process = asyncio.ensure_future(serving._run(settings))
        played = asyncio.ensure_future(self._play(settings, started))
        await asyncio.wait({process, played}, return_when=asyncio.FIRST_COMPLETED)
        if not played.done():
            raise SystemExit(f"the platform ended by itself: {process.result()}")
        played.result()
        while not (_opened and _opened[-1].started):  # before that it does not listen to signals
            await asyncio.sleep(LOOK_EVERY_S)
        os.kill(os.getpid(), signal.SIGTERM)
        assert await process == 0

    async def _play(self, settings: Settings, started: "asyncio.Future[wiring.Platform]") -> None:
        stage = Stage(settings, await started)
        if self.director is not None:
            await self.director(stage)
        await stage.until(lambda: stage.at_rest(self.ended))
        await stage.no_more_comes()
        await stage.until(lambda: stage.at_rest(self.ended))

    def ending(self, seat: Seat, held: Mapping[str, Any]) -> Ending:
        database = Database(seat.url)
        moments = Moments(healed_ms=1, at_rest_ms=2)
        verdict = judge(read_history(seat.folder, TRUTH, held=held, moments=moments, database_url=seat.url))
        try:
            return Ending(
                applied=changes(applied(seat.folder)),
                held=held,
                transactions=records.transactions(database),
                effects=records.effects(database),
                open_items=records.open_items(database),
                problems=records.problems(database)
                + [f"{one.rule}: {one.what} ({one.where})" for one in verdict.findings],
            )
        finally:
            database.close()


def _settings(seat: Seat, engine: str) -> Settings:
    environ = {"ACCORDANT_PORT": "0", "ACCORDANT_ENGINE": engine}
    return settings_for(seat.folder, database_url=seat.url, environ=environ)


def changes(lines: list[dict[str, Any]]) -> list[str]:
    """The writes that changed something: setting a record to what it was already is no second write."""
    last: dict[tuple[str, str, str], str] = {}
    found: list[str] = []
    for line in lines:
        record = line["system"], line["kind"], line["native_id"]
        body = f"{line['business_id']} {line['amount_minor']} {line['currency']}"
        if line["change"] != "update" or last.get(record) != body:
            found.append(f"{line['system']}: {line['change']} {line['kind']} {body}")
        last[record] = body
    return sorted(found)
