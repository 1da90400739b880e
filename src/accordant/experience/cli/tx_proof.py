"""How the proof of a transaction is printed: one line per system and effect, then the verdict of the audit."""

from typing import Any

import msgspec
from rich.text import Text

from accordant.backbone.rows import TransactionRow
from accordant.experience.cli.grid import Column, print_grid
from accordant.experience.cli.screen import Screen, cell, style_of
from accordant.operations.proof import SYSTEMS, Proof, ProofLine

_HASH_SHORT, _HASH_MIDDLE, _HASH_WHOLE = 8, 16, 64
_COLUMNS = (
    Column("system", is_whole=True),
    Column("effect", wraps=True),
    Column("native id", wraps=True),
    Column("request", is_whole=True),
    Column("response", is_whole=True),
    Column("read-back", is_whole=True),
)
LABELS = {"crm": "CRM", "billing": "billing", "erp": "ERP", "support": "support"}


def as_json(proof: Proof) -> dict[str, Any]:
    """The proof for programs."""
    return {**msgspec.to_builtins(proof), "proven": proof.proven}


def draw(screen: Screen, proof: Proof, *, row: TransactionRow) -> None:
    """Print it."""
    screen.say(f"{row.transaction_id}  {row.flow}  {row.subject}  {row.party}", style="bold")
    screen.say("")
    size = _HASH_SHORT if screen.width < 110 else _HASH_MIDDLE if screen.width < 220 else _HASH_WHOLE
    rows: list[list[Text]] = []
    for system in [*SYSTEMS, *sorted({line.system for line in proof.lines} - set(SYSTEMS))]:
        lines = [line for line in proof.lines if line.system == system]
        rows += [_cells(screen, line, size=size) for line in lines]
        if not lines:
            blank = [cell("") for _ in _COLUMNS[2:]]
            rows.append([cell(LABELS.get(system, system)), cell("nothing written", "dim"), *blank])
    print_grid(screen, _COLUMNS, rows=rows)
    screen.say("")
    _verdict(screen, proof)


def _cells(screen: Screen, line: ProofLine, *, size: int) -> list[Text]:
    word = line.read_back or line.state
    mark = screen.mark(word if word in {"verified", "superseded", "different"} else line.state)
    return [
        cell(LABELS.get(line.system, line.system)),
        cell(line.effect),
        cell(line.native_id or "none"),
        cell(line.request_sha256[:size]),
        cell(line.response_sha256[:size]),
        cell(f"{mark} {word}", style_of(word)),
    ]


def _verdict(screen: Screen, proof: Proof) -> None:
    if proof.audit.valid:
        screen.say(f"audit chain  {proof.audit.entries:,} entries, every hash follows from the one before")
    else:
        screen.say(f"audit chain  BROKEN at entry {proof.audit.first_broken}", style="bold red")
    agrees = "each confirmed effect has one entry with the same key, ids and hashes"
    screen.say(f"audit        {agrees if proof.audit_agrees else 'DISAGREES with the ledger'}")
    if proof.proven:
        screen.say(f"{screen.mark('verified')} proven", style="green" if proof.lines else "")
        return
    screen.say(f"{screen.mark('rejected')} not proven", style="bold red")
    for problem in proof.problems:
        screen.say(f"  {problem}")
    if any(line.read_back == "not yet read back" for line in proof.lines):
        screen.say("  Read-backs follow in the background while the platform runs; ask again in a moment.")
