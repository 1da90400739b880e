"""`accordant verify`: the crash suite on your own machine and database server, and the checker's report."""

import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Annotated

import typer
from rich.console import Console
from rich.status import Status

from accordant.experience.cli.grid import Column, print_grid
from accordant.experience.cli.options import JsonOption
from accordant.experience.cli.outcome import BAD_INPUT, WRONG, BadInput, exit_code_of, tell_error
from accordant.experience.cli.screen import Screen, cell, write_json
from accordant.kernel.chance import system_random
from accordant.kernel.clock import SystemClock
from accordant.kernel.errors import AccordantError
from accordant.proving.drill import Look
from accordant.proving.report import Result, figures
from accordant.proving.suite import Verified, Wish
from accordant.proving.suite import verify as verify_promises

COULD_NOT_RUN = 3
_SECONDS_MIN = 1.0
_LOOKED_AT = {
    "lost": "what was acknowledged or is due was dealt with",
    "duplicate": "nothing was applied twice",
    "partial": "nothing is half done without an owner",
    "orphan": "nothing was applied that no fact asked for",
    "stale": "nothing newer was overwritten by something older",
    "order": "what concerns one customer came in its order",
    "money": "the sums agree in every system and currency",
    "audit": "the audit chain is unbroken and speaks of every effect",
    "in_doubt": "what cannot be known has exactly one open item",
    "secrets": "no secret stands where somebody may read it",
    "liveness": "everything came to rest, in time",
    "resume": "after a kill work went on within 10 s",
    "differences": "a record differs from what was confirmed only where a system lied",
    "ends": "the platform never ended by itself",
}

app = typer.Typer(add_completion=False)


@app.command("verify")
def verify(
    seconds: Annotated[float, typer.Option(help="How long it disturbs; healing and judging come on top.")] = 300.0,
    db: Annotated[
        str | None, typer.Option("--db", help="Database server; a fresh database is made on it and dropped again.")
    ] = None,
    state: Annotated[Path | None, typer.Option(help="Empty folder for the evidence; else a temporary one.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random; else a new one, which is told.")] = None,
    json: JsonOption = False,
) -> None:
    """Break the platform on this machine in every way we can name, then judge what every system was told.

    Exit codes: 0 the promises held, 1 they did not, 2 wrong usage or a database that holds data, 3 it could not run.
    """
    if not seconds >= _SECONDS_MIN:
        raise BadInput(f"--seconds {seconds:g} is too short; expected at least {_SECONDS_MIN:g}", code="verify.seconds")
    chosen = system_random().getrandbits(31) if seed is None else seed
    wish = Wish(seconds=seconds, seed=chosen, database_url=db, state=state)
    try:
        with Spectator(silent=json) as spectator:
            verified = verify_promises(wish, clock=SystemClock(), watch=spectator.look)
    except AccordantError as error:
        if exit_code_of(error) == BAD_INPUT:
            raise
        tell_error(error, as_json=json)
        raise typer.Exit(COULD_NOT_RUN) from error
    if json:
        evidence = str(verified.evidence) if verified.evidence else None
        write_json({**figures(verified.result), "evidence": evidence})
    else:
        show(Screen(), verified)
    raise typer.Exit(0 if verified.result.holds else WRONG)


class Spectator:
    """One moving line on a terminal; in a pipe nothing until the end."""

    def __init__(self, *, silent: bool) -> None:
        console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        self._status = Status("Starting sandboxes and platform", console=console)
        self._is_shown = sys.stderr.isatty() and not silent
        self._began_s = time.monotonic()

    def __enter__(self) -> "Spectator":
        if self._is_shown:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._status.stop()

    def look(self, now: Look) -> None:
        """How far it has come."""
        if self._is_shown:
            done, open_items = now.progress.by_state.get("completed", 0), now.progress.open_exceptions
            told = f"{done:,} transactions completed, {open_items:,} open, {now.kills:,} kills"
            self._status.update(f"{now.elapsed_s:5.0f} s  {now.phase}: {told}")


def show(screen: Screen, verified: Verified) -> None:
    """The checker's report for people."""
    result = verified.result
    columns = [
        Column("rule", is_whole=True),
        Column("judged", is_right=True, is_whole=True),
        Column("violations", is_right=True, is_whole=True),
        Column("what it says"),
    ]
    rows = [
        [cell(one.rule), cell(f"{one.judged:,}"), cell(f"{one.violations:,}"), cell(_LOOKED_AT.get(one.rule, ""))]
        for one in result.rules
    ]
    print_grid(screen, columns, rows=rows)
    screen.say("")
    for line in _told(result):
        screen.say(line)
    for finding in result.findings[:10]:
        screen.say(f"  {screen.mark('rejected')} {finding.rule}: {finding.what} ({finding.where})")
    screen.say("")
    word = "verified" if result.holds else "rejected"
    screen.say(f"{screen.mark(word)} {result.verdict}", style="bold green" if result.holds else "bold red")
    if verified.evidence:
        screen.say(f"Evidence: {verified.evidence} (state folder, ledgers, logs)")


def _told(result: Result) -> list[str]:
    faults = ", ".join(f"{n:,} {kind.replace('_', ' ')}" for kind, n in result.faults.items())
    resumed = result.resume_s
    times = f"; work went on after {resumed['median']:.1f} s, at most {resumed['longest']:.1f} s" if resumed else ""
    rest = f"at rest {result.rest_s:.1f} s after healing" if result.rest_s >= 0 else "it never came to rest"
    killed = f"{result.kills:,} kills ({result.kills_during_recovery:,} during recovery), {result.restarts:,} restarts"
    return [
        f"Seed {result.seed}. {result.transactions:,} transactions, {result.disturbed_s:.0f} s of disturbance; {rest}.",
        f"{killed}, {result.pauses:,} pauses, {result.outages:,} outages{times}.",
        f"{result.ambiguities:,} ambiguous answers. Faults: {faults or 'none'}.",
        f"Durability: {result.durability}.",
    ]
