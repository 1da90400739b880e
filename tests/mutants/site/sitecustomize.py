"""Loaded by every Python process that finds this folder on its path: plants the mutant that the environment names."""

import os

if os.environ.get("ACCORDANT_TEST_MUTANT"):
    from tests.mutants.mutants import named
    from tests.mutants.planting import plant

    plant(named(os.environ["ACCORDANT_TEST_MUTANT"]).changes)
