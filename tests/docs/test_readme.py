"""A newcomer types what the README says, in an empty folder, and all of it works.

`make` blocks are checked to name real targets and are run dry, because running them would run these tests again.
Everything else really runs, `accordant verify` for a shorter time. `accordant up` is started, awaited until it prints
an address, and stopped.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sybil import Document, Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

REPOSITORY = Path(__file__).resolve().parents[2]
README = REPOSITORY / "README.md"
ENVIRONMENT = Path(sys.executable).parent.parent

# `make` and `accordant` as the README's shell sees them.
NEWCOMER = """
set -euo pipefail
make() { command make --no-print-directory --dry-run --directory "$REPOSITORY" "$@" > /dev/null; }
accordant() {
  if [ "$1" = verify ]; then command accordant verify --seconds 3; return; fi
  if [ "$1" != up ]; then command accordant "$@"; return; fi
  command accordant "$@" > up.out 2>&1 &
  local platform=$! tenths
  for tenths in $(seq 600); do
    if grep -q 'http://' up.out; then kill -TERM $platform; wait $platform; return; fi
    kill -0 $platform 2> /dev/null || break
    sleep 0.1
  done
  cat up.out; kill -KILL $platform 2> /dev/null; return 1
}
"""

# Four won deals, one of them with a product nobody has mapped; one lost and one open.
EXPORT = {
    "accounts.csv": """\
account,sector,year_established,revenue,employees,office_location,subsidiary_of
Acorn Mills,retail,1996,110.04,282,United States,
Acorn Mills North,retail,2001,25.41,49,United States,Acorn Mills
Birchline,medical,1986,64.18,118,Kenya,
""",
    "products.csv": """\
product,series,sales_price
GTX Basic,GTX,550
GTX Pro,GTX,4821
""",
    "sales_teams.csv": """\
sales_agent,manager,regional_office
Ida Holm,Per Lund,Central
""",
    "sales_pipeline.csv": """\
opportunity_id,sales_agent,product,account,deal_stage,engage_date,close_date,close_value
A0000001,Ida Holm,GTX Basic,Acorn Mills North,Won,10/20/2016,3/1/2017,554
A0000002,Ida Holm,GTXPro,Birchline,Won,10/25/2016,3/11/2017,4514
A0000003,Ida Holm,GTX Basic,Birchline,Won,10/25/2016,3/12/2017,588
A0000004,Ida Holm,GTX Pro,Acorn Mills,Won,10/25/2016,3/13/2017,4800
A0000005,Ida Holm,GTX Basic,Acorn Mills,Lost,10/25/2016,3/14/2017,0
A0000006,Ida Holm,GTX Basic,Birchline,Engaging,11/3/2016,,
""",
}


# An invoice, a line without a customer, a credit on the invoice, and one whose invoice is older than the file.
SALES = """\
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,WHITE HEART,6,12-01-2010 08:26,2.55,17850,United Kingdom
536366,22633,HAND WARMER,1,12-01-2010 08:28,1.85,,United Kingdom
C536379,85123A,WHITE HEART,-1,12-01-2010 09:41,2.55,17850,United Kingdom
C536391,22556,PLASTERS,-12,12-01-2010 10:24,1.65,17548,EIRE
"""


def in_a_shell(example: Example) -> None:
    """Run one block the way it would be typed: in bash, in a folder holding `.venv` and exports."""
    folder: Path = example.namespace["folder"]
    run = subprocess.run(
        ["bash", "-c", NEWCOMER + str(example.parsed)],
        cwd=folder,
        env={
            **os.environ,
            "HOME": str(folder),
            "PATH": f"{ENVIRONMENT / 'bin'}:{os.environ['PATH']}",
            "REPOSITORY": str(REPOSITORY),
        },
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert run.returncode == 0, f"{example.parsed}\nended with {run.returncode}:\n{run.stdout}\n{run.stderr}"


def read(text_of: Path) -> Document:
    return Sybil([CodeBlockParser("bash", in_a_shell), PythonCodeBlockParser()]).parse(text_of)


BLOCKS = list(read(README).examples())


@pytest.fixture
def newcomer(tmp_path: Path) -> Path:
    """An empty folder but for the environment and two exports."""
    (tmp_path / ".venv").symlink_to(ENVIRONMENT)
    (tmp_path / "DIR").mkdir()
    for name, text in EXPORT.items():
        (tmp_path / "DIR" / name).write_text(text)
    (tmp_path / "SALES.csv").write_text(SALES)
    return tmp_path


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"line-{block.line}")
def test_a_block_of_the_readme_runs(block: Example, newcomer: Path) -> None:
    block.namespace["folder"] = newcomer
    block.evaluate()


def test_no_block_of_the_readme_is_left_unrun() -> None:
    fences = re.findall(r"^```", README.read_text(), re.MULTILINE)
    assert len(fences) == 2 * len(BLOCKS) > 0


@pytest.mark.parametrize("command", ["make no-such-target", "accordant no-such-verb", "false", "false\ntrue"])
def test_a_block_that_fails_is_noticed(command: str, newcomer: Path) -> None:
    readme = newcomer / "README.md"
    readme.write_text(f"```bash\n{command}\n```\n")
    (block,) = read(readme).examples()
    block.namespace["folder"] = newcomer
    with pytest.raises(AssertionError, match="ended with"):
        block.evaluate()


def test_the_eight_stops_stand_where_the_readme_says() -> None:
    source = REPOSITORY / "src" / "accordant"
    stops = re.findall(r"^\| (\d) \| [^|]+ \| ([^|]+) \|", README.read_text(), re.MULTILINE)
    assert [number for number, _ in stops] == list("12345678")
    places = [place for _, cell in stops for place in re.findall(r"`([^`]+)`", cell)]
    missing = [place for place in places if not list(source.glob(place.replace("<vendor>", "*")))]
    assert not missing


@pytest.mark.parametrize(
    "page",
    [README, REPOSITORY / "CHANGELOG.md", *sorted((REPOSITORY / "docs").rglob("*.md"))],
    ids=lambda page: page.relative_to(REPOSITORY).as_posix(),
)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []
