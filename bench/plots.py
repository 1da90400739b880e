"""Draws the plots of the report; runs in an environment of its own.

bench/.env-report/bin/python -m bench.plots RESULTS FOLDER
"""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

mpl.rcParams.update({"svg.hashsalt": "accordant", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
OURS, FLOOR, OTHERS = "#1f6f8b", "#9aa5ad", "#c9783c"


def colour(name: str) -> str:
    if name.startswith("product"):
        return OURS
    return FLOOR if name.startswith(("calls", "group")) else OTHERS


def bars(found: dict[str, dict[str, float]], title: str, file: Path) -> None:
    """Median with smallest and largest."""
    names = list(found)
    figure, axes = plt.subplots(figsize=(7.5, 0.42 * len(names) + 1))
    values = [found[name]["median"] for name in names]
    below = [found[name]["median"] - found[name]["min"] for name in names]
    above = [found[name]["max"] - found[name]["median"] for name in names]
    axes.barh(names, values, xerr=[below, above], color=[colour(name) for name in names], ecolor="#333333", capsize=2)
    axes.invert_yaxis()
    axes.set_title(title, loc="left")
    for at, value in enumerate(values):
        axes.text(value, at, f"  {value:,.4g}", va="center")
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


def growth(found: dict[str, list[dict[str, Any]]], file: Path) -> None:
    figure, axes = plt.subplots(figsize=(7.5, 3))
    for kind, steps in found.items():
        sizes = [step["transactions"] for step in steps]
        axes.plot(sizes, [step["cost_cpu_ms_per_tx"] for step in steps], marker="o", label=kind)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("transactions in the database")
    axes.set_title("CPU milliseconds for each transaction", loc="left")
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


def main(results: dict[str, Any], folder: Path) -> None:
    measured = {name: one for name, one in results["contestants"].items() if one}
    if measured:
        bars({name: one["tx_per_s"] for name, one in measured.items()}, "Transactions a second", folder / "rates.svg")
        bars(
            {name: one["cpu_ms_per_tx"] for name, one in measured.items()},
            "CPU milliseconds for each transaction, without the database server",
            folder / "cpu.svg",
        )
    grown = results["parts"].get("growth", {"missing": ""})
    if "missing" not in grown:
        growth(grown, folder / "growth.svg")


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), Path(sys.argv[2]))
