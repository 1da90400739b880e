"""The admin door opens to its token alone, and the vendor's own doors answer in the vendor's words."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize("token", [None, "", "open sesam", "open sesame2", "öpen sesame"])
async def test_without_the_token_the_door_stays_shut(acme: Any, token: str | None) -> None:
    async with acme() as caller:
        headers = {} if token is None else {"X-Sandbox-Token": token}
        for method, action in (("GET", "state"), ("PUT", "faults"), ("POST", "clock"), ("GET", "nowhere")):
            assert (await caller.ask(method, f"/__sandbox__/{action}", headers=headers))[0] == 401


async def test_no_token_configured_opens_to_nobody(acme: Any) -> None:
    async with acme(admin_token="") as caller:
        for headers in ({}, {"X-Sandbox-Token": ""}):
            assert (await caller.ask("GET", "/__sandbox__/health", headers=headers))[0] == 401


async def test_the_door_stays_open_while_the_vendor_is_down(acme: Any) -> None:
    async with acme() as caller:
        await caller.admin("POST", "down", {"seconds": 20})
        assert (await caller.admin("GET", "health"))["ok"] is True
        await caller.admin("DELETE", "faults")
        assert await caller.create("C-1") == 201


async def test_expired_tokens_are_refused(acme: Any) -> None:
    async with acme() as caller:
        await caller.admin("POST", "expire-tokens")
        status, body, _ = await caller.ask("GET", "/customers")
        assert (status, body["acme_error"]) == (401, "unauthenticated")
        assert caller.ledger() == []
        status, body, _ = await caller.ask("POST", "/token")  # public: a new one is given to whoever lost his
        assert (status, body) == (200, {"access_token": "token-2"})


async def test_a_load_may_be_larger_than_a_request(acme: Any) -> None:
    async with acme() as caller:
        rows = [{"id": f"cus_{number}", "ref": f"C-{number:05}"} for number in range(2000)]
        assert await caller.admin("POST", "load", {"customer": rows}) == {"loaded": 2000}
        assert len(await caller.refs()) == 2000


async def test_refusals_are_in_the_vendors_words(acme: Any) -> None:
    async with acme() as caller:
        asked = [
            ("GET", "/nowhere", None, 404, "not_found"),
            ("DELETE", "/customers", None, 405, "method_not_allowed"),
            ("POST", "/customers", b"{", 400, "malformed"),
            ("POST", "/customers", b'"\xff"', 400, "malformed"),
            ("POST", "/customers", b"[" * 9_000, 400, "malformed"),
            ("POST", "/customers", b"x" * 10_001, 413, "too_large"),
            ("GET", "/broken", None, 500, "server_error"),
        ]
        for method, path, body, status, problem in asked:
            answered, words, headers = await caller.ask(method, path, body=body)
            assert (answered, words["acme_error"]) == (status, problem), path
            assert "X-Acme" in headers
        assert (await caller.ask("DELETE", "/customers"))[2]["Allow"] == "GET, POST"
        counters = await caller.admin("GET", "counters")
        assert counters["handler_failures"] == 1
        assert counters["requests"]["customer.create"] == 4


async def test_a_search_lags_and_a_read_by_id_does_not(acme: Any) -> None:
    async with acme() as caller:
        await caller.fault("index_lag", operation="customer.search", delay_s=5)
        _, created, _ = await caller.ask("POST", "/customers", body={"ref": "C-1"})

        async def found() -> int:
            by_index = (await caller.ask("GET", "/customers?ref=C-1"))[1]["rows"]
            listed = (await caller.ask("GET", "/customers"))[1]["rows"]
            assert len(by_index) == len(listed)
            return len(listed)

        assert (await caller.ask("GET", f"/customers/{created['id']}"))[0] == 200
        assert await found() == 0
        await caller.admin("POST", "clock", {"advance_s": 4.9})
        assert await found() == 0
        await caller.admin("POST", "clock", {"advance_s": 0.2})
        assert await found() == 1


async def test_an_idempotency_key_expires_with_the_clock(acme: Any) -> None:
    async with acme() as caller:
        for advance_s, writes in ((0, 1), (3599, 1), (2, 2)):
            await caller.admin("POST", "clock", {"advance_s": advance_s})
            assert await caller.create("C-1", key="k") == 201
            assert len(caller.ledger()) == writes


PROGRAM = """
from accordant.connector.sandbox import Problem, Reply, Route, Sandbox, SandboxOptions, run

class Tiny(Sandbox):
    system = "erp"
    def routes(self):
        yield Route("GET", "/", "root.get", self.root)
    def authenticate(self, call):
        return None
    def render(self, problem: Problem):
        return Reply(problem.status, {})
    async def root(self, call):
        return Reply(200, {"set": dict(self.kit.settings)})
    def load(self, data):
        return 0

run(Tiny, SandboxOptions.from_argv("erp"))
"""


def test_a_process_says_where_it_answers_and_ends_on_sigterm(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, "--state", str(tmp_path), "--set", "a=b=c"]
    path = os.pathsep.join(entry for entry in sys.path if entry)
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        fetch = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).read().decode())"
        got = subprocess.run([sys.executable, "-c", fetch, ready["url"]], capture_output=True, text=True, check=True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    assert ready["ready"] is True
    assert json.loads(got.stdout) == {"set": {"a": "b=c"}}
    assert (tmp_path / "ledger" / "erp.jsonl").exists()
