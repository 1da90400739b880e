"""Every rule of the page holds for the real sources, lets the last good case pass and reports the first bad one."""

from pathlib import Path, PurePosixPath

import pytest

from tests.architecture.rules import RULES, Module

SOURCE = Path(__file__).resolve().parents[2] / "src" / "accordant"
STORY = '"""A sentence."""\n'


def module(path: str, text: str) -> Module:
    return Module(path=PurePosixPath(path), text=text)


def function_of(lines: int) -> str:
    """A function of so many lines of code, with a docstring, a comment and a blank line that do not count."""
    return f'{STORY}\n\ndef f():\n    """Two\n    lines.\n    """\n    # why\n\n' + "    x = 1\n" * (lines - 1)


@pytest.fixture(scope="session")
def sources() -> list[Module]:
    paths = sorted(SOURCE.rglob("*.py"))
    assert paths, "no sources found: the rules would judge nothing"
    return [module(path.relative_to(SOURCE).as_posix(), path.read_text(encoding="utf-8")) for path in paths]


@pytest.mark.parametrize("rule", RULES)
def test_the_sources_keep_the_rule(rule: str, sources: list[Module]) -> None:
    broken = [f"{source.path}: {finding}" for source in sources for finding in RULES[rule](source)]
    assert not broken, f"{RULES[rule].__doc__}\n" + "\n".join(broken)


BROKEN = [
    ("modules_stay_short", "kernel/money.py", STORY + "x = 1\n" * 300),
    ("modules_say_what_they_are", "kernel/money.py", "x = 1\n"),
    ("modules_say_what_they_are", "kernel/money.py", '"""  """\n'),
    ("names_say_something", "connector/utils.py", STORY),
    ("names_say_something", "connector/helpers/retry.py", STORY),
    ("names_say_something", "connector/_common.py", STORY),
    ("functions_stay_short", "process/flow.py", function_of(41)),
    ("functions_stay_short", "process/flow.py", function_of(41).replace("def ", "async def ")),
    ("parameters_stay_few", "process/flow.py", "def f(a, b, *, c, d, e, g): ..."),
    ("parameters_stay_few", "process/flow.py", "def f(a, b, c): ..."),
    ("parameters_stay_few", "process/flow.py", "class C:\n    def f(self, a, b, c): ..."),
    ("parameters_stay_few", "process/flow.py", "class C:\n    def __init__(self, a, b, c): ..."),
    ("parameters_stay_few", "process/flow.py", "def f(a, b, c, d, e, g, /): ..."),
    ("parameters_stay_few", "process/flow.py", "@app.command()\ndef f(a, b, c): ..."),
    ("parameters_stay_few", "experience/cli/demo.py", "def f(a, b, c): ..."),
    ("time_and_chance_are_arguments", "backbone/inbox.py", "from datetime import datetime\ndatetime.now()"),
    ("time_and_chance_are_arguments", "backbone/inbox.py", "import datetime as dt\ndt.datetime.utcnow()"),
    ("time_and_chance_are_arguments", "backbone/inbox.py", "import datetime\ndatetime.date.today()"),
    ("time_and_chance_are_arguments", "backbone/inbox.py", "import time\ndef f(clock=time.time): ..."),
    ("time_and_chance_are_arguments", "backbone/inbox.py", "from time import time as now\nnow()"),
    ("time_and_chance_are_arguments", "backbone/inbox.py", "import random\nrandom.choice([1])"),
    ("time_and_chance_are_arguments", "backbone/inbox.py", "import random\nrandom.Random()"),
    ("time_and_chance_are_arguments", "backbone/inbox.py", "from random import uniform\nuniform(0, 1)"),
    ("time_and_chance_are_arguments", "backbone/inbox.py", "import uuid\nuuid.uuid4()"),
    ("time_and_chance_are_arguments", "backbone/inbox.py", "from uuid import uuid4\nuuid4()"),
    ("time_and_chance_are_arguments", "security/keys.py", "import secrets\nsecrets.token_hex()"),
    ("settings_are_read_once", "backbone/inbox.py", "import os\nos.environ['X']"),
    ("settings_are_read_once", "kernel/clock.py", "from os import environ\nenviron['X']"),
    ("settings_are_read_once", "wiring.py", "import os\nos.getenv('X')"),
    ("errors_are_caught_by_name", "backbone/inbox.py", "try:\n    f()\nexcept:\n    raise"),
    ("money_knows_no_float", "kernel/money.py", "float('1.10')"),
    ("money_knows_no_float", "canonical/order.py", "total: float = 1"),
    ("money_knows_no_float", "canonical/order.py", "def f(total: int | float): ..."),
    ("money_knows_no_float", "canonical/order.py", "def f() -> list[float]: ..."),
    ("flows_name_no_vendor", "process/flow.py", "# Stripe wants this first"),
    ("flows_name_no_vendor", "process/netsuite_order.py", STORY),
]

KEPT = [
    ("modules_stay_short", "kernel/money.py", STORY + "x = 1\n" * 299),
    ("modules_say_what_they_are", "kernel/money.py", STORY),
    ("names_say_something", "connector/database.py", STORY),
    ("functions_stay_short", "process/flow.py", function_of(40)),
    ("parameters_stay_few", "process/flow.py", "def f(a, b, *, c, d, e): ..."),
    ("parameters_stay_few", "process/flow.py", "class C:\n    def f(self, a, b, *, c, d, e): ..."),
    ("parameters_stay_few", "connector/http.py", "class C:\n    def __exit__(self, kind, error, trace): ..."),
    ("parameters_stay_few", "experience/api/hooks.py", "async def door(scope, receive, send, /): ..."),
    ("parameters_stay_few", "experience/cli/demo.py", "@app.command()\ndef f(a, b, c, d, e, f): ..."),
    ("time_and_chance_are_arguments", "kernel/clock.py", "import time\ntime.time()"),
    ("time_and_chance_are_arguments", "connector/http.py", "import time\ntime.monotonic()"),
    ("time_and_chance_are_arguments", "connector/http.py", "import random\ndef f(chance: random.Random): ..."),
    ("time_and_chance_are_arguments", "systems/a/sandbox.py", "import random\nrandom.Random(7)"),
    ("time_and_chance_are_arguments", "security/keys.py", "import secrets\nsecrets.compare_digest(a, b)"),
    ("settings_are_read_once", "kernel/settings.py", "import os\nos.environ['X']"),
    ("errors_are_caught_by_name", "backbone/inbox.py", "try:\n    f()\nexcept ValueError:\n    raise"),
    ("money_knows_no_float", "kernel/money.py", "isinstance(amount, float)"),
    ("money_knows_no_float", "canonical/operation.py", "settle_s: float = 0.0"),
    ("money_knows_no_float", "masterdata/identity.py", "score: float = 0.5"),
    ("flows_name_no_vendor", "systems/stripe/client.py", "# Stripe wants this first"),
    ("flows_name_no_vendor", "process/flow.py", "await billing.amend(terms)"),
]


@pytest.mark.parametrize(("rule", "path", "text"), BROKEN)
def test_a_planted_violation_is_reported(rule: str, path: str, text: str) -> None:
    assert list(RULES[rule](module(path, text)))


@pytest.mark.parametrize(("rule", "path", "text"), KEPT)
def test_the_last_good_case_passes(rule: str, path: str, text: str) -> None:
    assert list(RULES[rule](module(path, text))) == []


def test_no_rule_is_without_a_planted_violation_and_a_good_case() -> None:
    assert {rule for rule, _, _ in BROKEN} == {rule for rule, _, _ in KEPT} == set(RULES)
