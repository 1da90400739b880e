"""Secrets are named in files and never written there; one that is printed shows nothing."""

from collections.abc import Mapping
from hmac import compare_digest
from pathlib import Path
from typing import NoReturn

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

    Raises:
        Misconfigured: `security.secrets_exposed` where others may read the file, `security.secrets_unreadable`.
    """
    raise NotImplementedError


def save_store(path: Path, values: Mapping[str, str]) -> None:
    """Write the secrets file anew, readable by its owner alone."""
    raise NotImplementedError


def resolve(reference: str, store: Store) -> Secret:
    """The secret that `secret:<name>` names.

    Raises:
        Misconfigured: `config.plaintext_secret` for anything but a reference, `security.secret_missing`.
    """
    raise NotImplementedError
