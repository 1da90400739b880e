"""Commands that change something go through the running platform, and say so when there is none."""

import socket
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select

from accordant.backbone.rows import exception_table, inbox_table
from accordant.experience.cli.client import Address
from accordant.experience.cli.main import app
from accordant.kernel.database import Database
from accordant.telemetry.audit import audit_table
from tests.experience.running import TOKEN, fill, running
from tests.experience.test_cli_reading import answer, run
from tests.operations import stored

CHANGING = [
    ("exception", "retry", "exc-1"),
    ("exception", "release", "cause-gtx"),
    ("reference", "set", "product", "GTXPro", "Ledger Start"),
]


def audited(state: Path) -> list[tuple[str, str]]:
    database = Database(f"sqlite:///{state / 'accordant.db'}")
    columns = audit_table.c
    found = database.read_now(lambda c: c.execute(select(columns.action, columns.actor).order_by(columns.n)).all())
    database.close()
    return [(one.action, one.actor) for one in found]


@pytest.mark.parametrize("command", CHANGING)
def test_without_a_platform_a_command_ends_with_4(state: Path, command: tuple[str, ...]) -> None:
    told = answer(*command, exit_code=4)
    assert told["error"]["code"] == "command.not_running"
    assert "accordant up" in told["error"]["hint"]
    assert run(*command).exit_code == 4


@pytest.mark.parametrize("content", [b"", b"{", b'{"url": "http://127.0.0.1:1"}'])
def test_an_api_file_that_says_nothing_is_no_platform(state: Path, content: bytes) -> None:
    (state / "api.json").write_bytes(content)
    assert run(*CHANGING[0]).exit_code == 4


def test_an_address_where_nobody_answers_any_more_is_no_platform(state: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    address = {"url": url, "token": TOKEN, "pid": 1}
    (state / "api.json").write_bytes(msgspec.json.encode(address))
    assert run(*CHANGING[0]).exit_code == 4
    (state / "api.json").write_bytes(msgspec.json.encode({**address, "pid": 2**22 + 1}))
    assert "has ended" in answer(*CHANGING[0], exit_code=4)["error"]["message"]


def test_a_token_is_not_printed() -> None:
    assert TOKEN not in repr(Address(url="http://x", token=TOKEN, pid=1))


def test_a_word_gets_its_meaning_and_the_waiting_cause_is_named(state: Path) -> None:
    with running(state, stored.item(1), stored.item(2)):
        told = answer("reference", "set", "product", "GTXPro", "Ledger Start", "--actor", "jo", "--reason", "typo")
        assert told == {"estate_version": 2, "waiting_causes": ["cause-gtx"]}
        again = run("reference", "set", "product", "GTXPro", "Ledger Team")
        assert "accordant exception release cause-gtx" in again.output
        assert "2 items (2.00 USD)" in again.output
        refused = answer("reference", "set", "product", "X", "Ledger Staart", exit_code=1)
        assert refused["error"]["detail"]["candidates"][0] == "Ledger Start"
        assert run("reference", "set", "prodct", "X", "Y").exit_code == 3
    assert ("reference.set", "jo") in audited(state)


def test_retry_and_release_let_messages_go_on(state: Path) -> None:
    rows = [stored.message(n, state="quarantined", note="date.malformed") for n in (1, 2, 3)] + [
        stored.item(n, transaction_id="", message_id=f"msg-{n:04}") for n in (1, 2, 3)
    ]
    with running(state, *rows):
        assert answer("exception", "retry", f"exc-{1:020x}", "--actor", "jo") == {"released": 1}
        assert "2 items go on" in run("exception", "release", "cause-gtx").output
        assert answer("exception", "release", "cause-gtx", exit_code=1)["error"]["code"] == "exception.not_open"
        assert run("exception", "release", "cause/../x").exit_code == 3
        assert run("exception", "retry", "exc-none").exit_code == 3
    database = Database(f"sqlite:///{state / 'accordant.db'}")
    assert set(database.read_now(lambda c: c.execute(select(inbox_table.c.state)).scalars().all())) == {"kept"}
    closed = database.read_now(lambda c: c.execute(select(exception_table.c.closed_by)).scalars().all())
    database.close()
    assert sorted(closed) == ["jo", "operator", "operator"]


def test_a_replay_is_done_with_yes(state: Path) -> None:
    with running(state, stored.message(1, state="quarantined"), stored.transaction(2)):
        assert run("replay", "--quarantined").exit_code == 0
        assert run("replay", "--quarantined", "--yes", "--preview").exit_code == 0
        assert answer("replay", "--quarantined")["items"][0]["state"] == "quarantined"
        told = answer("replay", "msg-0001", f"tx-{2:024x}", "--yes", "--actor", "jo")
        assert told["preview"] is False
        assert [one["will"] for one in told["items"]] == [True, True]
        assert "already" not in run("replay", "--quarantined").output
    assert [one for one in audited(state) if one[0].endswith("replayed")] == [
        ("message.replayed", "jo"),
        ("transaction.replayed", "jo"),
    ]


def test_doctor_names_everything_that_is_wrong_and_every_assumption(state: Path) -> None:
    fill(state)
    told = answer("doctor", exit_code=1)
    wrong = {one["about"] for one in told["checks"] if not one["is_fine"]}
    assert {"secrets of stripe", "connection stripe", "connection netsuite"} <= wrong
    assert {one["about"] for one in told["checks"] if one["is_fine"]} >= {"database", "audit chain"}
    for vendor in told["vendors"]:
        assert vendor["capabilities"]
        assert all(one["source"].startswith("https://") for one in vendor["capabilities"])
    output = run("doctor").output
    assert "What is assumed" in output
    assert "start_subscription" in output


def test_doctor_is_content_where_everything_answers(state: Path) -> None:
    from accordant.launch.state import prepare

    prepare(state)
    with running(state) as url, socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(16)
        sandbox = f"http://127.0.0.1:{listening.getsockname()[1]}"
        names = ("salesforce", "stripe", "netsuite", "zendesk")
        (state / "sandboxes.json").write_bytes(msgspec.json.encode(dict.fromkeys(names, sandbox)))
        told = answer("doctor", "--brief")
        assert told["fine"] is True
        assert url in next(one["said"] for one in told["checks"] if one["about"] == "platform")
        (state / "secrets.json").chmod(0o644)
        assert "may be read by others" in str(answer("doctor", "--brief", exit_code=1)["checks"])


def test_doctor_where_nothing_is_there_yet(state: Path) -> None:
    told = answer("doctor", "--brief", exit_code=1)
    said = {one["about"]: one for one in told["checks"]}
    assert "does not exist yet" in said["database"]["said"]
    assert not said["estate"]["is_fine"]


def test_a_verb_that_is_missing_breaks_no_other(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from accordant.experience.cli.lazy import LazyGroup, Verb

    monkeypatch.setitem(LazyGroup.verbs, "gone", Verb("accordant.experience.cli.gone", "Nothing."))
    assert run("--help").exit_code == 0
    assert answer("gone", exit_code=2)["error"]["code"] == "command.missing"
    assert app is not None
