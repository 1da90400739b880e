"""The example in the package's docstring works as printed."""

import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import aiohttp

from accordant.connector import sandbox


async def test_the_example_runs(tmp_path: Path) -> None:
    assert sandbox.__doc__ is not None
    text = sandbox.__doc__[sandbox.__doc__.index("    class Acme") : sandbox.__doc__.index("    if __name__")]
    names = {**vars(sandbox), "Iterable": Iterable, "Mapping": Mapping, "Any": Any}
    exec(textwrap.dedent(text), names)
    options = sandbox.SandboxOptions(system="billing", state_dir=tmp_path)
    headers = {"Authorization": "Bearer k"}
    async with sandbox.serve(names["Acme"], options) as serving, aiohttp.ClientSession(serving.url) as session:
        async with session.post("/v1/customers", json={"ref": "C-1"}, headers=headers) as answer:
            created = await answer.json()
            assert answer.status == 201
        async with session.get(f"/v1/customers/{created['id']}", headers=headers) as answer:
            assert await answer.json() == created
        async with session.get("/v1/customers/none") as answer:
            assert answer.status == 401
    assert len((tmp_path / "ledger" / "billing.jsonl").read_text().splitlines()) == 1
