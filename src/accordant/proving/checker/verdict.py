"""The verdict on one history: every rule looks at it, and says how much it looked at."""

from collections.abc import Iterable, Mapping

from accordant.proving.checker.history import History, Rule, Verdict

RULES: Mapping[str, Rule] = {}
"""Every rule by its name, in the order in which reports show them."""


def judge(history: History, *, rules: Iterable[str] = ()) -> Verdict:
    """Apply every rule, or those named; where faults never end, leave out `liveness`."""
    chosen = list(rules) or list(RULES)
    rulings = {name: RULES[name](history) for name in chosen}
    return Verdict(
        judged={name: ruling.judged for name, ruling in rulings.items()},
        findings=tuple(finding for ruling in rulings.values() for finding in ruling.findings),
    )
