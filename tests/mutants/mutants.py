"""The planted defects: each is a mistake that somebody could make with good intentions, and a rule must find it."""

from dataclasses import dataclass

from tests.mutants.planting import Change

APPROVALS = "accordant.backbone.approvals"
LEDGER = "accordant.backbone.ledger.ledger"
STEP = "accordant.backbone.ledger.step"
DECISIONS = "accordant.backbone.ledger.decisions"
ENTRIES = "accordant.backbone.ledger.entries"
INBOX = "accordant.backbone.inbox"
PUMP = "accordant.backbone.pump"
ROUTER = "accordant.backbone.router"
LANES = "accordant.backbone.lanes"
DRIVER = "accordant.backbone.engine.driver"
JOURNAL = "accordant.backbone.engine.journal"
WRITER = "accordant.kernel.database.writer"


@dataclass(frozen=True)
class Mutant:
    """One defect, the rule that must find it, and the simulated world in which it is known to show."""

    name: str
    rule: str
    changes: tuple[Change, ...]
    seed: int = 0
    """Tried first; another is searched for where the product's course has changed since."""
    drill: str = "world"
    """`world`: simulated worlds; `clerk`: the clerk's books; `verify`: the whole platform; `trace`: system calls."""


MUTANTS = (
    Mutant(
        "acknowledges a delivery before it is committed",
        "lost",
        (
            Change(
                INBOX,
                'committed = await self._writer.commit(changes, at="inbox.keep")',
                'self._writer.post(changes, at="inbox.keep"); committed = __import__("types").SimpleNamespace('
                "is_new=lambda *_: True)",
            ),
        ),
    ),
    Mutant(
        "makes a random key for each attempt",
        "duplicate",
        (
            Change(
                STEP,
                "return Attempt(key=effect.key, number=",
                "return Attempt(key=__import__('os').urandom(9).hex(), number=",
            ),
        ),
        seed=3,
    ),
    Mutant(
        "remembers what it has seen in a cache",
        "duplicate",
        (
            Change(
                PUMP, 'occurrence = f"{mark.event_id}/{told.content}" if mark else "1"', "occurrence = row.message_id"
            ),
            Change(
                PUMP,
                "        return {mark.row.source_record: mark for mark in found}\n",
                "        return {name: one for name, one in self.__dict__.setdefault('_cache', {}).items()"
                " if name in records}\n",
            ),
            Change(
                PUMP,
                "            marks = read\n",
                "            self.__dict__.setdefault('_cache', {}).update(read); marks = read\n",
            ),
        ),
        seed=2,
    ),
    Mutant(
        "orders by arrival",
        "order",
        (Change(ROUTER, "lane_seq = max(event.at_ms * 1000, after + 1)", "lane_seq = self._clock.now_ms() * 1000"),),
        seed=33,
    ),
    Mutant(
        "takes back what was there before",
        "taken back",
        (
            Change(
                DRIVER, "            if one.own:\n                await tx.undo(one)", "            await tx.undo(one)"
            ),
        ),
        drill="clerk",
    ),
    Mutant(
        "retries class D",
        "duplicate",
        (
            Change(
                DECISIONS,
                "    if asked.effect_class is EffectClass.ONCE:\n        return Do.IN_DOUBT\n",
                "    if asked.effect_class is EffectClass.ONCE:\n        return Do.SEND\n",
            ),
            Change(
                DECISIONS,
                "        return Verdict(do=Do.IN_DOUBT, note=UNKNOWN)\n",
                "        return Verdict(do=Do.TRY_AGAIN if tries_left else Do.WAIT, note=UNKNOWN)\n",
            ),
        ),
        seed=15,
    ),
    Mutant(
        "counts a timeout as a failure",
        "duplicate",
        (
            Change(LEDGER, "problem, ambiguous = unknown, True", "problem, ambiguous = unknown, False"),
            Change(
                DECISIONS,
                "return Verdict(do=Do.TRY_AGAIN if tries_left else Do.WAIT, note=UNKNOWN)",
                "return Verdict(do=Do.TRY_AGAIN if tries_left else Do.WAIT, note=INTENDED)",
            ),
        ),
        seed=5,
    ),
    Mutant(
        "writes the audit after the commit",
        "audit",
        (
            Change(
                LEDGER,
                '        self._audit(changes, step, action="effect.confirmed", effect=effect)\n'
                '        await self._writer.commit(changes, at="effect.confirm")\n',
                '        await self._writer.commit(changes, at="effect.confirm")\n'
                "        late = Changes()\n"
                '        self._audit(late, step, action="effect.confirmed", effect=effect)\n'
                '        self._writer.post(late, at="effect.confirm.audit")\n',
            ),
        ),
        seed=1,
    ),
    Mutant(
        "has its sweeper switched off",
        "liveness",
        (
            Change(
                JOURNAL, "                if await wake_sleepers(", "                if False and await wake_sleepers("
            ),
        ),
    ),
    Mutant(
        "recovers only at launch",
        "liveness",
        (
            Change(
                JOURNAL,
                "            del self._driving[name]\n",
                "            self.__dict__.setdefault('_left', set()).add(name) if self.__dict__.pop('_refused', 0)"
                " else self._driving.pop(name)\n",
            ),
            Change(
                JOURNAL,
                '            log.warning("drive.not_committed", transaction_id=name, error=str(refused))\n',
                "            self._refused = 1\n",
            ),
        ),
        seed=5,
    ),
    Mutant(
        "ignores lanes",
        "order",
        (Change(ROUTER, "            lane=lane_of(event),\n", "            lane=event.event_id,\n"),),
        seed=0,
    ),
    Mutant(
        "ignores watermarks",
        "stale",
        (Change(PUMP, "        if mark and told.sequence < mark.sequence:\n", "        if False:\n"),),
        seed=5,
    ),
    Mutant(
        "reports a group before it is written",
        "lost",
        (
            Change(
                WRITER,
                "            changes = [one for one, _ in batch]\n",
                "            changes = [one for one, _ in batch]\n"
                "            for one, future in batch:\n"
                "                _tell(future, Committed({(t.name, r[0]) for t, r in one.added}, 1))\n"
                "            await asyncio.sleep(0)\n",
            ),
        ),
        seed=21,
    ),
    Mutant(
        "looks up before the index has settled",
        "duplicate",
        (Change(LEDGER, "await self._sleep(operation.settle_s)", "await self._sleep(0)"),),
        seed=28,
    ),
    Mutant(
        "sends class C and D before it is on disk that it will",
        "duplicate",
        (
            Change(
                LEDGER,
                "if only_sign := effect_class in (EffectClass.LOOKUP, EffectClass.ONCE):",
                "if only_sign := False:",
            ),
        ),
        seed=70,
    ),
    Mutant(
        "trusts a key that the vendor has forgotten",
        "duplicate",
        (Change(DECISIONS, "_KEY_IS_OLD_AT_PCT = 80", "_KEY_IS_OLD_AT_PCT = 80_000"),),
        seed=933,
    ),
    Mutant(
        "stops without opening an item",
        "partial",
        (Change(DRIVER, "        exceptions.open_item(changes, item)\n", ""),),
    ),
    Mutant(
        "takes any answer for a yes",
        "approval",
        (Change(APPROVALS, "is_approved=decision.verdict == APPROVED,", "is_approved=True,"),),
    ),
    Mutant(
        "binds an answer to the question instead of to what would be written",
        "approval",
        (
            Change(
                APPROVALS,
                'return digest("payload", canonical_json(asked.payload).decode())',
                'return digest("payload", asked.what)',
            ),
        ),
        seed=29,
    ),
    Mutant(
        "keeps an amount as a binary fraction on its way to billing",
        "money",
        (
            # Before anything is expected of billing: what billing alone got wrong is found out by the read-back.
            Change(
                "accordant.process.customer_onboarding",
                "        total=terms.total,\n        starts_on=",
                "        total=Money(int(terms.total.amount_minor / 100 * 1.1 / 1.1 * 100), terms.total.currency),\n"
                "        starts_on=",
            ),
        ),
        drill="verify",
    ),
    Mutant(
        "writes the request's headers into its log",
        "secrets",
        (
            Change(
                "accordant.connector.wire",
                '        try:\n            with around("vendor.request"):\n',
                "        __import__('sys').stderr.write(f'sending {headers}\\n')\n"
                '        try:\n            with around("vendor.request"):\n',
            ),
        ),
        drill="verify",
    ),
    Mutant(
        "commits with synchronous=NORMAL",
        "durable",
        (Change("accordant.kernel.database.connection", '"synchronous=FULL"', '"synchronous=NORMAL"'),),
        drill="trace",
    ),
)


def named(name: str) -> Mutant:
    """The mutant of that name."""
    return next(one for one in MUTANTS if one.name == name)
