from pathlib import Path

import pytest

from accordant.governance.connections import load_connections
from accordant.kernel.errors import Misconfigured

HEAD = "connections:\n  books:\n    vendor: v\n    base_url: https://books.example\n"
SHOWN = "sk_live_4eC39HqLyjWDarjtT1zdp7dc"


def refused(folder: Path, text: str) -> list[str]:
    (folder / "connections.yaml").write_text(text)
    with pytest.raises(Misconfigured) as wrong:
        load_connections(folder)
    assert SHOWN not in f"{wrong.value.message}{wrong.value.as_dict()}"
    return wrong.value.detail["problems"]


def test_everything_a_connection_says_is_read(tmp_path: Path) -> None:
    more = "    credentials: {key: secret:a.b}\n    webhook_secrets: [secret:new, secret:old]\n    rate_per_s: 2\n"
    (tmp_path / "connections.yaml").write_text(HEAD + more + "    options: {account: '1', nested: {a: [1]}}\n")
    (entry,) = load_connections(tmp_path)
    assert (entry.name, entry.rate_per_s, entry.concurrency) == ("books", 2, 32)
    assert entry.webhook_secrets == ("secret:new", "secret:old")
    assert entry.options == {"account": "1", "nested": {"a": [1]}}


@pytest.mark.parametrize(
    "line",
    [
        f"    credentials: {{key: {SHOWN}}}\n",
        f"    credentials: {{key: 'secret:{SHOWN} x'}}\n",
        f"    webhook_secrets: [secret:a, {SHOWN}]\n",
        f"    options: {{api_key: {SHOWN}}}\n",
        f"    options: {{deep: {{client_secret: [{SHOWN}]}}}}\n",
    ],
)
def test_a_secret_written_out_is_refused_and_not_repeated(tmp_path: Path, line: str) -> None:
    found = refused(tmp_path, HEAD + line)
    assert [problem.split(": ")[1] for problem in found] == ["config.plaintext_secret"]
    assert found[0].startswith("connections.yaml:5:")


def test_a_secret_of_the_wrong_shape_is_not_repeated_either(tmp_path: Path) -> None:
    found = refused(tmp_path, HEAD + f"    webhook_secrets: {SHOWN}\n    credentials: [{SHOWN}]\n")
    assert {problem.split(": ")[1] for problem in found} == {"config.plaintext_secret", "config.value"}


@pytest.mark.parametrize(
    ("url", "accepted"),
    [
        ("https://books.example", True),
        ("https://books.example:8443/", True),
        ("http://127.0.0.1:8101", True),
        ("http://[::1]:8101", True),
        ("http://localhost:8101", True),
        ("sandbox://books", True),
        ("http://books.example", False),
        ("http://127.0.0.1.books.example", False),
        (f"https://user:{SHOWN}@books.example", False),
        ("https://books.example/v1", False),
        ("https://books.example?x=1", False),
        ("https://books.example:port", False),
        ("ftp://books.example", False),
        ("books.example", False),
    ],
)
def test_addresses_are_encrypted_or_local(tmp_path: Path, url: str, accepted: bool) -> None:
    text = HEAD.replace("https://books.example", f"'{url}'")
    if accepted:
        (tmp_path / "connections.yaml").write_text(text)
        assert load_connections(tmp_path)[0].base_url == url
    else:
        assert ["config.url" in problem for problem in refused(tmp_path, text)] == [True]


@pytest.mark.parametrize("line", ["concurrency: 0", "timeout_s: 0", "daily_quota: -1", "rate_per_s: 0", "vendr: x"])
def test_limits_below_one_and_unknown_keys_are_refused(tmp_path: Path, line: str) -> None:
    assert len(refused(tmp_path, f"{HEAD}    {line}\n")) == 1


def test_no_connections_at_all_are_refused(tmp_path: Path) -> None:
    assert len(refused(tmp_path, "connections: {}\n")) == 1
    assert len(refused(tmp_path, "connection: {}\n")) == 1
