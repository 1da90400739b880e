"""Recounts a run from the systems' own ledgers and the CRM export, trusting nothing that the product says.

    python tools/recount.py --ledgers STATE/ledger [--export DIR] [--fixed "product:GTXPro=GTX Pro"]
                            [--report FILE] [--pass first_pass|final]

Standard library only. Exit code 0 when everything agrees, 1 when anything does not, 2 when a file cannot be read.
The meaning of an export is written down here a second time, on purpose: a mistake would have to be made twice. And it
is one file, though a long one, so that whoever doubts us can read it in one go and carry it elsewhere.
"""

import argparse
import csv
import json
import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

SYSTEMS = ("crm", "billing", "erp", "support")
COUNTED = {"customers": "customer", "subscriptions": "subscription", "orders": "order", "entitlements": "entitlement"}
WON = {"Won", "Closed Won"}
NOT_WON = {"Prospecting", "Engaging", "Lost", "Closed Lost", "Qualification", "Needs Analysis", "Value Proposition"} | {
    "Id. Decision Makers",
    "Perception Analysis",
    "Proposal/Price Quote",
    "Negotiation/Review",
}
LINES_MAX = 20
FIRST_DAY, LAST_DAY = date(1970, 1, 3), date(2199, 12, 31)
Json = dict[str, Any]


@dataclass
class Deal:
    """A won deal that can be carried out."""

    number: str
    account: str
    amount_minor: int
    closed_on: date


@dataclass
class Expected:
    """What an export asks for."""

    deals_won: int = 0
    deals: dict[str, Deal] = field(default_factory=dict[str, Deal])
    exceptions: Counter[str] = field(default_factory=Counter[str])
    """Open items by code, one for each row that cannot be carried out."""
    held_minor: int = 0
    accounts: int = 0
    linked: int = 0
    parent_of: dict[str, str] = field(default_factory=dict[str, str])

    def customers(self) -> set[str]:
        """Buyers and their ancestors, who are opened before them."""
        found = {deal.account for deal in self.deals.values()}
        for name in list(found):
            while (name := self.parent_of.get(name, "")) and name not in found:
                found.add(name)
        return found


@dataclass
class Held:
    """What one system holds after all writes in its ledger."""

    records: dict[tuple[str, str], Json] = field(default_factory=dict[tuple[str, str], Json])
    created: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    lines: int = 0

    def of(self, kind: str) -> list[Json]:
        return [line for (known, _), line in self.records.items() if known == kind]

    def duplicates(self) -> list[str]:
        """Things created more than once, by kind and business id."""
        return [f"{kind} {name}" for (kind, name), n in self.created.items() for _ in range(n - 1) if name]


def read_ledger(path: Path) -> Held:
    """Raises SystemExit with code 2 for a file that is not a ledger."""
    held = Held()
    for number, text in enumerate(_text(path).splitlines(), start=1):
        try:
            line: Json = json.loads(text, parse_float=Decimal)
            kind, change, native = line["kind"], line["change"], str(line["native_id"])
        except (ValueError, KeyError, TypeError) as wrong:
            raise SystemExit(_refuse(f"{path}:{number} is not a ledger line: {wrong!r}")) from wrong
        held.lines += 1
        if change == "delete":
            held.records.pop((kind, native), None)
            continue
        held.records[kind, native] = line
        if change == "create" and kind != "invoice":
            held.created[kind, str(line["business_id"] or "")] += 1
    return held


def read_export(directory: Path, *, fixed: dict[str, dict[str, str]], countries: set[str]) -> Expected:
    """What each row of the export asks for, or why it cannot be carried out."""
    accounts, sound = _accounts(directory / "accounts.csv")
    products = {row["product"] for _, row in _rows(directory / "products.csv") if row.get("product")}
    products |= {word for word, target in fixed.get("product", {}).items() if target in products}
    known = countries | set(fixed.get("country", {}))
    parents = {name: row["subsidiary_of"] for name, row in accounts.items() if row.get("subsidiary_of")}
    found = Expected(accounts=sound, parent_of=parents)
    found.linked = sum(1 for parent in parents.values() if parent in accounts)
    for whole, row in _rows(directory / "sales_pipeline.csv"):
        is_won = row.get("deal_stage", "") in WON
        found.deals_won += is_won
        code = "row.malformed" if not whole else _problem_of(row, accounts)
        if not code and is_won:
            code = _unmapped(row, accounts, products=products, countries=known)
            if code:
                found.held_minor += _minor(row["close_value"])
        if code:
            found.exceptions[code] += 1
        elif is_won:
            number, closed = row["opportunity_id"], _day(row["close_date"])
            assert closed is not None
            found.deals[number] = Deal(number, row["account"], _minor(row["close_value"]), closed)
    return found


