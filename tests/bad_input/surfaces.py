"""Where bad input comes in: every door of the product, fed directly, each answer in the same few words."""

import re
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from accordant.backbone.message import Message, Told
from accordant.canonical.contract import ContractAmended
from accordant.canonical.opportunity import OpportunityWon
from accordant.connector.exchange import Answer
from accordant.connector.signin import required
from accordant.connector.strict_json import decode
from accordant.governance.connections import load_connections
from accordant.governance.demo_estate import install
from accordant.governance.estate import Estate
from accordant.governance.estate_files import load_estate
from accordant.governance.reference_change import RowTerms, rows_for
from accordant.kernel import dates, failpoints, money, text
from accordant.kernel.errors import AccordantError, Malformed
from accordant.masterdata.identity_marks import normal_tax_id
from accordant.operations.transactions import Search, find
from accordant.process.terms import agree_amendment, agree_terms
from accordant.sandboxes import READ_EXPORT
from accordant.systems.netsuite import mapping as netsuite
from accordant.wiring import VENDORS
from tests.bad_input.table import Input

NOW_MS = 1_795_262_400_000
"""2026-11-21T12:00:00Z."""
ACCOUNT = {"Id": "001A", "Name": "Acme", "BillingCountry": "Germany", "Website": "https://www.acme.com"}
ROW: dict[str, Any] = {
    "Id": "006A",
    "StageName": "Won",
    "Amount": "600.00",
    "CloseDate": "2026-11-20",
    "CurrencyIsoCode": "USD",
    "AccountId": "001A",
    "SystemModstamp": "2026-11-21T11:00:00.000+0000",
    "Opportunity_Number__c": "N-1",
    "Product__c": "Ledger Start",
    "Account_Name__c": "Acme",
    "Account": ACCOUNT,
}


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a surface said."""

    code: str
    said: str = ""
    hint: str = ""
    at: str = ""
    status: int | None = None
    gave: str = ""
    """What was read, where it was accepted."""


def told(error: AccordantError) -> Seen:
    """An error of ours in these words."""
    detail = error.detail
    at = str(detail.get("pointer", detail.get("field", "")))
    if "line" in detail:
        at = f"{detail['line']}:{detail['column']}"
    return Seen(code=error.code, said=error.message, hint=error.hint, at=at)


class Surface:
    """One door. `warm` loads everything, so that what is measured afterwards is the input alone."""

    usual_ms = 0.0
    """What the good files around the input cost, which is not the input's doing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def warm(self) -> None:
        """Feed it something good."""

    async def feed(self, one: Input) -> Seen:
        """Feed it one input."""
        try:
            return Seen(code="ok", gave=self.read(one))
        except AccordantError as error:
            return told(error)

    def read(self, one: Input) -> str:
        raise NotImplementedError

    async def close(self) -> None:
        """Let go of everything."""


class Json(Surface):
    def read(self, one: Input) -> str:
        return repr(decode(one.body))[:300]


class VendorAnswer(Surface):
    """What a vendor answers to a read; to a write the same is an unknown outcome."""

    def read(self, one: Input) -> str:
        answer = Answer(status=200, headers={}, body=one.body, wrote=one.signed == "wrote")
        return repr(answer.json())[:300]

    async def feed(self, one: Input) -> Seen:
        seen = await super().feed(one)
        return msgspec.structs.replace(seen, hint=seen.hint or "retried, or settled by lookup")


def message(body: bytes, *, connection: str = "salesforce", stream: str = "Opportunity") -> Message:
    return Message(
        message_id="msg-1",
        tenant="t",
        connection=connection,
        stream=stream,
        delivery_id="006A@1",
        body=body,
        received_at_ms=NOW_MS,
        correlation_id="cor-1",
    )


class Deal(Surface):
    """A polled row, as far as the first check of its flow: what it says, and what its words mean."""

    async def warm(self) -> None:
        install(self.folder / "estate")
        self.estate: Estate = load_estate(self.folder / "estate")
        self.understand(msgspec.json.encode(ROW))

    def read(self, one: Input) -> str:
        body = one.body if one.change is None else msgspec.json.encode(_changed(ROW, one.change))
        return self.understand(body)

    def understand(self, body: bytes) -> str:
        found = VENDORS["salesforce"].translate(message(body))
        if not isinstance(found, list):
            return found.reason
        return " ".join(self._agree(told) for told in found)

    def _agree(self, told: Told) -> str:
        fact = told.fact
        if isinstance(fact, OpportunityWon):
            terms = agree_terms(fact.opportunity, self.estate)
        else:
            assert isinstance(fact, ContractAmended)
            terms = agree_amendment(fact.amendment, self.estate)
        return f"{terms.total} {terms.quantity} {terms.starts_on} {terms.parties[-1].account.name!r}"


