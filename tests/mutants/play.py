"""Plays simulated worlds with one planted defect until the rule that must find it does; says what it found, as JSON."""

import json
import logging
import sys
import tempfile
from pathlib import Path
from typing import Any

import structlog

from tests.mutants.mutants import Mutant, named
from tests.mutants.planting import plant

SEEDS_MAX = 80


def play(mutant: Mutant, seeds: list[int]) -> dict[str, Any]:
    """The first seed in which the rule finds something; None where it never does."""
    plant(mutant.changes)
    from tests.simulation import judge, storage
    from tests.simulation.world import World

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    storage.prepare(Path(tempfile.mkdtemp()))
    others: set[str] = set()
    for seed in seeds:
        found = judge.judge(World(seed).run())
        mine = [one for one in found if one.startswith(f"{mutant.rule}: ")]
        others |= {one.partition(":")[0] for one in found}
        if mine:
            return {"mutant": mutant.name, "rule": mutant.rule, "seed": seed, "finding": mine[0]}
    return {"mutant": mutant.name, "rule": mutant.rule, "seed": None, "others": sorted(others)}


def main(name: str) -> None:
    mutant = named(name)
    seeds = [mutant.seed, *(seed for seed in range(SEEDS_MAX) if seed != mutant.seed)]
    sys.stdout.write(json.dumps(play(mutant, seeds)))


if __name__ == "__main__":
    main(sys.argv[1])