def _accounts(path: Path) -> tuple[dict[str, dict[str, str]], int]:
    rows = list(_rows(path))
    names: dict[str, dict[str, str]] = {}
    for whole, row in sorted(rows, key=lambda one: not one[0]):
        names.setdefault(row.get("account", ""), {**row, "": "" if whole else "row.malformed"})
    names.pop("", None)
    return names, len(rows)


def _problem_of(row: dict[str, str], accounts: dict[str, dict[str, str]]) -> str:
    """The code under which a row is refused before anybody knows what it would mean; won or not."""
    stage, is_won = row["deal_stage"], row["deal_stage"] in WON
    if not is_won and stage not in NOT_WON:
        return "stage.unknown"
    closed = _day(row["close_date"])
    if row["close_date"] and closed is None:
        return "date.format"
    if closed and not FIRST_DAY <= closed <= LAST_DAY:
        return "date.suspicious"
    if is_won and not row["close_date"]:
        return "date.missing"
    return _amount_problem(row["close_value"], is_won) or _account_problem(row, accounts, is_won)


def _amount_problem(value: str, is_won: bool) -> str:
    if not value:
        return "money.missing" if is_won else ""
    if not re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,8})?", value):
        return "money.format"
    if Decimal(value) < 0:
        return "money.negative"
    return "money.zero" if is_won and Decimal(value) == 0 else ""


def _account_problem(row: dict[str, str], accounts: dict[str, dict[str, str]], is_won: bool) -> str:
    name = row["account"]
    if not name:
        return "account.missing" if is_won else ""
    for _ in range(3):
        account = accounts.get(name)
        if account is None:
            return "account.missing"
        if account[""]:
            return account[""]
        name = account.get("subsidiary_of", "")
        if not name:
            return "" if not is_won or row["product"] else "product.missing"
    return "account.too_deep" if name in accounts else "account.missing"


def _unmapped(
    row: dict[str, str], accounts: dict[str, dict[str, str]], *, products: set[str], countries: set[str]
) -> str:
    if row["product"] not in products:
        return "map.missing"
    if Decimal(row["close_value"]) * 100 % 1:
        return "money.too_many_decimals"
    name = row["account"]
    while name and countries:
        if accounts[name].get("office_location", "") not in countries:
            return "map.missing"
        name = accounts[name].get("subsidiary_of", "")
    return ""


def _rows(path: Path) -> list[tuple[bool, dict[str, str]]]:
    """Every row, and whether it has as many cells as the file has columns; an open quote spoils its own line only."""
    source = _text(path).splitlines(keepends=True)
    header = next(csv.reader(source[:1]), [])
    found: list[tuple[bool, dict[str, str]]] = []
    at = 1
    while at < len(source):
        taken, cells = 1, next(csv.reader(source[at : at + 1]), [])
        if source[at].count('"') % 2:
            taken, cells = _joined(source, at, len(header))
        if cells:
            found.append((len(cells) == len(header), dict(zip(header, cells, strict=False))))
        at += taken
    return found


def _joined(source: list[str], at: int, width: int) -> tuple[int, list[str]]:
    for taken in range(2, LINES_MAX + 1):
        part = source[at : at + taken]
        cells = next(csv.reader(part), [])
        if "".join(part).count('"') % 2 == 0 and len(cells) == width:
            return taken, cells
    return 1, [*source[at].rstrip("\r\n").split(","), ""][: width + 1]


def _day(text: str) -> date | None:
    american, iso = re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", text), re.fullmatch(r"(\d{4})-(\d{2})-(\d{2})", text)
    try:
        if american:
            return date(int(american[3]), int(american[1]), int(american[2]))
        return date(int(iso[1]), int(iso[2]), int(iso[3])) if iso else None
    except ValueError:
        return None


def _minor(text: str) -> int:
    return int(Decimal(text) * 100)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as wrong:
        raise SystemExit(_refuse(f"{path} cannot be read: {wrong}")) from wrong


def _refuse(sentence: str) -> int:
    sys.stderr.write(f"recount: {sentence}\n")
    return 2


