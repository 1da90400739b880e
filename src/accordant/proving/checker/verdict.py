"""The verdict on one history: every rule looks at it, and says how much it looked at."""

from collections.abc import Iterable, Mapping

from accordant.proving.checker.books import money
from accordant.proving.checker.doubles import duplicate, in_doubt
from accordant.proving.checker.history import History, Rule, Verdict
from accordant.proving.checker.leaks import secrets
from accordant.proving.checker.losses import lost, partial
from accordant.proving.checker.rest import liveness
from accordant.proving.checker.strangers import orphan
from accordant.proving.checker.trail import audit
from accordant.proving.checker.versions import order, stale

RULES: Mapping[str, Rule] = {
    "lost": lost,
    "duplicate": duplicate,
    "partial": partial,
    "orphan": orphan,
    "stale": stale,
    "order": order,
    "money": money,
    "audit": audit,
    "in_doubt": in_doubt,
    "secrets": secrets,
    "liveness": liveness,
}
"""Every rule by its name, in the order in which reports show them."""


def judge(history: History, *, rules: Iterable[str] = ()) -> Verdict:
    """Apply every rule, or those named; where faults never end, leave out `liveness`."""
    chosen = list(rules) or list(RULES)
    rulings = {name: RULES[name](history) for name in chosen}
    return Verdict(
        judged={name: ruling.judged for name, ruling in rulings.items()},
        findings=tuple(finding for ruling in rulings.values() for finding in ruling.findings),
    )
