"""The command API: nobody without the token, and every refusal says what to do."""

import asyncio
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import msgspec
import pytest

from accordant.experience.api import operations
from accordant.kernel.database import NotCommitted
from accordant.kernel.errors import Misconfigured
from tests.experience.running import TOKEN, platform_on, running
from tests.operations import stored

EVERY = [
    ("GET", "/v1/health"),
    ("GET", "/v1/progress"),
    ("POST", "/v1/exceptions/exc-1/retry"),
    ("POST", "/v1/causes/cause-gtx/release"),
    ("POST", "/v1/approvals/apv-1/decide"),
    ("PUT", "/v1/reference/product"),
    ("POST", "/v1/replay"),
]


def ask(
    url: str, method: str, path: str, *, body: Any = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, Any], dict[str, str]]:
    connection = HTTPConnection(url.removeprefix("http://"), timeout=20)
    given = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"} if headers is None else headers
    connection.request(method, path, body if isinstance(body, bytes) else msgspec.json.encode(body or {}), given)
    answer = connection.getresponse()
    raw = answer.read()
    connection.close()
    return answer.status, msgspec.json.decode(raw), {name.lower(): value for name, value in answer.getheaders()}


@pytest.mark.parametrize(("method", "path"), EVERY)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer "},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {"Authorization": "Bearer ö".encode().decode("latin-1")},
    ],
)
def test_nothing_is_answered_without_the_token(api: str, *, method: str, path: str, headers: Any) -> None:
    status, problem, answered = ask(api, method, path, headers=headers)
    assert (status, problem["code"]) == (401, "security.token")
    assert answered["content-type"].startswith("application/problem+json")
    assert answered["www-authenticate"].startswith("Bearer")
    assert TOKEN not in str(problem)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One running platform for the questions that change nothing."""
    with running(
        tmp_path_factory.mktemp("api"),
        stored.message(1, state="kept"),
        stored.transaction(1),
        stored.effect(checked=""),
        stored.item(1, state="released"),
    ) as url:
        yield url


@pytest.mark.parametrize("token", ["", "short", "ö" * 20])
def test_without_a_usable_token_there_is_no_api(token: str) -> None:
    with pytest.raises(Misconfigured, match="no usable token"):
        operations.create_app(None, token)  # pyright: ignore[reportArgumentType]


def test_health_and_progress(api: str) -> None:
    status, health, _ = ask(api, "GET", "/v1/health")
    assert status == 200
    assert (health["status"], health["engine"], health["backlog"]) == ("ok", "journal", 1)
    assert health["durability"].startswith("SQLite, WAL, synchronous=FULL")
    status, progress, _ = ask(api, "GET", "/v1/progress")
    assert status == 200
    assert progress == {
        "inbox": {"kept": 1},
        "transactions": {"completed": 1},
        "open_exceptions": 0,
        "effects_confirmed": 1,
        "effects_unverified": 1,
        "effects_in_flight": 3,
        "driving": 0,
    }


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/v1/exceptions/exc-none/retry", {}, 404, "exception.unknown"),
        ("POST", "/v1/approvals/apv-none/decide", {"approve": True}, 404, "approval.unknown"),
        ("POST", "/v1/approvals/apv-none/decide", {}, 422, "body.field"),
        ("POST", "/v1/approvals/apv-none/decide", {"approve": "yes"}, 422, "body.field"),
        ("POST", f"/v1/exceptions/exc-{1:020x}/retry", {}, 409, "exception.not_open"),
        ("POST", "/v1/causes/cause-none/release", {}, 404, "cause.unknown"),
        ("POST", "/v1/causes/cause-gtx/release", {}, 409, "exception.not_open"),
        ("PUT", "/v1/reference/prodct", {"value": "a", "target": "b"}, 404, "reference.unknown_table"),
        ("PUT", "/v1/reference/product", {"value": "a", "target": "b"}, 409, "reference.unknown_target"),
        ("PUT", "/v1/reference/product", {"value": "", "target": "b"}, 422, "body.field"),
        ("PUT", "/v1/reference/product", {"value": "a"}, 422, "body.field"),
        ("PUT", "/v1/reference/product", {"value": "a", "target": "b", "x": 1}, 422, "body.field"),
        ("PUT", "/v1/reference/product", b"{", 422, "json.syntax"),
        ("POST", "/v1/replay", {}, 409, "replay.no_filter"),
        ("POST", "/v1/replay", {"all": True, "preview": True}, 409, "replay.no_filter"),
        ("POST", "/v1/replay", {"ids": "msg-1"}, 422, "body.field"),
        ("GET", "/v1/nothing", {}, 404, "http.not_found"),
        ("GET", "/v1/replay", {}, 405, "http.method_not_allowed"),
    ],
)
def test_a_refusal_says_which_and_why(api: str, *, method: str, path: str, body: Any, status: int, code: str) -> None:
    answered, problem, headers = ask(api, method, path, body=body)
    assert (answered, problem["code"]) == (status, code)
    assert headers["content-type"].startswith("application/problem+json")
    assert problem["status"] == status
    assert problem["detail"]
    assert problem["type"] == f"urn:accordant:problem:{code}"


def test_an_unknown_target_names_the_nearest(api: str) -> None:
    _, problem, _ = ask(api, "PUT", "/v1/reference/product", body={"value": "x", "target": "Ledger Staart"})
    assert problem["about"]["candidates"][0] == "Ledger Start"
    assert problem["hint"]


@pytest.mark.parametrize("actor", ["", " ", "x" * 101, "a\tb"])
def test_an_actor_that_is_no_name_is_malformed(api: str, actor: str) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", "X-Actor": actor}
    status, problem, _ = ask(api, "POST", "/v1/causes/cause-none/release", headers=headers)
    assert (status, problem["code"]) == (422, "actor.malformed")


def test_a_body_beyond_a_mebibyte_is_refused(api: str) -> None:
    status, _, _ = ask(api, "POST", "/v1/replay", body=b'{"ids": ["' + b"x" * 1_100_000 + b'"]}')
    assert status == 413


async def test_what_the_database_did_not_take_may_be_tried_again(tmp_path: Path, monkeypatch: Any) -> None:
    async with stored.opened(tmp_path / "accordant.db") as storage:
        platform = await platform_on(storage, tmp_path)

        async def refuse(*_: object, **__: object) -> int:
            raise NotCommitted("the disk is full")

        monkeypatch.setattr(platform.estates, "set_reference", refuse)
        app = operations.create_app(platform, TOKEN)
        answer = await asgi(app, "PUT", "/v1/reference/product", {"value": "a", "target": "b"})
        assert (answer["status"], answer["headers"]["retry-after"]) == (503, "5")
        monkeypatch.setattr(platform.estates, "set_reference", boom)
        answer = await asgi(app, "PUT", "/v1/reference/product", {"value": "a", "target": "b"})
        assert (answer["status"], b"very secret" in answer["body"]) == (500, False)


async def boom(*_: object, **__: object) -> int:
    raise RuntimeError("very secret")


async def asgi(app: Any, method: str, path: str, body: Any) -> dict[str, Any]:
    """One request without a server."""
    raw = msgspec.json.encode(body)
    headers = [(b"authorization", f"Bearer {TOKEN}".encode()), (b"content-type", b"application/json")]
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
        "headers": [*headers, (b"content-length", str(len(raw)).encode())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "state": {},
    }
    answer: dict[str, Any] = {"body": b""}

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": raw, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        if message["type"] == "http.response.start":
            answer["status"] = message["status"]
            answer["headers"] = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            answer["body"] += message.get("body", b"")

    await app(scope, receive, send)
    return answer
