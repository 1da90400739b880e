"""A small vendor written on the kit, and a caller that speaks real HTTP to it."""

import json
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from accordant.connector.sandbox import (
    Call,
    Change,
    Delivery,
    Kit,
    Limit,
    Problem,
    Record,
    Refused,
    Reply,
    ReplyMemo,
    RetryPolicy,
    Route,
    Sandbox,
    SandboxOptions,
    Write,
    retry_after,
    serve,
)
from accordant.kernel.clock import ManualClock

ADMIN_TOKEN = "open sesame"


class Acme(Sandbox):
    """Customers that can be created, changed, read, listed and found; each creation sends a webhook."""

    system = "billing"
    max_body_bytes = 10_000

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self.customers = kit.store("customer", indexes={"ref": lambda record: record.get("ref")})
        self.memo = ReplyMemo(clock=kit.clock, ttl_s=3600)
        self.token = "token-1"
        policy = RetryPolicy(delays_s=(60.0, 3600.0), timeout_s=0.5, concurrency=4)
        self.sender = kit.webhooks(policy, lambda delivery, at, attempt: {"X-Attempt": str(attempt)})

    def routes(self) -> Iterable[Route]:
        yield Route("POST", "/token", "token.create", self.give_token, public=True)
        yield Route("POST", "/customers", "customer.create", self.create)
        yield Route("GET", "/customers", "customer.list", self.listed)
        yield Route("GET", "/customers/{id}", "customer.get", self.get)
        yield Route("POST", "/honest", "honest.create", self.create_honestly)
        yield Route("GET", "/broken", "broken.get", self.broken)

    def limits(self) -> Iterable[Limit]:
        yield Limit(name="rate", calls=3, window_s=60.0, operations=("customer.create",))
        yield Limit(name="daily", calls=8, window_s=86_400.0)
        yield Limit(name="parallel", concurrent=1, operations=("customer.list",))
        yield Limit(name="each", calls=1, window_s=60.0, operations=("customer.get",), per_subject=True)

    def authenticate(self, call: Call) -> Problem | None:
        known = call.headers.get("Authorization") == f"Bearer {self.token}"
        return None if known else Problem("unauthenticated", 401)

    def render(self, problem: Problem) -> Reply:
        return Reply(problem.status, {"acme_error": problem.kind, "limit": problem.limit}, retry_after(problem))

    def response_headers(self, call: Call) -> Mapping[str, str]:
        return {"X-Acme": call.operation}

    async def give_token(self, call: Call) -> Reply:
        return Reply(200, {"access_token": self.token})

    async def create(self, call: Call) -> Reply | Write:
        key = call.headers.get("Idempotency-Key")
        if key is not None and (saved := self.memo.recall(key, call.path, call.body)) is not None:
            return saved
        sent = call.json()
        if "ref" not in sent:
            raise Refused(Reply(422, {"acme_error": "ref is missing"}))
        record = {**sent, "id": f"cus_{self.kit.rng.getrandbits(64):016x}"}
        reply = Reply(201, record)
        change = Change(
            kind="customer",
            change="create",
            native_id=record["id"],
            business_id=sent["ref"],
            amount_minor=sent.get("amount_minor"),
            currency=sent.get("currency"),
            body=record,
        )

        def apply() -> None:
            self.customers.put(record["id"], record)
            if key is not None:
                self.memo.save(key, reply, call.path, call.body)
            self.announce(record)

        return Write(reply, (change,), apply=apply)

    async def create_honestly(self, call: Call) -> Write:
        record = {**call.json(), "id": f"hon_{self.kit.rng.getrandbits(32):x}"}
        change = Change(kind="customer", change="create", native_id=record["id"], body=record)
        put = self.customers.put
        return Write(Reply(201, record), (change,), apply=lambda: put(record["id"], record), can_lie=False)

    async def get(self, call: Call) -> Reply:
        record = self.customers.get(call.params["id"])
        return Reply(200, record) if record else self.render(Problem("not_found", 404))

    async def listed(self, call: Call) -> Reply:
        if "ref" in call.query:
            return Reply(200, {"rows": self.customers.find("ref", call.query["ref"])})
        page = self.kit.page(
            "customer.list",
            self.customers.search(),
            start=int(call.query.get("start", "0")),
            limit=int(call.query.get("limit", "10")),
        )
        return Reply(200, {"rows": page.rows, "next": page.next_start})

    async def broken(self, call: Call) -> Reply:
        raise RuntimeError("a mistake in the double")

    def announce(self, record: Record) -> None:
        if url := self.kit.settings.get("webhook_url"):
            body = json.dumps({"event": f"evt_{record['ref']}"}).encode()
            self.sender.send(Delivery(url=url, topic="customer.created", body=body))

    def dump(self) -> Mapping[str, list[Record]]:
        return {"customer": sorted(self.customers.values(), key=lambda record: record["ref"])}

    def load(self, data: Mapping[str, Any]) -> int:
        for record in data["customer"]:
            self.customers.put(record["id"], record)
        return len(data["customer"])

    def expire_tokens(self) -> None:
        self.token = "token-2"


