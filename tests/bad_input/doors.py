"""The doors that store something: webhooks with the pump behind them, the command API, and the command line."""

import asyncio
import base64
import hashlib
import hmac
import io
import os
import re
from contextlib import AsyncExitStack, redirect_stderr, redirect_stdout
from typing import Any

import msgspec
from sqlalchemy import func, select

from accordant.backbone.flow import Flows
from accordant.backbone.inbox import Inbox
from accordant.backbone.pump import Pump, PumpParts, Source
from accordant.backbone.router import Router
from accordant.backbone.rows import exception_table, inbox_table
from accordant.experience.api.hooks import Door, Hooks
from accordant.experience.api.operations import create_app
from accordant.experience.cli.main import app as command_line
from accordant.governance.demo_estate import install
from accordant.governance.estate_files import load_estate
from accordant.kernel.clock import ManualClock
from accordant.operations.causes import open_causes
from accordant.systems.stripe.webhooks import HEADER
from accordant.systems.zendesk.webhooks import INVOCATION, SIGNATURE, TIMESTAMP
from accordant.wiring import VENDORS
from tests.bad_input.makers import EVENT
from tests.bad_input.surfaces import NOW_MS, Seen, Surface
from tests.bad_input.table import Input
from tests.experience.running import TOKEN, fill, platform_on
from tests.operations import stored

SECRET = "whsec_canary_7f3a"
OLD_SECRET = "whsec_canary_old"
FOREIGN = "whsec_of_another_tenant"


