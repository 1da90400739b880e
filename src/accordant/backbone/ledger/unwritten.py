"""What this process has sent and the database may not have taken down: whatever it refused is still known here."""

from accordant.backbone.ledger.decisions import CONFIRMED, MAYBE_APPLIED, REJECTED
from accordant.backbone.rows import EffectRow, TransactionRow


class Unwritten:
    """Effects between their sending and their end, by transaction and name."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], EffectRow] = {}

    def see(self, effect: EffectRow) -> None:
        """Keep what may have been applied; forget what has come to an end."""
        name = (effect.transaction_id, effect.name)
        if effect.state in MAYBE_APPLIED:
            self._open[name] = effect
        else:
            self._open.pop(name, None)

    def or_prior(self, prior: EffectRow | None, *, row: TransactionRow, name: str) -> EffectRow | None:
        """What is known of an effect: the row that was read, unless what this process did is newer."""
        mine = self._open.get((row.transaction_id, name))
        if mine is None or prior is None:
            return mine or prior
        ended = prior.version == mine.version and prior.state in (CONFIRMED, REJECTED)
        if ended or prior.version > mine.version:
            self._open.pop((row.transaction_id, name))
            return prior
        return mine
