"""Who may agree to how much, who stands in for whom, and what needs nobody's word.

A limit is a plain decimal text for each currency. A currency that a role has no limit for, and an amount above its
limit, are not for that role to decide; where no role may, nobody's word counts and the transaction stops.
"""

from collections.abc import Iterable, Mapping
from datetime import date

import msgspec

from accordant.kernel.money import Money, parse_money

Limits = dict[str, str]
"""Currency → the largest amount, as plain decimal text."""


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """What people of one role may agree to."""

    up_to: Limits = {}


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who decides, under the name by which commands name who gives them."""

    roles: tuple[str, ...]
    known_as: tuple[str, ...] = ()
    """How other systems call the same person, such as `support/8412`; who asks there may not approve here."""


class Delegation(msgspec.Struct, frozen=True, kw_only=True):
    """For these days `to` decides with the roles of `of`."""

    of: str
    to: str
    since: date
    until: date
    """The last day."""


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of decision, such as `service_credit`."""

    roles: tuple[str, ...]
    """Who is asked, the first whose limit covers the amount; the next one where nobody answers in time."""
    automatic_up_to: Limits = {}
    """Up to here nobody is asked."""
    window_days: int = 30
    """What the same party was given in these days counts with it, so that splitting does not pass below a limit."""
    escalate_after_h: int = 24
    expire_after_h: int = 72


class Approvals(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of the estate about approvals."""

    roles: dict[str, Role] = {}
    people: dict[str, Person] = {}
    delegations: tuple[Delegation, ...] = ()
    kinds: dict[str, Kind] = {}


class Routing(msgspec.Struct, frozen=True, kw_only=True):
    """Whether somebody must agree, who, and by which rule."""

    roles: tuple[str, ...]
    """Empty where nobody is asked."""
    is_automatic: bool
    rule: str
    """One sentence for people and for the audit."""


def route(approvals: Approvals, kind: str, *, amount: Money, recent: Money) -> Routing:
    """Who must agree to an amount, where the same party was given `recent` within the kind's window.

    Raises:
        Malformed: the two amounts are not in one currency.
    """
    known = approvals.kinds.get(kind)
    if known is None:
        return Routing(roles=(), is_automatic=False, rule=f"approvals.yaml says nothing of {kind}")
    whole = amount + recent
    given = f" with {recent} of the last {known.window_days} days" if recent.amount_minor else ""
    if _covers(known.automatic_up_to, whole):
        limit = known.automatic_up_to[amount.currency]
        rule = f"{amount}{given} is within {limit} {amount.currency}, up to which nobody is asked"
        return Routing(roles=(), is_automatic=True, rule=rule)
    roles = tuple(name for name in known.roles if _covers(approvals.roles[name].up_to, whole))
    who = f"{roles[0]} decides" if roles else "no role may decide so much"
    split = (
        " (together they pass the limit that each would stay under)" if _is_split(known, amount, whole=whole) else ""
    )
    return Routing(roles=roles, is_automatic=False, rule=f"{amount}{given} needs approval{split}: {who}")


def roles_on(approvals: Approvals, who: str, *, on: date) -> frozenset[str]:
    """The roles somebody decides with on a day: their own, and those of whom they stand in for."""
    names = stands_in_for(approvals, who, on=on)
    return frozenset(role for name in names if name in approvals.people for role in approvals.people[name].roles)


def stands_in_for(approvals: Approvals, who: str, *, on: date) -> frozenset[str]:
    """Whose word somebody's word is on a day: their own, and that of whom they stand in for."""
    return frozenset(
        {who, *(one.of for one in approvals.delegations if one.to == who and one.since <= on <= one.until)}
    )


def is_same_person(approvals: Approvals, *, left: str, right: str, on: date) -> bool:
    """Whether one word may be the other's: the same person, under another name, or standing in for them."""
    return not _all_names(approvals, left, on=on).isdisjoint(_all_names(approvals, right, on=on))


def why_not(approvals: Approvals, who: str, *, roles: tuple[str, ...], amount: Money, on: date) -> str:
    """The reason why somebody may not decide with one of these roles over this amount; empty where they may."""
    held = roles_on(approvals, who, on=on)
    if who not in approvals.people and not held:
        return f"{who} is nobody whom approvals.yaml names"
    asked = [name for name in roles if name in held]
    if not asked:
        return f"{who} is {_listed(held)}; asked {'is' if len(roles) == 1 else 'are'} {_listed(roles)}"
    if not any(_covers(approvals.roles[name].up_to, amount) for name in asked if name in approvals.roles):
        return f"{amount} is more than {who} may decide as {_listed(asked)}"
    return ""


def _all_names(approvals: Approvals, who: str, *, on: date) -> set[str]:
    known = {who, *(name for name, person in approvals.people.items() if who in person.known_as)}
    behind = {name for one in known for name in stands_in_for(approvals, one, on=on)}
    return behind | {alias for name in behind if name in approvals.people for alias in approvals.people[name].known_as}


def _covers(limits: Mapping[str, str], amount: Money) -> bool:
    limit = limits.get(amount.currency)
    return limit is not None and amount.amount_minor <= parse_money(limit, amount.currency).amount_minor


def _is_split(kind: Kind, amount: Money, *, whole: Money) -> bool:
    return _covers(kind.automatic_up_to, amount) and not _covers(kind.automatic_up_to, whole)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nobody"
