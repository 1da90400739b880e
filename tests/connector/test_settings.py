"""A connection's secrets come from the secrets file, and from the environment where that gives one."""

from pathlib import Path

import pytest

from accordant.connector.capabilities import SandboxSeed
from accordant.connector.settings import settings_of
from accordant.governance.connections import ConnectionEntry
from accordant.kernel.errors import Misconfigured
from accordant.kernel.settings import secret_overrides
from accordant.security.secrets import save_store

ENTRY = ConnectionEntry(
    name="billing",
    vendor="x",
    base_url="https://api.example",
    credentials={"api_key": "secret:billing.api-key"},
    webhook_secrets=("secret:billing.hook",),
)
SEED = SandboxSeed(credentials={}, options={"region": "sandbox"})
VARIABLE = "ACCORDANT_SECRET_BILLING_API_KEY"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    save_store(tmp_path / "secrets.json", {"billing.api-key": "from the file", "billing.hook": "signs"})
    return tmp_path


def test_secrets_come_from_the_file(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    settings = settings_of(ENTRY, state, sandbox=SEED)
    assert settings.credentials == {"api_key": "from the file"}
    assert settings.webhook_secrets == ("signs",)
    assert settings.options == {}, "what a sandbox needs is no concern of the real vendor"


def test_the_environment_wins_over_the_file(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "from the environment")
    settings = settings_of(ENTRY, state, sandbox=SEED)
    assert settings.credentials == {"api_key": "from the environment"}
    assert settings.webhook_secrets == ("signs",)


def test_the_environment_is_enough_without_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "k")
    monkeypatch.setenv("ACCORDANT_SECRET_BILLING_HOOK", "h")
    assert settings_of(ENTRY, tmp_path, sandbox=SEED).webhook_secrets == ("h",)


def test_an_empty_variable_overrides_nothing_and_only_named_secrets_are_read() -> None:
    environ = {VARIABLE: "", "ACCORDANT_SECRET_OTHER": "x"}
    assert secret_overrides(["billing.api-key"], environ=environ) == {}
    assert secret_overrides(["other"], environ=environ) == {"other": "x"}


def test_a_sandbox_that_does_not_run_is_named(state: Path) -> None:
    entry = ConnectionEntry(name="billing", vendor="x", base_url="sandbox://billing")
    with pytest.raises(Misconfigured, match="no sandbox runs for billing; start the platform"):
        settings_of(entry, state, sandbox=SEED)
    (state / "sandboxes.json").write_text('{"billing": "http://127.0.0.1:9"}')
    settings = settings_of(entry, state, sandbox=SEED)
    assert (settings.base_url, settings.options) == ("http://127.0.0.1:9", {"region": "sandbox"})