class Checks:
    """Figures with what was expected and what was found."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, object, object, str]] = []

    def add(self, what: str, *, expected: object, found: object, first: str = "") -> None:
        """`first` names one of those that differ."""
        self.rows.append((what, expected, found, first))

    def none(self, what: str, found: list[str]) -> None:
        self.add(what, expected=0, found=len(found), first=found[0] if found else "")

    def show(self) -> int:
        """Print the table; returns the exit code."""
        print(f"{'figure':<40} {'expected':>13} {'found':>13}  verdict")
        for what, expected, found, first in self.rows:
            if what.startswith("report: ") and expected == found:
                continue
            verdict = "ok" if expected == found else "DIFFERS" + (f": {first}" if first else "")
            print(f"{what:<40} {_shown(expected):>13} {_shown(found):>13}  {verdict}")
        wrong = sum(expected != found for _, expected, found, _ in self.rows)
        told = [expected == found for what, expected, found, _ in self.rows if what.startswith("report: ")]
        if told:
            print(f"{'figures of the report as counted here':<40} {len(told):>13} {sum(told):>13}")
        print(f"{len(self.rows)} figures recounted: " + (f"{wrong} differ" if wrong else "all agree"))
        return 1 if wrong else 0


def figures_of(held: Held) -> Json:
    """The counts of one system, under the names that the report uses."""
    figures: Json = {name: len(held.of(kind)) for name, kind in COUNTED.items()}
    figures["parents"] = sum(1 for line in held.of("customer") if _parent(line))
    money = Counter[str]()
    for line in [*held.of("subscription"), *held.of("order")]:
        money[line["currency"]] += line["amount_minor"]
    figures["total_minor"] = sum(money.values())
    figures["currency"] = next(iter(money)) if len(money) == 1 else (sorted(money) or None)
    return figures


def _parent(line: Json) -> object:
    body: Json = line["body"]
    described = (body.get("metadata") or {}).get("parent_id"), body.get("parent")
    return any(described) or (body.get("organization_fields") or {}).get("parent_customer_id")


def check_ledgers(checks: Checks, held: dict[str, Held]) -> None:
    """What must hold in any run: nothing twice, nothing orphaned, billing and books of one mind deal by deal."""
    for system in SYSTEMS:
        checks.none(f"{system}: created more than once", held[system].duplicates())
    billed, ordered = _by_deal(held["billing"], "subscription"), _by_deal(held["erp"], "order")
    subscriptions = {line["business_id"] for line in held["billing"].of("subscription")}
    orders = held["erp"].of("order")
    orphans = [line["business_id"] for line in orders if line["body"].get("memo") not in subscriptions]
    checks.none("orders without their subscription", orphans)
    checks.none("deals in billing or ERP alone", sorted(billed.keys() ^ ordered.keys()))
    both = billed.keys() & ordered.keys()
    checks.none("deals of two amounts", sorted(deal for deal in both if billed[deal] != ordered[deal]))


def _by_deal(held: Held, kind: str) -> dict[str, tuple[int, str]]:
    """Amount and currency by the opportunity's number; a second record of a deal adds up and so cannot hide."""
    found: dict[str, tuple[int, str]] = {}
    for line in held.of(kind):
        body: Json = line["body"]
        number = str(body.get("otherRefNum") or (body.get("metadata") or {}).get("opportunity_id") or "")
        found[number] = (found.get(number, (0, ""))[0] + line["amount_minor"], line["currency"])
    return found


def check_export(checks: Checks, held: dict[str, Held], expected: Expected) -> None:
    """What this export asks for stands in every system, to the cent, and nothing else does."""
    customers, buyers = expected.customers(), {deal.account for deal in expected.deals.values()}
    total = sum(deal.amount_minor for deal in expected.deals.values())
    wanted: dict[str, Json] = {system: {"customers": len(customers)} for system in SYSTEMS[1:]}
    for system in SYSTEMS[1:]:
        wanted[system]["parents"] = sum(1 for name in customers if expected.parent_of.get(name))
    wanted["billing"] |= {"subscriptions": len(expected.deals), "total_minor": total}
    wanted["erp"] |= {"orders": len(expected.deals), "total_minor": total}
    wanted["support"] |= {"entitlements": len(buyers)}
    for system, figures in wanted.items():
        found = figures_of(held[system])
        for name, value in figures.items():
            checks.add(f"{system}: {name}", expected=value, found=found[name])
    amounts = {number: (deal.amount_minor, "USD") for number, deal in expected.deals.items()}
    for system, kind in (("billing", "subscription"), ("erp", "order")):
        by_deal = _by_deal(held[system], kind)
        differ = sorted(n for n in amounts.keys() | by_deal.keys() if amounts.get(n) != by_deal.get(n))
        checks.none(f"{system}: deals unlike the export", differ)
    told = {line["business_id"]: line["body"].get("Accordant_Status__c") for line in held["crm"].of("opportunity")}
    in_step = {number for number, status in told.items() if status == "in step"}
    checks.none("deals wrongly told to be in step, or not", sorted(in_step ^ expected.deals.keys()))
    checks.none("entitlements that end on the wrong day", _stale(held["support"], expected))


