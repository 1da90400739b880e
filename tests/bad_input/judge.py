"""Compares what a surface said with what the table expects, and holds it against the rules for every message."""

import re

from tests.bad_input.batch import NO_BYTES, Outcome
from tests.bad_input.table import Input

CPU_MS_MAX = 100
GROWN_KB_MAX = 64 * 1024
ECHO_MAX = 100
CANARY = "canary"
_EXPECTED = re.compile(
    r"expected|at most|needed|belongs|must|nearest|Did you mean|possible options|invalid value", re.IGNORECASE
)


def wrongs(surface: str, one: Input, outcome: Outcome) -> list[str]:
    """Everything that is not as it should be."""
    if outcome.crashed or outcome.seen is None:
        return [f"crashed: {outcome.crashed}"]
    found = [*_unlike(one, outcome), *_costly(outcome)]
    if outcome.seen.code != "ok":
        found += _ill_said(surface, one, outcome)
    return found


def _unlike(one: Input, outcome: Outcome) -> list[str]:
    seen = outcome.seen
    assert seen is not None
    found = [f"code {seen.code!r}, expected {one.code!r}: {seen.said[:200]}"] if seen.code != one.code else []
    if one.at is not None and seen.at != one.at:
        found.append(f"at {seen.at!r}, expected {one.at!r}")
    if one.says and not re.search(one.says, f"{seen.said}\n{seen.hint}\n{seen.gave}"):
        found.append(f"does not say {one.says!r}: {seen.said[:200]} / {seen.hint[:200]} / {seen.gave[:100]}")
    if one.status is not None and seen.status is not None and seen.status != one.status:
        found.append(f"status {seen.status}, expected {one.status}")
    if seen.status is not None and seen.status >= 500:
        found.append("a 500")
    return found


def _costly(outcome: Outcome) -> list[str]:
    found: list[str] = []
    if outcome.cpu_ms > CPU_MS_MAX:
        found.append(f"{outcome.cpu_ms:.0f} ms of the processor")
    if outcome.grown_kb > GROWN_KB_MAX:
        found.append(f"grew by {outcome.grown_kb // 1024} MB")
    return found


def _ill_said(surface: str, one: Input, outcome: Outcome) -> list[str]:
    """What is wrong, what was expected, and what to do next, in few words of the input and none of a secret."""
    seen = outcome.seen
    assert seen is not None
    whole = f"{seen.said}\n{seen.hint}"
    found = [] if len(seen.said) >= 15 else [f"says too little: {seen.said!r}"]
    if not seen.hint:
        found.append(f"says nothing of the next step: {seen.said[:200]}")
    if surface != "cli" and seen.status not in {404, 405, 409} and not _EXPECTED.search(whole):
        found.append(f"does not say what was expected: {whole[:300]}")
    if CANARY in whole:
        found.append("repeats a secret")
    sent = one.body.decode("utf-8", "replace") if one.make not in NO_BYTES else ""
    if any(sent[at : at + ECHO_MAX + 1] in whole for at in range(0, max(len(sent) - ECHO_MAX, 0), 40) if at < 20_000):
        found.append("repeats more than 100 characters of the input")
    return found
