"""What a drive is given: the tools that all transactions share, and what earlier drives remembered."""

import msgspec

from accordant.backbone.ledger import Ledger
from accordant.backbone.locks import Locks
from accordant.backbone.rows import EffectRow, MemoRow
from accordant.kernel.clock import Clock
from accordant.kernel.database import Database, Writer


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """What every transaction works with."""

    database: Database
    writer: Writer
    ledger: Ledger
    clock: Clock
    locks: Locks


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What earlier drives remembered."""

    memos: dict[str, MemoRow] = {}
    effects: dict[str, EffectRow] = {}
    """The latest logical version of each effect."""
