"""What the guard says of a change in cost."""

import pytest
from bench.guard import cost_of, sentence


def round_of(product: float, calls: float, void: str = "") -> dict[str, object]:
    figures = {"product_sqlite": {"cpu_ms_per_tx": product}, "calls": {"cpu_ms_per_tx": calls}}
    return {"void": void, "figures": figures}


def test_the_cost_is_the_median_of_the_rounds_that_count() -> None:
    rounds = [round_of(3.0, 0.3), round_of(2.4, 0.4), round_of(9.0, 0.3), round_of(900.0, 0.3, void="a slow rival")]
    assert cost_of({"rounds": rounds}) == pytest.approx(10)
    assert cost_of({"rounds": [{"void": "", "figures": {}}]}) is None
    assert cost_of({}) is None


@pytest.mark.parametrize(
    ("now", "before", "said"),
    [
        (10.0, 10.0, "+0%, as before"),
        (10.9, 10.0, "+9%, as before"),
        (12.0, 10.0, "+20%, dearer"),
        (8.0, 10.0, "-20%, cheaper"),
        (8.0, None, "no stored run"),
    ],
)
def test_a_change_is_told_with_its_sign(now: float, before: float | None, said: str) -> None:
    assert said in sentence(now, before)
