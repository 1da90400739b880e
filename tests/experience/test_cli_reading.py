"""What the reading commands print, for people and for programs, and with which exit code they end."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.cells import cell_len
from typer.testing import CliRunner, Result

from accordant.experience.cli.main import app
from tests.experience.running import fill
from tests.operations import stored

TX = f"tx-{1:024x}"
LONG = "Günther & Söhne Maschinenbau Beteiligungsgesellschaft mbH & Co. KG 株式会社日本電気通信"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def answer(*arguments: str, exit_code: int = 0) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == exit_code, result.output
    return msgspec.json.decode(result.stdout)


@pytest.fixture
def a_deal(state: Path) -> Path:
    effects = stored.onboarding()
    audit = [stored.entry("transaction.opened"), *(line for one in effects for line in stored.told(one))]
    audit.append(stored.entry("transaction.completed", at_ms=stored.NOW_MS + 9000))
    fill(state, stored.message(), stored.event(), stored.transaction(), *effects, audit=audit)
    return state


@pytest.fixture
def parked(state: Path) -> Path:
    rows = [stored.message(state="quarantined", note="date.malformed")]
    for n in (1, 2):
        hostile = "[bold red]Acme[/] \x1b[31m\x07" + LONG
        rows += [stored.transaction(n, state="exception", party=hostile, ended_at_ms=None), stored.item(n)]
    fill(state, *rows)
    return state


def test_help_lists_every_verb_and_imports_none_of_them() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from accordant.experience.cli.main import app;"
        "r = CliRunner().invoke(app, ['--help']); assert r.exit_code == 0;"
        "print(r.output); heavy = {'sqlalchemy', 'litestar', 'aiohttp', 'accordant.wiring'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    for verb in "demo up worker tx exception reference replay sandbox doctor".split():
        assert verb in ran.stdout


def test_an_unknown_verb_is_wrong_usage() -> None:
    assert run("txx").exit_code == 2


@pytest.mark.parametrize(
    "command",
    [("tx", "list"), ("tx", "show", "x"), ("exception", "list"), ("reference", "list"), ("replay", "--quarantined")],
)
def test_where_nothing_is_stored_the_next_step_is_said(state: Path, command: tuple[str, ...]) -> None:
    told = answer(*command, exit_code=3)
    assert told["error"]["code"] == "state.missing"
    assert "accordant up" in told["error"]["hint"]
    assert not (state / "accordant.db").exists()


def test_empty_lists_say_what_to_do(state: Path) -> None:
    fill(state)
    assert "accordant demo" in run("tx", "list").output
    assert "No transaction fits" in run("tx", "list", "--is", "running").output
    assert "Nothing is open" in run("exception", "list").output
    assert "nothing to replay" in run("replay", "--quarantined").output


def test_a_timeline_shows_every_system_and_no_line_is_too_long(a_deal: Path) -> None:
    result = run("tx", "show", "DEAL-1")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert max(cell_len(line) for line in lines) <= 80
    header = next(line for line in lines if "CRM" in line)
    for row, system in (
        ("tell sales", "CRM"),
        ("place order", "ERP"),
        ("subscription", "billing"),
        ("raise", "support"),
    ):
        line = next(one for one in lines if row in one)
        assert line.index(row) == header.index(system) + 2 if row != "subscription" else True
    assert "completed and verified" in result.output


@pytest.mark.parametrize("width", [60, 80, 140, 200])
def test_drawings_fit_their_width_whatever_the_names(parked: Path, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for command in (("tx", "list"), ("exception", "list", "--items"), ("replay", "--quarantined")):
        output = run(*command).output
        assert output.strip()
        for line in output.splitlines():
            assert cell_len(line) <= width, (command, line)


def test_what_others_wrote_is_printed_and_not_obeyed(parked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    for command in (("tx", "list"), ("tx", "show", TX)):
        output = run(*command).output
        assert "\x1b" not in output
        assert "\x07" not in output
        assert "[bold red]Acme[/] \\x1b[31m\\x07" in output


def test_symbols_have_letters_where_the_output_knows_no_symbols(a_deal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
    from accordant.experience.cli import screen

    monkeypatch.setattr(screen.sys, "stdout", plain)
    drawn = screen.Screen()
    assert [drawn.mark(word) for word in ("verified", "rejected", "rule")] == ["v", "x", "|"]


@pytest.mark.parametrize("word", ["DEAL-1", TX, TX[:20], "billing_subscription_1", "006NATIVE1", "cor-0001"])
def test_any_id_finds_the_transaction(a_deal: Path, word: str) -> None:
    told = answer("tx", "show", word)
    assert told["transaction"]["transaction_id"] == TX
    assert told["timeline"][0]["word"] == "arrived"
    assert "body" not in told["message"]


@pytest.mark.parametrize(
    ("name", "said"),
    [("place order", "1 effect stands"), ("tell it stopped", "no business record was written anywhere")],
)
def test_a_stopped_transaction_says_what_stands_and_a_notice_is_nothing(state: Path, name: str, said: str) -> None:
    fill(state, stored.transaction(state="exception"), stored.item(1), stored.effect(name))
    assert said in run("tx", "show", TX).output


def test_an_id_of_several_lists_them(state: Path) -> None:
    fill(state, stored.transaction(1, subject="DEAL"), stored.transaction(2, subject="DEAL"))
    told = answer("tx", "show", "DEAL", exit_code=1)
    assert told["error"]["code"] == "transaction.several"
    assert len(told["error"]["detail"]["transactions"]) == 2
    assert run("tx", "show", "DEAL").exit_code == 1


def test_an_id_of_nothing_is_not_found(a_deal: Path) -> None:
    assert answer("tx", "show", "nothing", exit_code=3)["error"]["code"] == "transaction.unknown"
    assert run("tx", "prove", "nothing").exit_code == 3
    assert run("exception", "show", "nothing").exit_code == 3
    assert run("reference", "list", "nothing").exit_code == 3


def test_a_proof_has_a_line_for_every_system_and_the_verdict(a_deal: Path) -> None:
    result = run("tx", "prove", "DEAL-1")
    assert result.exit_code == 0
    for line in ("CRM", "billing", "ERP", "support", "audit chain  15 entries", "✔ proven"):
        assert line in result.output
    told = answer("tx", "prove", "DEAL-1")
    assert told["proven"] is True
    assert {one["read_back"] for one in told["lines"]} == {"verified"}


def test_a_proof_with_something_missing_ends_with_1(state: Path) -> None:
    one = stored.effect(checked="")
    fill(state, stored.transaction(), one, audit=stored.told(one))
    result = run("tx", "prove", "DEAL-1")
    assert result.exit_code == 1
    assert "✘ not proven" in result.output
    assert "not yet read back" in result.output
    assert answer("tx", "prove", "DEAL-1", exit_code=1)["proven"] is False


def test_global_options_may_stand_before_the_verb(a_deal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCORDANT_STATE", str(a_deal / "elsewhere"))
    result = run("--state", str(a_deal), "--json", "tx", "list")
    assert result.exit_code == 0
    assert msgspec.json.decode(result.stdout)["transactions"][0]["transaction_id"] == TX
    assert run("tx", "list").exit_code == 3


def test_pages_go_on_with_the_cursor(state: Path) -> None:
    fill(state, *(stored.transaction(n) for n in range(1, 4)))
    first = answer("tx", "list", "--limit", "2")
    second = answer("tx", "list", "--limit", "2", "--after", first["next"])
    assert [one["subject"] for one in first["transactions"] + second["transactions"]] == ["DEAL-3", "DEAL-2", "DEAL-1"]
    assert second["next"] == ""
    assert run("tx", "list", "--after", "nonsense").exit_code == 2
    assert run("tx", "list", "--limit", "0").exit_code == 2


def test_causes_name_money_owner_and_the_way_out(parked: Path) -> None:
    output = run("exception", "list").output
    for said in (
        "2 items · 2.00 USD",
        "owner product operations",
        "nearest: 'GTX Pro', 'GTX Basic'",
        'accordant reference set product "GTXPro" "GTX Pro"',
        "accordant exception release cause-gtx",
    ):
        assert said in output
    told = answer("exception", "list", "--cause", "cause-gtx")
    assert told["causes"][0]["money"] == {"USD": 200}
    assert [one["detail"]["value"] for one in told["items"]] == ["GTXPro", "GTXPro"]


def test_one_exception_shows_its_runbook(parked: Path) -> None:
    told = answer("exception", "show", f"exc-{2:020x}")
    assert told["runbook"] == "docs/runbooks/exceptions.md#a-word-without-a-meaning"
    output = run("exception", "show", f"exc-{2:020x}").output
    assert "a-word-without-a-meaning" in output
    assert run("exception", "show", "exc-0000").exit_code == 1


def test_reference_data_shows_owner_days_and_gaps(parked: Path) -> None:
    tables = {one["table"]: one for one in answer("reference", "list")["tables"]}
    assert tables["product"]["owner"] == "product operations"
    assert tables["product"]["missing"][0]["value"] == "GTXPro"
    assert "'GTXPro' (2 parked)" in run("reference", "list").output
    words = answer("reference", "list", "service_tier")["rows"]
    assert [(one["row"]["value"], one["holds"]) for one in words] == [
        ("plus", "in force"),
        ("premium", "in force"),
        ("standard", "in force"),
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "exit_code"),
    [
        (["--all"], "replay.no_filter", 2),
        ([], "replay.no_filter", 2),
        (["--since", "yesterday"], "replay.instant", 2),
        (["--until", "2026-11-21T12:00"], "replay.instant", 2),
    ],
)
def test_a_replay_that_makes_no_sense_is_wrong_input(
    parked: Path, arguments: list[str], code: str, exit_code: int
) -> None:
    assert answer("replay", *arguments, exit_code=exit_code)["error"]["code"] == code


def test_a_replay_only_shows_unless_told_to_do_it(parked: Path) -> None:
    told = answer("replay", "--quarantined")
    assert (told["preview"], told["items"][0]["will"]) == (True, True)
    assert "Nothing was changed" in run("replay", "--since", "2023-11-14").output
    assert run("replay", "msg-none").exit_code == 3


def test_a_database_of_something_else_is_said_so(state: Path) -> None:
    (state / "accordant.db").write_bytes(b"this is no database, it is a text file of more than a few bytes" * 20)
    assert run("tx", "list").exit_code == 1
    assert "cannot be read" in answer("tx", "list", exit_code=1)["error"]["message"]
