"""`approvals.yaml`: read as a whole, with every name and amount in it looked at."""

from pathlib import Path

from accordant.governance.approvals import Approvals, Delegation, Kind, Person, Role
from accordant.governance.likeness import did_you_mean
from accordant.governance.problems import File, Problems
from accordant.governance.shapes import read_struct, refuse_unknown
from accordant.governance.strict_yaml import Spot, read_yaml
from accordant.kernel.errors import Malformed
from accordant.kernel.money import parse_money

NAME = "approvals.yaml"
_PARTS = ("roles", "people", "delegations", "kinds")


def read_approvals(folder: Path, problems: Problems) -> Approvals:
    """What the file says; a folder without one says that nobody may approve anything."""
    if not (folder / NAME).exists():
        return Approvals()
    file = File(NAME, problems)
    top = read_yaml(folder / NAME, file)
    if top is None:
        return Approvals()
    refuse_unknown(top, dict.fromkeys(_PARTS), file=file)
    rows = {name: top.entries[name].entries if name in top.entries else {} for name in ("roles", "people", "kinds")}
    roles = {name: read_struct(spot, Role, file=file) for name, spot in rows["roles"].items()}
    people = {name: read_struct(spot, Person, file=file) for name, spot in rows["people"].items()}
    kinds = {name: read_struct(spot, Kind, file=file) for name, spot in rows["kinds"].items()}
    for spot in rows["roles"].values():
        _check_limits(spot, "up_to", file=file)
    for spot in rows["kinds"].values():
        _check_limits(spot, "automatic_up_to", file=file)
        _check_names(spot, "roles", known=tuple(roles), file=file)
    for spot in rows["people"].values():
        _check_names(spot, "roles", known=tuple(roles), file=file)
    return Approvals(
        roles={name: one for name, one in roles.items() if one},
        people={name: one for name, one in people.items() if one},
        delegations=_delegations(top.entries.get("delegations"), known=tuple(people), file=file),
        kinds={name: one for name, one in kinds.items() if one},
    )


def _check_limits(spot: Spot, key: str, *, file: File) -> None:
    limits = spot.entries.get(key)
    for currency, limit in (limits.entries if limits else {}).items():
        if not isinstance(limit.value, str):
            what, expected = f"{currency}: {limit.value!r}", f'text in quotes, such as {currency}: "100.00"'
            file.problem(limit.at, "approvals.amount", what=what, expected=expected, fix="put it in quotes")
            continue
        try:
            parse_money(limit.value, currency)
        except Malformed as wrong:
            what = f"{currency}: {limit.value!r}"
            file.problem(
                limit.at, wrong.code, what=what, expected="an amount of a currency", fix=wrong.hint or "mend it"
            )


def _check_names(spot: Spot, key: str, *, known: tuple[str, ...], file: File) -> None:
    named = spot.entries.get(key)
    for one in named.value if named and isinstance(named.value, list) else []:
        _check_name(one, known=known, file=file)


def _check_name(spot: Spot, *, known: tuple[str, ...], file: File) -> None:
    if spot.value not in known:
        file.problem(
            spot.at,
            "approvals.unknown_name",
            what=f"{spot.value!r} is not defined in this file",
            expected=", ".join(known) or "a name defined above",
            fix=did_you_mean(str(spot.value), known),
        )


def _delegations(spot: Spot | None, *, known: tuple[str, ...], file: File) -> tuple[Delegation, ...]:
    if spot is None:
        return ()
    if not isinstance(spot.value, list):
        file.problem(spot.at, "config.shape", what="delegations is no list", expected="a list", fix="write `- of: …`")
        return ()
    found: list[Delegation] = []
    for one in spot.value:
        for key in ("of", "to"):
            if key in one.entries:
                _check_name(one.entries[key], known=known, file=file)
        delegation = read_struct(one, Delegation, file=file)
        if delegation is None:
            continue
        if delegation.until < delegation.since:
            what = f"until {delegation.until} is before since {delegation.since}"
            file.problem(one.at, "approvals.days", what=what, expected="days in their order", fix="swap them")
        found.append(delegation)
    return tuple(found)
