"""What to do next about one effect: send it, look for it, ask a person. Pure: facts in, a decision out.

The ledger carries the decisions out and tells what came of it; no call, no clock and no database is in here.
"""

from enum import StrEnum

import msgspec

from accordant.canonical.operation import KEY_SPENT, EffectClass

INTENDED, SENT, CONFIRMED, REJECTED, UNKNOWN = "intended", "sent", "confirmed", "rejected", "unknown"
MAYBE_APPLIED = frozenset({SENT, UNKNOWN})
_KEY_IS_OLD_AT_PCT = 80


class Do(StrEnum):
    """The next step of one effect."""

    RETURN = "return what is confirmed"
    SEND = "send"
    SETTLE = "find out what became of an earlier sending"
    LOOK_UP = "wait until the index has settled, then look up"
    NEXT_VERSION = "go on under a new key"
    CONFIRM = "take what was found as the answer"
    CONFIRM_AND_STOP = "take what was found as the answer, and stop: it is not what is asked for now"
    REFUSE = "stop with this refusal"
    TRY_AGAIN = "try again after a pause"
    WAIT = "leave it to a later drive"
    IN_DOUBT = "ask a person: nobody can say whether it was applied"
    REFUSE_AGAIN = "stop with the refusal it met before"
    REFUSE_PAYLOAD = "stop: the flow asks for something else than before"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the flow asks for, as far as it decides anything."""

    effect_class: EffectClass
    can_look_up: bool
    key_life_s: float | None
    same_input: bool
    """The payload is the one that the ledger remembers."""
    may_change: bool
    """A person has edited or re-pinned the transaction since."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger remembers of the effect."""

    state: str
    first_sent_at_ms: int | None


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a failed sending or look-up means."""

    do: Do
    note: str | None
    """The state to note; None leaves the row as it is."""


def begin(known: Known, asked: Asked) -> Do:
    """How a drive goes on with an effect that is known: RETURN, SEND, SETTLE, NEXT_VERSION or one of the refusals."""
    if not asked.same_input and (known.state == CONFIRMED or not asked.may_change):
        return Do.REFUSE_PAYLOAD
    if known.state == CONFIRMED:
        return Do.RETURN
    if known.state in MAYBE_APPLIED:
        return Do.SETTLE
    if known.state == REJECTED and not asked.may_change:
        return Do.REFUSE_AGAIN
    if known.state == REJECTED or not asked.same_input:
        return Do.NEXT_VERSION
    return Do.SEND


def settle(known: Known, asked: Asked, *, problem_code: str, now_ms: int) -> Do:
    """How to find out what became of an earlier sending: SEND (repeat it), LOOK_UP, NEXT_VERSION or IN_DOUBT."""
    if asked.effect_class is EffectClass.ONCE:
        return Do.IN_DOUBT
    if not asked.same_input and asked.effect_class is EffectClass.UPSERT and not asked.can_look_up:
        return Do.NEXT_VERSION  # writing the state anew settles it
    spent = key_is_spent(known, asked, problem_code=problem_code, now_ms=now_ms)
    if asked.effect_class is not EffectClass.LOOKUP and not spent and asked.same_input:
        return Do.SEND
    return Do.LOOK_UP if asked.can_look_up else Do.IN_DOUBT


def looked_up(asked: Asked, *, found: bool, key_spent: bool) -> Do:
    """What the look-up means: CONFIRM, CONFIRM_AND_STOP, NEXT_VERSION or SEND."""
    if found:
        return Do.CONFIRM if asked.same_input else Do.CONFIRM_AND_STOP
    return Do.NEXT_VERSION if key_spent or not asked.same_input else Do.SEND


def key_is_spent(known: Known, asked: Asked, *, problem_code: str, now_ms: int) -> bool:
    """Whether repeating the key tells nothing more, or could be applied a second time."""
    return problem_code in KEY_SPENT or _key_is_old(known, asked, now_ms=now_ms)


def unknown(asked: Asked, *, tries_left: int) -> Verdict:
    """It was sent, or looked for, and no clear answer came."""
    if asked.effect_class is EffectClass.ONCE:
        return Verdict(do=Do.IN_DOUBT, note=UNKNOWN)
    return Verdict(do=Do.TRY_AGAIN if tries_left else Do.WAIT, note=UNKNOWN)


def not_now(state: str, *, ambiguous: bool, tries_left: int, too_long: bool) -> Verdict:
    """This try was not applied; whether an earlier one was is as open as before."""
    note = None if state != SENT else UNKNOWN if ambiguous else INTENDED
    return Verdict(do=Do.TRY_AGAIN if tries_left and not too_long else Do.WAIT, note=note)


def refused(asked: Asked, *, ambiguous: bool) -> Verdict:
    """The vendor said no to this sending; that says nothing about an earlier one, which may have been applied."""
    if not ambiguous or asked.effect_class is EffectClass.ONCE:  # of a single try every sending is written down
        return Verdict(do=Do.REFUSE, note=REJECTED)
    return Verdict(do=Do.LOOK_UP if asked.can_look_up else Do.REFUSE, note=UNKNOWN)


def may_be_forgotten(asked: Asked, *, since_ms: int, now_ms: int) -> bool:
    """Whether a life that died may have sent a key that was written down nowhere and that the vendor has forgotten.

    The row of class A waits for nobody, so that a crash can lose it. It was sent after the transaction's last commit
    (`since_ms`) if at all: while the vendor still remembers keys of that time, sending is safe without asking.
    """
    return asked.can_look_up and _key_is_old(Known(state=SENT, first_sent_at_ms=since_ms), asked, now_ms=now_ms)


def _key_is_old(known: Known, asked: Asked, *, now_ms: int) -> bool:
    """Past 80 % of the vendor's memory for keys."""
    if asked.effect_class is not EffectClass.NATIVE_KEY or asked.key_life_s is None:
        return False
    first = known.first_sent_at_ms
    return first is not None and now_ms - first > 10 * _KEY_IS_OLD_AT_PCT * asked.key_life_s