def _changed(row: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """The row with these fields; `Account/Name` reaches into it, and a value `{missing: true}` removes one."""
    made = {**row}
    for path, value in change.items():
        name, _, rest = path.partition("/")
        if rest:
            made[name] = _changed(made.get(name) or {}, {rest: value})
        elif value == {"missing": True}:
            made.pop(name, None)
        else:
            made[name] = value
    return made


class EstateFile(Surface):
    """One file of an otherwise good estate."""

    async def warm(self) -> None:
        self.estate = self.folder / "estate"
        install(self.estate)
        costs: list[float] = []
        for _ in range(5):
            began = time.process_time()
            load_estate(self.estate)
            load_connections(self.estate)
            costs.append((time.process_time() - began) * 1000)
        self.usual_ms = min(costs)

    def read(self, one: Input) -> str:
        path = self.estate / one.file
        good = path.read_bytes() if path.exists() else None
        try:
            self._place(path, one)
            load_estate(self.estate)
            return f"{len(load_connections(self.estate))} connections"
        finally:
            if path.is_dir():
                path.rmdir()
            path.unlink(missing_ok=True)
            if good is not None:
                path.write_bytes(good)

    def _place(self, path: Path, one: Input) -> None:
        path.unlink(missing_ok=True)
        if one.make == "a folder":
            path.mkdir()
        elif one.make != "nothing":
            path.write_bytes(one.body)

    async def feed(self, one: Input) -> Seen:
        """A file's problems are lines; the first says code and place."""
        try:
            return Seen(code="ok", gave=self.read(one))
        except AccordantError as error:
            lines: list[str] = error.detail.get("problems") or []
            found = re.match(r"([^:]+):(\d+:\d+): ([a-z_.]+): (.*)", lines[0]) if lines else None
            if found is None:
                return told(error)
            assert found[1] == one.file, lines[0]
            assert len(lines) <= 50
            code = one.code if any(f": {one.code}: " in line for line in lines) else found[3]
            line = next(line for line in lines if f": {code}: " in line)
            at = ":".join(line.split(":")[1:3])
            return Seen(code=code, at=at, said=line, hint=line.rpartition(" – ")[2])


class Export(Surface):
    """One file of an otherwise good CRM export; a bad row is the business of its deal."""

    GOOD: ClassVar = {
        "accounts.csv": "account,sector,year_established,revenue,employees,office_location,subsidiary_of\n"
        "Alpha,tech,1990,10,5,Germany,\n",
        "products.csv": "product,series,sales_price\nWidget,W,550\n",
        "sales_pipeline.csv": "opportunity_id,sales_agent,product,account,deal_stage,engage_date,close_date,"
        "close_value\n"
        "G1,Kim,Widget,Alpha,Won,1/1/2017,3/1/2017,550\n",
    }

    async def warm(self) -> None:
        for name, good in self.GOOD.items():
            (self.folder / name).write_text(good)
        READ_EXPORT["salesforce"](self.folder)

    def read(self, one: Input) -> str:
        path = self.folder / one.file
        path.unlink()
        try:
            if one.make == "a folder":
                path.mkdir()
            elif one.make != "nothing":
                path.write_bytes(one.body)
            records: Any = READ_EXPORT["salesforce"](self.folder)
        finally:
            if path.is_dir():
                path.rmdir()
            path.write_text(self.GOOD[one.file])
        deals = records["Opportunity"]
        return f"{len(deals)} deals, {sum('Source_Row__c' in deal for deal in deals)} kept as they stand"


class Function(Surface):
    """The kernel's readers of money, days, instants and names."""

    CALLS: ClassVar[dict[str, Callable[..., Any]]] = {
        "money": money.parse_money,
        "add": lambda one, other: money.Money(1, one) + money.Money(1, other),
        "day": dates.read_day,
        "likely day": lambda given: dates.require_likely_day(dates.read_day(given)),
        "instant": dates.read_instant_ms,
        "likely ms": lambda given: dates.require_likely_ms(int(given)),
        "netsuite amount": netsuite.amount_minor,
        "netsuite id": netsuite.eid,
        "netsuite currency": lambda code: netsuite.Currencies.read({"USD": 1}).reference(code),
        "failpoint": failpoints.parse,
        "credential": lambda given: required(given, "client_secret"),
        "search": lambda limit: find(None, Search(tenant="t", limit=int(limit))),  # pyright: ignore[reportArgumentType]
        "tax id": lambda country, given: normal_tax_id(given, country=country),
    }

    def read(self, one: Input) -> str:
        name, *rest = one.args or [""]
        if name == "name":
            fault = text.name_fault(rest[0])
            if fault is not None:
                raise Malformed(f"expected {fault[1]}", code=fault[0], hint="see the surface that asked")
            return rest[0]
        return str(self.CALLS[name](*rest))


class ReferenceCommand(Surface):
    """`reference set`, behind its API."""

    async def warm(self) -> None:
        install(self.folder / "estate")
        self.estate = load_estate(self.folder / "estate")

    def read(self, one: Input) -> str:
        table, value, target, *days = one.args or []
        began, ended = ([date.fromisoformat(day) for day in days] + [None, None])[:2]
        terms = RowTerms(effective_from=began, effective_to=ended)
        return repr(rows_for(self.estate, table, value=value, target=target, terms=terms))[:200]
