"""The effect ledger: every outbound write has a key before it is sent, and an outcome after it or a known doubt."""

from accordant.backbone.ledger.ledger import Ledger, Patience
from accordant.backbone.ledger.step import Step

__all__ = ["Ledger", "Patience", "Step"]