class Caller:
    """Speaks to one running Acme; every answer is (status, decoded body or None, headers)."""

    def __init__(self, session: aiohttp.ClientSession, url: str, *, sandbox: Acme, state_dir: Path) -> None:
        self.session = session
        self.url = url
        self.sandbox = sandbox
        self.state_dir = state_dir
        self.headers = {"Authorization": "Bearer token-1"}

    async def ask(
        self, method: str, path: str, *, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any, Mapping[str, str]]:
        sent = {**self.headers, **(headers or {})}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        async with self.session.request(method, self.url + path, data=data, headers=sent) as answer:
            text = await answer.read()
            return answer.status, json.loads(text) if text else None, answer.headers

    async def create(self, ref: str, key: str | None = None) -> int:
        headers = {"Idempotency-Key": key} if key else {}
        return (await self.ask("POST", "/customers", body={"ref": ref}, headers=headers))[0]

    async def admin(self, method: str, action: str, body: Any = None) -> Any:
        headers = {"X-Sandbox-Token": ADMIN_TOKEN}
        status, answer, _ = await self.ask(method, f"/__sandbox__/{action}", body=body, headers=headers)
        assert status == 200, answer
        return answer

    async def fault(self, kind: str, **options: Any) -> None:
        await self.admin("PUT", "faults", {"faults": [{"kind": kind, **options}]})

    async def refs(self) -> list[str]:
        """What is really stored."""
        return [record["ref"] for record in (await self.admin("GET", "state"))["customer"]]

    def ledger(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.state_dir / "ledger" / "billing.jsonl").read_text().splitlines()]


StartAcme = Callable[..., AbstractAsyncContextManager[Caller]]


@pytest.fixture
def acme(tmp_path: Path) -> StartAcme:
    """`async with acme(limits="real", …) as caller`: Acme on a clock that stands still."""

    @asynccontextmanager
    async def started(**options: Any) -> AsyncGenerator[Caller]:
        chosen = SandboxOptions(
            **{"system": "billing", "state_dir": tmp_path, "admin_token": ADMIN_TOKEN, "seed": 7, **options}
        )
        timeout = aiohttp.ClientTimeout(total=5)
        async with (
            serve(Acme, chosen, source=ManualClock(1_800_000_000_000)) as serving,
            aiohttp.ClientSession(timeout=timeout) as session,
        ):
            assert isinstance(serving.sandbox, Acme)
            yield Caller(session, serving.url, sandbox=serving.sandbox, state_dir=tmp_path)

    return started


class Inbox:
    """A receiver of webhooks that answers what the test tells it to."""

    def __init__(self) -> None:
        self.url = ""
        self.events: list[str] = []
        self.attempts: list[str] = []
        self.answers: list[int] = []

    async def receive(self, request: web.Request) -> web.Response:
        self.events.append((await request.json())["event"])
        self.attempts.append(request.headers["X-Attempt"])
        return web.Response(status=self.answers.pop(0) if self.answers else 200)


@pytest.fixture
async def inbox() -> AsyncGenerator[Inbox]:
    received = Inbox()
    app = web.Application()
    app.router.add_post("/hook", received.receive)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    received.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield received
    await runner.cleanup()