def _stale(support: Held, expected: Expected) -> list[str]:
    """Accounts whose support does not last until a year after their last deal."""
    last: dict[str, date] = {}
    for deal in expected.deals.values():
        last[deal.account] = max(deal.closed_on, last.get(deal.account, deal.closed_on))
    ends = {line["body"]["name"]: line["body"]["organization_fields"] for line in support.of("entitlement")}
    leap = {name: f"{day.year + 1}-02-28" for name, day in last.items() if (day.month, day.day) == (2, 29)}
    wanted = {name: leap.get(name, f"{day.year + 1}{day.isoformat()[4:]}") for name, day in last.items()}
    return sorted(n for n, day in wanted.items() if str(ends.get(n, {}).get("entitlement_ends_on"))[:10] != day)


def check_report(checks: Checks, told: Json, held: dict[str, Held], expected: Expected | None) -> None:
    """The product says what we counted."""
    for system in SYSTEMS[1:]:
        for name, value in figures_of(held[system]).items():
            checks.add(f"report: {system} {name}", expected=value, found=told["systems"][system][name])
    checks.add(
        "report: duplicate_effects",
        expected=sum(len(one.duplicates()) for one in held.values()),
        found=told["duplicate_effects"],
    )
    checks.add("report: effects_applied", expected=sum(h.lines for h in held.values()), found=told["effects_applied"])
    for name in ("lost_events", "partial_without_exception", "stale_overwrites"):
        checks.add(f"report: {name}", expected=0, found=told[name])
    if expected is None:
        return
    crm = told["systems"]["crm"]
    checks.add("report: crm customers", expected=expected.accounts, found=crm["customers"])
    checks.add("report: crm parents", expected=expected.linked, found=crm["parents"])
    checks.add("report: deals_won", expected=expected.deals_won, found=told["deals_won"])
    done = told["transactions"].get("completed", 0)
    checks.add("report: transactions completed", expected=len(expected.deals), found=done)
    said = Counter[str]()
    for cause in told["exceptions"]:
        said[cause["code"]] += cause["count"]
    for code in sorted(said.keys() | expected.exceptions.keys()):
        checks.add(f"report: exceptions {code}", expected=expected.exceptions[code], found=said[code])
    in_parked = sum(cause.get("amount_minor") or 0 for cause in told["exceptions"] if cause["code"] == "map.missing")
    checks.add("report: money parked on words", expected=expected.held_minor, found=in_parked)


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _fixes(given: list[str]) -> dict[str, dict[str, str]]:
    fixed: dict[str, dict[str, str]] = {}
    for text in given:
        table, _, rest = text.partition(":")
        value, equals, target = rest.partition("=")
        if not (table and equals):
            raise SystemExit(_refuse(f"{text!r} is no fix; expected TABLE:VALUE=TARGET"))
        fixed.setdefault(table, {})[value] = target
    return fixed


def main(argv: list[str] | None = None) -> int:
    """Print the verdicts; returns the exit code."""
    parser = argparse.ArgumentParser(description="Recount a run from its ledgers and its export.")
    parser.add_argument("--ledgers", type=Path, required=True, help="the ledger folder of the state folder")
    parser.add_argument("--export", type=Path, help="the CRM export that was played; without it only the ledgers")
    parser.add_argument("--fixed", action="append", default=[], metavar="TABLE:VALUE=TARGET")
    parser.add_argument("--report", type=Path, help="the product's report, compared figure by figure")
    parser.add_argument("--pass", dest="which", choices=["first_pass", "final"], help="default: the last there is")
    parser.add_argument("--countries", type=Path, help="country table; default: the one beside the ledgers")
    given = parser.parse_args(argv)
    held = {system: read_ledger(given.ledgers / f"{system}.jsonl") for system in SYSTEMS}
    checks, expected = Checks(), None
    check_ledgers(checks, held)
    if given.export:
        table = given.countries or given.ledgers.parent / "estate" / "reference" / "country.csv"
        countries = {row["value"] for _, row in _rows(table)} if given.countries or table.exists() else set[str]()
        expected = read_export(given.export, fixed=_fixes(given.fixed), countries=countries)
        check_export(checks, held, expected)
    if given.report:
        try:
            told: Json = json.loads(_text(given.report), parse_float=Decimal)
            check_report(checks, told[given.which or ("final" if "final" in told else "first_pass")], held, expected)
        except (ValueError, LookupError, TypeError) as wrong:
            return _refuse(f"{given.report} is not a report with this pass: {wrong!r}")
    return checks.show()


if __name__ == "__main__":
    sys.exit(main())
