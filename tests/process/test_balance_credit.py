"""However often billing tells that a balance moved, each entry has one memo, and ours has the one of its case."""

from pathlib import Path

from tests.process.beginnings import BEGINNINGS
from tests.process.bench import Bench, benched


def posted(bench: Bench) -> int:
    return len(bench.world.company.held()["erp"]["credit_memo"])


async def test_an_entry_that_is_told_of_again_has_one_memo(sqlite_template: Path, tmp_path: Path) -> None:
    async with benched(tmp_path, sqlite_template) as bench:
        fact = await BEGINNINGS["balance_credit"](bench, "100")
        bench.mood.begin(refuse_at=None)
        first = await bench.play(fact, "100")
        again = await bench.play(fact, "101")
        assert (first.state, again.state) == ("completed", "completed")
        written = [[one.verb for one in bench.effects_of(row) if one.system == "erp"] for row in (first, again)]
        assert written == [["post_credit_memo"], []]
        assert posted(bench) == 1
