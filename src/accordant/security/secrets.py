"""Secrets are named in files and never written there; one that is printed shows nothing."""

import os
import stat
from collections.abc import Mapping
from hmac import compare_digest
from pathlib import Path
from typing import NoReturn

import msgspec

from accordant.kernel.errors import Misconfigured
from accordant.kernel.ids import canonical_json

PREFIX = "secret:"


class Secret:
    """A text that nothing shows by accident; `reveal()` is the one way to it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself; hand it to the call that needs it and keep it nowhere."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(•••)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and compare_digest(self._text.encode(), other._text.encode())

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not serialised")


Store = Mapping[str, Secret]


def open_store(path: Path, *, overrides: Mapping[str, str] | None = None) -> Store:
    """The secrets of a JSON file (`{"name": "text"}`, mode 0600); `overrides` come from the settings and win.

    A file that is not there holds no secrets.

    Raises:
        Misconfigured: `security.secrets_exposed` where others may read the file, `security.secrets_unreadable`.
    """
    values = _read_private(path)
    return {name: Secret(text) for name, text in {**values, **(overrides or {})}.items() if text}


def save_store(path: Path, values: Mapping[str, str]) -> None:
    """Write the secrets file anew, readable by its owner alone from its first byte."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(canonical_json(dict(values)))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def resolve(reference: str, store: Store) -> Secret:
    """The secret that `secret:<name>` names.

    Raises:
        Misconfigured: `config.plaintext_secret` for anything but a reference, `security.secret_missing`.
    """
    if not reference.startswith(PREFIX):
        raise Misconfigured(
            "a secret is written out where its name belongs; expected a reference such as secret:billing.api_key",
            code="config.plaintext_secret",
            hint="put the secret into the secrets file and its name here; treat the one written here as known",
        )
    name = reference.removeprefix(PREFIX)
    secret = store.get(name)
    if secret is None:
        raise Misconfigured(
            f"there is no secret named {name!r}; add it to the secrets file of the state folder",
            code="security.secret_missing",
            detail={"name": name},
        )
    return secret


def _read_private(path: Path) -> dict[str, str]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return {}
    except OSError as failed:
        raise _unreadable(path, failed.strerror or "it cannot be opened") from None
    try:
        _refuse_exposed(path, os.fstat(descriptor))
    except Misconfigured:
        os.close(descriptor)
        raise
    with os.fdopen(descriptor, "rb") as file:
        raw = file.read()
    try:
        return msgspec.json.decode(raw, type=dict[str, str])
    except (msgspec.DecodeError, UnicodeDecodeError):
        # The decoder's own words may quote the file; they are not repeated.
        raise _unreadable(path, 'it is not of the form {"name": "secret"}') from None


def _refuse_exposed(path: Path, status: os.stat_result) -> None:
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISREG(status.st_mode):
        raise _unreadable(path, "it is no regular file")
    if mode & 0o077:
        raise Misconfigured(
            f"{path.name} may be read by others (mode {mode:04o}); expected 0600",
            code="security.secrets_exposed",
            hint=f"chmod 600 {path}, and change every secret in it that others may have seen",
        )


def _unreadable(path: Path, why: str) -> Misconfigured:
    return Misconfigured(
        f"the secrets file {path.name} is not used: {why}",
        code="security.secrets_unreadable",
        hint="mend it, or remove it and enter the secrets again",
    )
