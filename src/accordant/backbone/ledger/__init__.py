"""The effect ledger: every outbound write has a key before it is sent, and an outcome after it or a known doubt."""

from accordant.backbone.ledger.ledger import Ledger, Patience, Step

__all__ = ["Ledger", "Patience", "Step"]
