"""Every call out of the process, every commit and every handover has a name of its own at which a drill can stop it."""

from collections import Counter
from pathlib import PurePosixPath

import pytest

from accordant.proving.boundaries import boundaries, places, sources, unnamed


def test_every_boundary_has_a_name() -> None:
    bare = [found for path, text in sources() for found in unnamed(path, text)]
    assert not bare, 'put it into `with around("name")`:\n' + "\n".join(map(str, bare))


def test_every_name_stands_once() -> None:
    counted = Counter(one.name for one in boundaries())
    assert [name for name, n in counted.items() if n > 1] == []


def test_the_platform_has_boundaries_in_every_room_that_acts() -> None:
    rooms = {one.path.partition("/")[0] for one in boundaries()}
    assert {"backbone", "connector", "governance", "kernel", "operations", "experience", "wiring.py"} <= rooms
    assert len(places()) == 2 * len(boundaries()) >= 100


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("await self._writer.commit(changes)", "writer.commit without a literal at="),
        ('self._tools.writer.post(changes, at=f"x{n}")', "writer.post without a literal at="),
        ('cursor.execute("COMMIT")', "execute COMMIT"),
        ('cursor.execute("BEGIN" if x else "BEGIN IMMEDIATE")', "execute BEGIN"),
        ("async with self._session.request(a) as b: pass", "session.request"),
        ("await step.operation.send(attempt)", "operation.send"),
        ("found = await operation.look_up(attempt)", "operation.look_up"),
        ("await self._ports[system].read_back(kind, refs)", "ports.read_back"),
        ("os.fsync(file.fileno())", "os.fsync"),
        ("await self._drive(due)", "self._drive"),
        ("loop.create_task(work())", "loop.create_task"),
        ('with around("x"):\n    def later():\n        os.fsync(1)', "os.fsync"),
    ],
)
def test_a_bare_boundary_is_found_and_a_named_one_is_not(text: str, what: str) -> None:
    bare = f"async def f():\n    {text.replace(chr(10), chr(10) + '    ')}\n"
    assert [one.what for one in unnamed(PurePosixPath("backbone/x.py"), bare)] == [what]
    if what.startswith("writer."):
        named = 'async def f():\n    await self._writer.commit(changes, at="x")\n'
    else:
        inner = text.partition("later():\n        ")[2] or text
        named = f'async def f():\n    with around("x"):\n        {inner}\n'
    assert unnamed(PurePosixPath("backbone/x.py"), named) == []
