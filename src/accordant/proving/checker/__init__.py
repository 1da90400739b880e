"""The checker judges histories: what had to happen, what the systems applied, what the platform says it did."""

from accordant.proving.checker.reading import Moments, artefacts_of, read_history
from accordant.proving.checker.verdict import RULES, judge

__all__ = ["RULES", "Moments", "artefacts_of", "judge", "read_history"]
