"""What may be written only after a yes: judged by what people said, not by what the platform says they said."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from accordant.backbone.rows import TransactionRow
from tests.simulation.flows import ASKS, UNASKED_UP_TO

if TYPE_CHECKING:
    from tests.simulation.judge import Evidence

GIVEN = (("billing", "favour", "create"), ("support", "favour", "set"))
TOLD = "review"
"""Kind of the record that says that somebody is asked."""
_ASKED = "SELECT approval_id, transaction_id, payload FROM approval ORDER BY opened_at_ms"
_SAID = "SELECT approval_id, verdict, actor FROM approval_decision"
_LAST = """
SELECT said.verdict FROM approval AS asked JOIN approval_decision AS said USING (approval_id)
WHERE asked.transaction_id = ? ORDER BY asked.opened_at_ms DESC LIMIT 1
"""


def is_given(seen: "Evidence", row: TransactionRow) -> bool:
    """Whether a completed favour must stand in the systems: nobody was asked, or the last word was a yes."""
    last = seen.world.ask(_LAST, row.transaction_id)
    return not last or last[0][0] == "approved"


def approval(seen: "Evidence") -> Iterator[str]:
    """No word, no write; the first word counts; and it counts for exactly what was asked."""
    yield from seen.world.people.wrongly_heard
    yield from _unagreed(seen)
    kept = {approval_id: (verdict, actor) for approval_id, verdict, actor in seen.world.ask(_SAID)}
    for approval_id, taken in seen.world.people.taken.items():
        if any(one != kept.get(approval_id) for one in taken):
            yield f"{approval_id} was answered {taken}, and what is kept is {kept.get(approval_id)}"
    for row in seen.transactions:
        if row.flow == "favour" and row.state == "completed" and not is_given(seen, row):
            given = [place for place in GIVEN if seen.writes[*place, row.subject]]
            if given:
                yield f"{row.subject} was refused, and {given[0][0]} holds it"


def _unagreed(seen: "Evidence") -> Iterator[str]:
    agreed: set[tuple[str, int]] = set()
    for approval_id, about, payload in seen.world.ask(_ASKED):
        if any(yes and name != ASKS for name, yes in seen.world.people.said[approval_id]):
            agreed.add((about, msgspec.json.decode(payload)["amount"]))
    for write in seen.world.vendors.log:
        if write.kind != "favour":
            continue
        amount = int(write.command["amount"])
        if amount > UNASKED_UP_TO and (write.transaction, amount) not in agreed:
            yield f"{write.system} holds {write.business_id} for {amount}, to which nobody said yes"
