"""Good bodies, changed at random, are read or refused by name; every finding becomes a row of the table."""

import os
import time
from pathlib import Path

import pytest

from tests.bad_input.mutation import Fuzz
from tests.bad_input.registry import codes
from tests.bad_input.table import inputs
from tests.campaign_figures import drop

SEED = 20261121
IN_SHORT, IN_FULL = 2_000, 200_000


async def test_changed_bodies_are_read_or_refused_by_name(tmp_path: Path) -> None:
    fuzz = Fuzz(tmp_path)
    await fuzz.warm()
    assert sum(fuzz.run(IN_SHORT, seed=SEED).values()) >= IN_SHORT - 20


@pytest.mark.campaign
async def test_two_hundred_thousand_changed_bodies(tmp_path: Path) -> None:
    fuzz = Fuzz(tmp_path)
    await fuzz.warm()
    seed = int(os.environ.get("ACCORDANT_FUZZ_SEED", str(SEED)))
    began = time.process_time()
    fed = fuzz.run(IN_FULL, seed=seed)
    spent_s = time.process_time() - began
    assert sum(fed.values()) >= IN_FULL - 20
    assert spent_s < 240
    figures = {
        "inputs": sum(len(one.to) for one in inputs()),
        "codes": len(codes()),
        "fuzzed": sum(fed.values()),
        "fuzzed_by_surface": fed,
        "seed": seed,
        "processor_s": round(spent_s, 1),
    }
    drop("bad_input", figures, part="bad_input")
