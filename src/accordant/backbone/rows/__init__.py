"""One row type and one table for each thing the backbone remembers."""

from accordant.backbone.rows.approvals import (
    ApprovalRow,
    AskedRow,
    DecisionRow,
    approval_table,
    asked_table,
    decision_table,
)
from accordant.backbone.rows.arrivals import (
    CursorRow,
    EventRow,
    MessageRow,
    WatermarkRow,
    cursor_table,
    event_table,
    inbox_table,
    watermark_table,
)
from accordant.backbone.rows.transactions import (
    EffectRow,
    ExceptionRow,
    MemoRow,
    TransactionRow,
    effect_table,
    exception_table,
    memo_table,
    transaction_table,
)

__all__ = [
    "ApprovalRow",
    "AskedRow",
    "CursorRow",
    "DecisionRow",
    "EffectRow",
    "EventRow",
    "ExceptionRow",
    "MemoRow",
    "MessageRow",
    "TransactionRow",
    "WatermarkRow",
    "approval_table",
    "asked_table",
    "cursor_table",
    "decision_table",
    "effect_table",
    "event_table",
    "exception_table",
    "inbox_table",
    "memo_table",
    "transaction_table",
    "watermark_table",
]
