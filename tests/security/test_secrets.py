import copy
import os
import pickle
from pathlib import Path

import msgspec
import pytest

from accordant.kernel.errors import Misconfigured
from accordant.security.secrets import Secret, open_store, resolve, save_store

TEXT = "4eC39HqLyjWDarjtT1zdp7dc"


def refused(path: Path) -> Misconfigured:
    with pytest.raises(Misconfigured) as wrong:
        open_store(path)
    assert TEXT not in f"{wrong.value.message}{wrong.value.as_dict()}{wrong.value.__cause__}"
    return wrong.value


def test_nothing_shows_a_secret_by_accident() -> None:
    secret = Secret(TEXT)
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>40}",
        "{}".format(secret),  # noqa: UP032
        repr([secret]),
        repr({1: secret}),
    ]
    assert [text for text in shown if TEXT in text] == []
    assert secret.reveal() == TEXT
    for leak in (msgspec.json.encode, pickle.dumps, copy.copy, vars):
        with pytest.raises(TypeError):
            leak(secret)


def test_secrets_compare_by_content() -> None:
    assert Secret("é") == Secret("é")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


def test_what_is_saved_opens_and_only_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    previous = os.umask(0)
    try:
        save_store(path, {"billing.key": TEXT})
    finally:
        os.umask(previous)
    assert path.stat().st_mode & 0o777 == 0o600
    assert resolve("secret:billing.key", open_store(path)).reveal() == TEXT
    assert [each.name for each in tmp_path.iterdir()] == ["secrets.json"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o610, 0o601, 0o660, 0o777])
def test_a_file_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "secrets.json"
    save_store(path, {"k": TEXT})
    path.chmod(mode)
    assert refused(path).code == "security.secrets_exposed"
    path.chmod(0o400)
    assert open_store(path)["k"].reveal() == TEXT


@pytest.mark.parametrize("content", [f'["{TEXT}"]', f'{{"k": {{"v": "{TEXT}"}}}}', TEXT, "", "\xff"])
def test_a_file_of_another_form_is_refused_without_quoting_it(tmp_path: Path, content: str) -> None:
    path = tmp_path / "secrets.json"
    path.write_bytes(content.encode("latin-1"))
    path.chmod(0o600)
    assert refused(path).code == "security.secrets_unreadable"


def test_a_link_or_folder_is_no_secrets_file(tmp_path: Path) -> None:
    save_store(tmp_path / "real.json", {"k": TEXT})
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    assert refused(tmp_path / "link.json").code == "security.secrets_unreadable"
    (tmp_path / "folder").mkdir(mode=0o700)
    os.mkfifo(tmp_path / "pipe", mode=0o600)
    assert refused(tmp_path / "pipe").code == "security.secrets_unreadable"
    assert refused(tmp_path / "folder").code == "security.secrets_unreadable"


def test_settings_win_over_the_file_and_an_empty_secret_is_none(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    save_store(path, {"a": "file", "b": "file", "empty": ""})
    store = open_store(path, overrides={"a": "settings"})
    assert (resolve("secret:a", store).reveal(), resolve("secret:b", store).reveal()) == ("settings", "file")
    for name in ("empty", "absent"):
        with pytest.raises(Misconfigured) as missing:
            resolve(f"secret:{name}", store)
        assert missing.value.code == "security.secret_missing"
    assert open_store(tmp_path / "none.json") == {}


def test_a_secret_instead_of_its_name_is_refused_and_not_repeated() -> None:
    with pytest.raises(Misconfigured) as refused_reference:
        resolve(TEXT, {})
    assert refused_reference.value.code == "config.plaintext_secret"
    assert TEXT not in str(refused_reference.value.as_dict())
