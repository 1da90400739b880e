"""A scene is something that the platform does, small enough to be interrupted at every boundary it reaches."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

import msgspec


class Seat(msgspec.Struct, frozen=True, kw_only=True):
    """Where one case is played: a folder and a database of its own."""

    folder: Path
    url: str


class World(Protocol):
    """The vendors of a scene, in a process of their own that nobody kills."""

    def move(self, folder: Path) -> None:
        """From now on, keep the ledgers there."""
        ...

    def served(self) -> AbstractAsyncContextManager[None]:
        """Answer requests until the block ends."""
        ...

    def held(self) -> Mapping[str, Any]:
        """What the vendors hold."""
        ...


class Ending(msgspec.Struct, kw_only=True):
    """How a case ended, in words that are equal for every undisturbed play of the same scene."""

    applied: list[str]
    """Every write in the vendors' ledgers that changed something."""
    held: Any
    transactions: list[str]
    effects: list[str]
    open_items: list[str]
    problems: list[str] = []
    """What is wrong in itself, whatever an undisturbed play leaves: named by the rule it breaks."""


class Scene(Protocol):
    """Prepared once, then played again and again from the same beginning."""

    @property
    def name(self) -> str: ...

    @property
    def only(self) -> tuple[str, ...]:
        """Beginnings of the places to kill at; all of them where there are none."""
        ...

    def engines_on(self, database: str) -> tuple[str, ...]:
        """The engines it is played with on this database."""
        ...

    def build(self, seat: Seat, engine: str) -> Any:
        """Lay out the folder and the database as they are when the scene begins; gives its `World`."""
        ...

    def live(self, seat: Seat, engine: str) -> None:
        """One life of the platform, until it is killed or everything has come to rest."""
        ...

    def ending(self, seat: Seat, held: Mapping[str, Any]) -> Ending:
        """What is there afterwards."""
        ...
