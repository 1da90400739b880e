"""What one drive of a transaction is given, what earlier drives remembered, and what may be taken back."""

import typing
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec

from accordant.backbone.ledger import Ledger
from accordant.backbone.locks import Locks
from accordant.backbone.rows import EffectRow, MemoRow
from accordant.canonical.operation import Operation, Receipt
from accordant.governance.estate import Estate
from accordant.kernel.clock import Clock
from accordant.kernel.database import Database, Writer

Undo = Callable[[Receipt], Operation]


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """What every transaction works with."""

    database: Database
    writer: Writer
    ledger: Ledger
    clock: Clock
    locks: Locks
    estate_now: Callable[[], Estate]
    """The estate in force, whatever version a transaction is pinned to: people's rights are always those of today."""


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What earlier drives remembered."""

    memos: dict[str, MemoRow] = {}
    effects: dict[str, EffectRow] = {}
    """The latest logical version of each effect."""


class Undoable(msgspec.Struct, frozen=True, kw_only=True):
    """A confirmed effect, and how to take it back."""

    name: str
    receipt: Receipt
    undo: Undo | None
    own: bool


class WalkedThrough(Exception):
    """Everything that was confirmed has been walked through again."""


@lru_cache(maxsize=256)
def returned_by(rule: Callable[..., Any]) -> Any:
    """The type that a rule says it returns."""
    return typing.get_type_hints(rule)["return"]
