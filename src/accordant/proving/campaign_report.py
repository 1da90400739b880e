"""The campaign's report: a page for people and a file for programs, from measured results alone."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from accordant.proving.campaign import PartResult

Json = dict[str, Any]
_DRILL_FIGURES = ("transactions", "kills", "restarts", "kills_during_recovery", "pauses", "outages", "ambiguities")


def results_of(parts: Sequence[PartResult], *, names: Sequence[str], slower: float = 1.0) -> Json:
    """What programs read: rules summed over the drills, and every part as it was measured."""
    by_name = {one.part: one for one in parts}
    drills = [one.figures for one in parts if "rules" in one.figures]
    return {
        "date": max((one.began_at[:10] for one in parts), default=""),
        "commits": sorted({one.commit for one in parts}),
        "budget_factor": slower,
        "rules": summed_rules(drills),
        **{name: sum(int(drill.get(name, 0)) for drill in drills) for name in _DRILL_FIGURES},
        "mutants": _found(parts, "mutants"),
        "duration_s": round(sum(one.duration_s for one in parts), 1),
        "parts": {name: _part(by_name.get(name)) for name in names},
    }


def summed_rules(drills: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Judged and violations by rule, over all drills."""
    judged, violations = Counter[str](), Counter[str]()
    for drill in drills:
        for rule in drill["rules"]:
            judged[rule["rule"]] += rule["judged"]
            violations[rule["rule"]] += rule["violations"]
    return {rule: {"judged": n, "violations": violations[rule]} for rule, n in judged.items()}


def _found(parts: Sequence[PartResult], name: str) -> Any:
    """Figures that a part's tests left under this name; None where nobody did."""
    return next((one.figures[name] for one in parts if name in one.figures), None)


def _part(result: PartResult | None) -> Json:
    if result is None:
        return {"state": "not run"}
    return {
        "state": result.state,
        "began_at": result.began_at,
        "commit": result.commit,
        "duration_s": result.duration_s,
        "budget_s": result.budget_s,
        "figures": result.figures,
    }


def page_of(results: Json) -> str:
    """`docs/reliability/report.md`."""
    commits = ", ".join(one[:12] for one in results["commits"]) or "none"
    opening = (
        f"Date {results['date'] or '–'}, commit {commits}. Written by `make campaign` from what it measured; "
        "figures that nobody measured are not here. [results.json](results.json) has all of them."
    )
    if results["budget_factor"] != 1.0:
        opening += f" The machine had other work: budgets were {results['budget_factor']:g} times the published ones."
    return (
        "\n\n".join(
            [
                "# The last campaign",
                opening,
                "## Parts",
                _parts_table(results),
                "## What the checker found",
                _rules_table(results["rules"]),
                *_drills(results["parts"]),
                *_tests(results["parts"]),
            ]
        )
        + "\n"
    )


def _parts_table(results: Json) -> str:
    rows = [("part", "result", "began", "took", "budget")]
    for name, part in results["parts"].items():
        if part["state"] == "not run":
            rows.append((name, "not run", "–", "–", "–"))
            continue
        word = "no such tests yet" if part["state"] == "absent" else part["state"]
        began, took = part["began_at"][:16].replace("T", " "), f"{part['duration_s']:,.0f} s"
        rows.append((name, word, began, took, f"{part['budget_s'] / 60:.0f} min"))
    return _table(rows)


def _rules_table(rules: Mapping[str, Mapping[str, int]]) -> str:
    if not rules:
        return "No drill has been judged yet."
    rows = [("rule", "judged", "violations")]
    rows += [(rule, f"{one['judged']:,}", f"{one['violations']:,}") for rule, one in rules.items()]
    return _table(rows)


def _drills(parts: Mapping[str, Json]) -> list[str]:
    """One section for each drill."""
    found: list[str] = []
    for name, part in parts.items():
        one = part.get("figures", {})
        if "rules" in one:
            found += [
                f"## {name}",
                f"{one['verdict']} Seed {one['seed']}. {one['durability']}.",
                _table(_of_drill(one)),
            ]
    return found


def _of_drill(one: Json) -> list[tuple[str, str]]:
    resume, places = one["resume_s"], [place for place in one["kill_places"] if place != "anywhere"]
    rows = [("figure", "value")]
    rows += [(name.replace("_", " "), f"{one[name]:,}") for name in _DRILL_FIGURES]
    rows += [
        ("named places at which it was killed", f"{len(places)}"),
        ("effects sent again after a kill", f"{one['effects_redriven']:,}"),
        ("from a kill to work, median and longest", f"{resume.get('median', '–')} s, {resume.get('longest', '–')} s"),
        ("from healing to rest", f"{one['rest_s']:.1f} s"),
        ("disturbed for", f"{one['disturbed_s']:,.0f} s"),
        ("faults", _listed(one["faults"])),
        ("webhooks sent by the drill", _listed(one["deliveries"])),
    ]
    rows += [(name, str(value)) for name, value in one["versions"].items()]
    return rows


def _listed(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{n:,} {kind.replace('_', ' ')}" for kind, n in counted.items()) or "none"


def _tests(parts: Mapping[str, Json]) -> list[str]:
    """What the parts made of tests counted, and what they left beside."""
    rows = [("part", "figure", "value")]
    for name, part in parts.items():
        figures = part.get("figures", {})
        if "rules" not in figures:
            rows += [(name, *row) for row in _flat(figures)]
    return ["## Figures of the other parts", _table(rows)] if len(rows) > 1 else []


def _flat(figures: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in figures.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{before}{name} ")  # pyright: ignore[reportUnknownArgumentType]
        else:
            text = f"{value:,}" if isinstance(value, int) else str(value)
            found.append((f"{before}{name}".replace("_", " "), text[:300]))
    return found


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    head, *rest = rows
    lines = [head, tuple("---" for _ in head), *rest]
    return "\n".join(f"| {' | '.join(one.replace('|', chr(92) + '|') for one in line)} |" for line in lines)