async def asgi(app: Any, request: tuple[str, str], *, headers: list[tuple[bytes, bytes]], body: bytes) -> Any:
    """One request without a server: status, headers, body."""
    method, path = request
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": b"",
        "headers": [*headers, (b"content-length", str(len(body)).encode())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "state": {},
    }
    parts = [body[at : at + 65_536] for at in range(0, len(body), 65_536)] or [b""]
    answer: list[Any] = [0, {}, b""]

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        part = parts.pop(0) if parts else b""
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send(sent: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        if sent["type"] == "http.response.start":
            answer[0] = sent["status"]
            answer[1] = {name.decode().lower(): value.decode() for name, value in sent["headers"]}
        else:
            answer[2] += sent.get("body", b"")

    await app(scope, receive, send)
    return answer


class Hook(Surface):
    """A vendor's webhooks: proved, kept, translated; what is seen is the answer, and the open item if there is one."""

    vendor = ""

    async def warm(self) -> None:
        self.stack = AsyncExitStack()
        storage = await self.stack.enter_async_context(stored.opened(self.folder / "hooks.db"))
        self.database, self.clock = storage.database, ManualClock(NOW_MS)
        install(self.folder / "estate")
        self.estate = load_estate(self.folder / "estate")
        self.inbox = Inbox(tenant="t", database=storage.database, writer=storage.writer, clock=self.clock)
        verify = VENDORS[self.vendor].verify
        assert verify is not None
        doors = {
            self.vendor: Door(verify=verify, secrets=(SECRET, OLD_SECRET)),
            "shut": Door(verify=verify, secrets=()),
        }
        self.hooks = Hooks(self.inbox, doors, clock=self.clock)
        parts = PumpParts(
            database=storage.database,
            writer=storage.writer,
            clock=self.clock,
            router=Router(Flows(), clock=self.clock),
            sources={self.vendor: Source(role=VENDORS[self.vendor].role, translate=VENDORS[self.vendor].translate)},
            estate=lambda: self.estate,
        )
        self.pump = Pump(parts, on_published=lambda: None)
        await self.deliver(EVENT, self.signature(EVENT, Input(name="good", to=[], code="ok")))

    async def deliver(self, body: bytes, headers: dict[str, str], *, to: str = "") -> tuple[int, dict[str, Any]]:
        raw = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
        status, _, answer = await asgi(self.hooks, ("POST", f"/hooks/{to or self.vendor}"), headers=raw, body=body)
        while await self.pump.step():
            pass
        return status, msgspec.json.decode(answer)

    async def feed(self, one: Input) -> Seen:
        self.clock.advance(1)
        kept, open_before = self.count(inbox_table), self.count(exception_table)
        body = one.body
        headers = {**self.signature(body, one), **one.headers}
        if one.signed == "flipped":
            body = body.replace(b"created", b"deleted", 1)
        if one.signed == "respaced":
            body = body.replace(b":", b": ")
        if one.signed == "other body":
            first = EVENT.replace(b"evt_1", b"evt_conflict")
            await self.deliver(first, self.signature(first, one))
            kept += 1
            self.clock.advance(1)
        status, answer = await self.deliver(body, headers, to=one.door)
        more, opened = self.count(inbox_table) - kept, self.count(exception_table) - open_before
        if status >= 300:
            assert (more, opened) == (0, 0), "refused, and stored all the same"
            return Seen(code=answer["code"], said=answer["detail"], hint=answer["hint"], status=status)
        assert more <= 1
        assert opened <= more
        return self.of_item(status) if opened else Seen(code="ok", status=status, gave=self.state(), said=str(answer))

    def of_item(self, status: int) -> Seen:
        """The newest open item, which `exception list` shows under its cause."""
        columns = exception_table.c
        query = select(exception_table).order_by(columns.opened_at_ms.desc()).limit(1)
        row = self.database.read_now(lambda c: c.execute(query).mappings().one())
        causes = self.database.read_now(lambda c: open_causes(c, tenant="t"))
        assert [cause.cause_group for cause in causes].count(row["cause_group"]) == 1, "one cause, one line"
        assert self.state() == "quarantined"
        detail = msgspec.json.decode(row["detail"])
        at = f"{detail['line']}:{detail['column']}" if "line" in detail else detail.get("pointer", "")
        return Seen(code=row["code"], said=row["message"], hint=row["hint"], at=at, status=status)

    def state(self) -> str:
        columns = inbox_table.c
        query = select(columns.state).order_by(columns.received_at_ms.desc()).limit(1)
        return self.database.read_now(lambda c: c.execute(query).scalar_one())

    def count(self, table: Any) -> int:
        return self.database.read_now(lambda c: c.execute(select(func.count()).select_from(table)).scalar_one())

    def signature(self, body: bytes, one: Input) -> dict[str, str]:
        raise NotImplementedError

    async def close(self) -> None:
        await self.stack.aclose()


def _signed_with(one: Input) -> tuple[str, int]:
    """Secret, and seconds from now."""
    secret = {"old": OLD_SECRET, "foreign": FOREIGN}.get(one.signed, SECRET)
    return secret, {"late": -301, "early": 301, "4 minutes ago": -240}.get(one.signed, 0)


class Stripe(Hook):
    vendor = "stripe"

    def signature(self, body: bytes, one: Input) -> dict[str, str]:
        if one.signed == "no":
            return {}
        secret, away_s = _signed_with(one)
        at = str(self.clock.now_ms() // 1000 + away_s)
        mac = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        if one.signed == "flipped time":
            at = str(int(at) + 1)
        scheme = "v0" if one.signed == "other scheme" else "v1"
        return {HEADER: f"t={at},{scheme}={mac}"}


class Zendesk(Hook):
    vendor = "zendesk"

    def signature(self, body: bytes, one: Input) -> dict[str, str]:
        if one.signed == "no":
            return {}
        secret, away_s = _signed_with(one)
        at = _utc(self.clock.now_ms() // 1000 + away_s)
        mac = hmac.new(secret.encode(), at.encode() + body, hashlib.sha256).digest()
        if one.signed == "flipped time":
            at = _utc(self.clock.now_ms() // 1000 + 1)
        encoded = mac.hex() if one.signed == "other scheme" else base64.b64encode(mac).decode()
        return {SIGNATURE: encoded, TIMESTAMP: at, INVOCATION: hashlib.sha256(body).hexdigest()[:20]}


def _utc(at_s: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Api(Surface):
    """The command API, as ASGI."""

    async def warm(self) -> None:
        self.stack = AsyncExitStack()
        storage = await self.stack.enter_async_context(stored.opened(self.folder / "accordant.db"))
        platform = await platform_on(storage, self.folder)
        await storage.put(stored.item(1, state="released"), stored.message(1))
        self.app = create_app(platform, TOKEN)
        await self.feed(Input(name="good", to=[], code="ok", request="POST /v1/replay", text='{"ids":["x"]}'))

    async def feed(self, one: Input) -> Seen:
        method, _, path = one.request.partition(" ")
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", **one.headers}
        if one.signed == "no":
            del headers["Authorization"]
        raw = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
        status, answered, answer = await asgi(self.app, (method, path), headers=raw, body=one.body)
        assert TOKEN.encode() not in answer
        if status < 300:
            return Seen(code="ok", status=status, gave=answer.decode())
        assert answered["content-type"].startswith("application/problem+json")
        told = msgspec.json.decode(answer)
        at = told["about"].get("pointer", "")
        if "line" in told["about"]:
            at = f"{told['about']['line']}:{told['about']['column']}"
        return Seen(code=told["code"], said=told["detail"], hint=told["hint"], at=at, status=status)

    async def close(self) -> None:
        await self.stack.aclose()


class Cli(Surface):
    """`accordant …`, in this process: the exit code is the status."""

    async def warm(self) -> None:
        await asyncio.to_thread(fill, self.folder, stored.item(1), stored.transaction(1), stored.message(1))
        reads: tuple[str, ...] = (
            "tx list",
            "exception list",
            "reference list",
            "replay --since 2026-01-01 --preview",
            "doctor",
        )
        wrong = ("nothing", "tx list --limit x", "tx show x", "demo --limits x")
        for verb in (*wrong, *reads):
            await asyncio.to_thread(self.run, [str(word) for word in verb.split()], {})

    async def feed(self, one: Input) -> Seen:
        status, said = await asyncio.to_thread(self.run, one.args or [], one.env)
        found = re.search(r"\(([a-z_0-9]+\.[a-z_0-9.]+)\)\s*$", said)
        code = found[1] if found else "usage" if "Usage:" in said else "ok" if status == 0 else ""
        return Seen(code=code, said=said, hint=said, status=status, gave=said if status == 0 else "")

    def run(self, args: list[str], env: dict[str, str]) -> tuple[int, str]:
        arguments = [os.fsdecode(base64.b64decode(one[7:])) if one.startswith("base64:") else one for one in args]
        output, before = io.StringIO(), dict(os.environ)
        os.environ.update({"ACCORDANT_STATE": str(self.folder), "COLUMNS": "300", **env})
        try:
            with redirect_stdout(output), redirect_stderr(output):
                command_line(arguments, prog_name="accordant")
            status: object = 0
        except SystemExit as ended:
            status = ended.code
        finally:
            os.environ.clear()
            os.environ.update(before)
        assert "Traceback" not in output.getvalue()
        return int(str(status or 0)), output.getvalue()


def surfaces() -> dict[str, type[Surface]]:
    """Every surface by the name that the tables use."""
    from tests.bad_input import surfaces as plain

    return {
        "json": plain.Json,
        "vendor_answer": plain.VendorAnswer,
        "deal": plain.Deal,
        "estate": plain.EstateFile,
        "export": plain.Export,
        "function": plain.Function,
        "reference_set": plain.ReferenceCommand,
        "stripe": Stripe,
        "zendesk": Zendesk,
        "api": Api,
        "cli": Cli,
    }
