"""The effect ledger: every outbound write has a key before it is sent and an outcome after, or is known to have none."""

from accordant.backbone.ledger.ledger import Ledger, Patience, Step

__all__ = ["Ledger", "Patience", "Step"]
